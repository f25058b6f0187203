"""What a provider earns: the overview, its CSV, and one payout."""

from contextlib import suppress
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.bearer import token_or_login
from accounts.models import Scope, User
from accounts.requests import AuthenticatedRequest
from billing import earnings as read
from billing.history import steps_of_payout
from billing.models import Payout, PayoutStatus
from billing.services.owed import in_the_way
from machines.models import Machine

A_PAGE = 25
PAYOUTS = 10


@login_required
@require_GET
def earnings(request: AuthenticatedRequest) -> HttpResponse:
    """Where a provider's money is: upcoming, held, on its way, received; by month, by machine, by booking."""
    user, now = request.user, timezone.now()
    choice = _choice(request)
    years = read.years(user)
    payouts = Payout.objects.filter(provider=user).select_related("account", "retry")
    rows = Paginator(read.bookings(user, choice), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "choice": choice,
        "years": years,
        "machines": Machine.objects.of(user).order_by("name"),
        "totals": read.totals(user, choice, now=now),
        "charts": read.by_month(user, choice, choice.year or (years[0] if years else now.year)),
        "by_machine": read.by_machine(user, choice),
        "page": rows,
        "rows": read.rows_of(rows, now=now),
        "payouts": Paginator(payouts.order_by("-scheduled_at", "-pk"), PAYOUTS).get_page(request.GET.get("payouts")),
    }
    return render(request, "billing/earnings.html", context)


@token_or_login(Scope.BILLING_READ)
@require_GET
def earnings_csv(request: AuthenticatedRequest) -> StreamingHttpResponse:
    """Each movement as a line, for whoever does the books."""
    lines = read.as_csv(request.user, _choice(request))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="earnings.csv"'
    return response


@login_required
@require_GET
def payout_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """One payout: what is in it, where it went, what became of it."""
    payout = _payout_seen_by(request.user, pk)
    to_be_sent = [payout] if payout.status == PayoutStatus.SCHEDULED else []
    context = {
        "payout": payout,
        "waits_because": in_the_way(to_be_sent, now=timezone.now()).get(pk, []),
        "lines": payout.lines.select_related("booking__machine").order_by("booking__end", "pk"),
        "steps": steps_of_payout(payout),
        "invoices": _first(payout).invoices.order_by("issued_at", "sequence"),
        "retry": getattr(payout, "retry", None),
        "is_mine": payout.provider_id == request.user.pk,
    }
    return render(request, "billing/payout_detail.html", context)


def _first(payout: Payout) -> Payout:
    """The first try of a payout that failed: the invoice was made out for that."""
    while payout.retry_of is not None:
        payout = payout.retry_of
    return payout


def _payout_seen_by(user: User, pk: UUID) -> Payout:
    """
    Raises:
        Http404: the person is neither its provider nor a platform administrator.
    """
    seen = Q() if user.is_platform_administrator else Q(provider=user)
    payouts = Payout.objects.select_related("provider", "account", "sepa_file", "retry_of", "retry")
    return get_object_or_404(payouts.filter(seen), pk=pk)


def _choice(request: HttpRequest) -> read.Choice:
    """What cannot be understood narrows nothing."""
    year = machine = None
    with suppress(ValueError):
        year = int(request.GET.get("year", ""))
    with suppress(ValueError):
        machine = UUID(request.GET.get("machine", ""))
    return read.Choice(year if year and 1970 <= year <= 9000 else None, machine)
