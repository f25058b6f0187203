"""Every change of a payment, for platform administrators."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.requests import AuthenticatedRequest
from billing.models import Payment
from common.history.pages import answered
from common.history.reading import History, scope_of, scopes_around


@never_cache
@login_required
@require_GET
def payment_history(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """Of the payment, its refunds and its chargebacks; also as a file."""
    if not request.user.is_platform_administrator:
        raise Http404(_("There is no such payment among yours."))
    payment = get_object_or_404(Payment.objects.select_related("booking"), pk=pk)
    scopes = [scope_of(payment), *scopes_around(payment, "payment")]
    history = History(scopes, request.user, until=timezone.now())
    context = {"payment": payment, "booking": payment.booking}
    name = f"payment-{payment.pk}"
    return answered(request, history, template="billing/payment_history.html", name=name, context=context)
