"""Ending the time in which an administrator looks at the site as somebody else."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.acting import SESSION_KEY
from accounts.models import ActingEnd
from accounts.requests import AuthenticatedRequest
from accounts.services.acting import end_acting


@login_required
@require_POST
def acting_stop(request: AuthenticatedRequest) -> HttpResponse:
    """Be oneself again. Whoever is already goes home."""
    acting = getattr(request, "acting", None)
    if acting is None:
        return redirect("home")
    end_acting(acting=acting, how=ActingEnd.STOPPED, now=timezone.now())
    del request.session[SESSION_KEY]
    messages.success(request, _("You are yourself again."))
    return redirect("admin:accounts_user_change", acting.user_id)
