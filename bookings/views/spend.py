"""What an organization spends: the page, and each booking as a row of a CSV or XLSX file."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from accounts.bearer import organization_in_address, token_or_login
from accounts.loading import organization_of
from accounts.models import Scope, User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from bookings.models import BookingQuerySet
from bookings.spend import bookings_of, columns, rows_of, spend, within
from bookings.stretches import PERIODS, Stretch, asked_for
from common.formats import number
from common.languages import in_english
from common.spreadsheets import csv_lines, xlsx

#: So many rows has a workbook at most: it is made while somebody waits.
MOST_ROWS = 20_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@login_required
@require_GET
def organization_spend(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """By project, member, server, GPU model and over time; to whom the role does not show it, their own part."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE)
    now = timezone.now()
    sees_all = OrganizationAction.SEE_SPEND in powers
    period, stretch, form = asked_for(request.GET, now=now)
    bookings = bookings_of(organization, member=_only(request.user, powers), now=now)
    context = {
        "organization": organization,
        "powers": powers,
        "sees_all": sees_all,
        "form": form,
        "periods": [period for period in PERIODS if period[0] != "own"],
        "period": period,
        "stretch": stretch,
        "spend": spend(bookings, stretch, by_member=sees_all, now=now),
    }
    return render(request, "organizations/spend.html", context)


@token_or_login(Scope.BILLING_READ, whose=organization_in_address)
@require_GET
def organization_spend_csv(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """Sent while it is read, however long it is."""
    bookings, stretch = _chosen(request, pk)
    answer = StreamingHttpResponse(csv_lines(columns(), rows_of(bookings)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{_name(stretch)}.csv"'
    return answer


@token_or_login(Scope.BILLING_READ, whose=organization_in_address)
@require_GET
def organization_spend_xlsx(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """A workbook, where it is not too long for one."""
    bookings, stretch = _chosen(request, pk)
    count = bookings.count()
    if count > MOST_ROWS:
        said = ngettext("This is %(count)s booking.", "These are %(count)s bookings.", count) % {"count": number(count)}
        most = _("A workbook has %(most)s at most. Choose a shorter time, or take the CSV file.")
        messages.error(request, f"{said} {most % {'most': number(MOST_ROWS)}}")
        return redirect("organization_spend", pk=pk)
    with in_english():  # as the CSV file, which is read when nobody's language is known any more
        file = xlsx("Bookings", columns(), rows_of(bookings))
    return FileResponse(file, as_attachment=True, filename=f"{_name(stretch)}.xlsx", content_type=XLSX)


def _chosen(request: AuthenticatedRequest, pk: UUID) -> tuple[BookingQuerySet, Stretch]:
    organization, powers = organization_of(request, pk, OrganizationAction.SEE)
    now = timezone.now()
    _period, stretch, _form = asked_for(request.GET, now=now)
    bookings = bookings_of(organization, member=_only(request.user, powers), now=now)
    return within(bookings, stretch, now=now), stretch


def _only(user: User, powers: frozenset[str]) -> User | None:
    """Whose bookings alone are shown; ``None``: everybody's."""
    return None if OrganizationAction.SEE_SPEND in powers else user


def _name(stretch: Stretch) -> str:
    return f"spend-{stretch.first}-{stretch.last}"
