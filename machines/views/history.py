"""Every change of a machine and of what belongs to it."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.requests import AuthenticatedRequest
from common.history.pages import answered
from common.history.reading import History, scope_of, scopes_around
from machines.loading import machine_watched_by


@never_cache
@login_required
@require_GET
def machine_history(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """Of the machine, its listings and their prices, agents, benchmarks and maintenance; also as a file."""
    machine = machine_watched_by(request.user, pk)
    scopes = [scope_of(machine), *scopes_around(machine, "machine")]
    history = History(scopes, request.user, until=timezone.now())
    context = {"machine": machine}
    return answered(request, history, template="machines/history.html", name=f"machine-{machine.pk}", context=context)
