"""Monthly statements: what an account was invoiced and credited in a month of the seller's calendar, which is UTC.

Made from issued documents alone, so a month that is over always reads the same. What providers sell, which is invoiced
in their name, is no part of it. An account is a person or an organization: what somebody bought for an organization is
on its statement, and not on theirs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import CharField, Count, DateTimeField, Exists, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Cast, Concat, TruncMonth

from accounts.models import BillingKind, Organization, OutgoingMail, User
from accounts.tax import details_of
from billing import mails
from billing.documents.facts import StatementDocument, StatementLine, StatementTotal
from billing.models import Invoice, Series
from billing.services.issuing import document_of
from common.ids import short
from common.languages import in_english
from common.spreadsheets import Cell

#: The first days of a month, on which statements of the one before are sent.
SENT_WITHIN = timedelta(days=7)
BOUGHT = (Series.INVOICE, Series.SUBSCRIPTION, Series.CREDIT_NOTE)
ZERO = Decimal(0)

Account = User | Organization


@dataclass(frozen=True)
class Month:
    """A month in which an account had documents. ``amounts``: currency, and what it comes to, tax included."""

    first: date
    documents: int
    amounts: tuple[tuple[str, Decimal], ...]


def months_of(account: Account) -> list[Month]:
    """The newest first."""
    rows = (
        _bought(account)
        .annotate(first=TruncMonth("issued_at", tzinfo=UTC, output_field=DateTimeField()))
        .order_by("-first", "currency")
        .values_list("first", "currency", "series")
        .annotate(count=Count("pk"), gross=Sum("gross"))
    )
    counts: dict[date, int] = defaultdict(int)
    amounts: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for first, currency, series, count, gross in rows:
        counts[first.date()] += count
        amounts[first.date()][currency] += _sign(series) * gross
    return [Month(first, count, tuple(amounts[first].items())) for first, count in counts.items()]


@in_english()
def statement_of(account: Account, month: date) -> StatementDocument | None:
    """The month that ``month`` is in, a table for each currency; ``None`` where there were no documents.

    Buyer and seller are those of the month's last document.
    """
    first, following = _bounds(month)
    found = (
        _bought(account)
        .filter(issued_at__gte=first, issued_at__lt=following)
        .order_by("issued_at", "series", "sequence")
    )
    rows = list(found)
    if not rows:
        return None
    by_currency: dict[str, list[StatementLine]] = defaultdict(list)
    for row in rows:
        by_currency[row.currency].append(_line(row))
    last = document_of(rows[-1])
    return StatementDocument(
        number=f"ST-{month:%Y-%m}-{short(account.pk)}",
        month=first.date(),
        seller=last.seller,
        buyer=last.buyer,
        totals=tuple(_total(currency, lines) for currency, lines in sorted(by_currency.items())),
    )


def ids_of(account: Account, month: date) -> dict[str, UUID]:
    """Under which id each document of the month is found, by its number."""
    first, following = _bounds(month)
    return dict(_bought(account).filter(issued_at__gte=first, issued_at__lt=following).values_list("number", "pk"))


def is_over(month: date, *, now: datetime) -> bool:
    """Whether nothing can come to it any more."""
    return _bounds(month)[1] <= now


def _line(row: Invoice) -> StatementLine:
    document, sign = document_of(row), _sign(row.series)
    return StatementLine(
        on=document.issued_on,
        what=document.lines[0].description,
        document=document.number,
        reference=document.booking_reference,
        purchase_order=document.purchase_order,
        cost_centre=document.cost_centre,
        net=sign * document.net,
        tax=sign * document.tax,
        amount=sign * document.gross,
    )


def _total(currency: str, lines: list[StatementLine]) -> StatementTotal:
    return StatementTotal(
        currency=currency,
        lines=tuple(lines),
        net=sum((line.net for line in lines), ZERO),
        tax=sum((line.tax for line in lines), ZERO),
        amount=sum((line.amount for line in lines), ZERO),
    )


def _sign(series: str) -> int:
    return -1 if series == Series.CREDIT_NOTE else 1


def _bought(account: Account) -> QuerySet[Invoice]:
    return Invoice.objects.of(account).filter(series__in=BOUGHT)


def _bounds(month: date) -> tuple[datetime, datetime]:
    first = datetime(month.year, month.month, 1, tzinfo=UTC)
    return first, (first + timedelta(days=32)).replace(day=1)


COLUMNS = (
    "Date",
    "Document",
    "For",
    "Booking",
    "Purchase order",
    "Cost centre",
    "Currency",
    "Net",
    "VAT",
    "Total",
)


def rows_of(statement: StatementDocument) -> Iterator[Iterable[Cell]]:
    """For a table of :data:`COLUMNS`: a row for each document."""
    for total in statement.totals:
        for line in total.lines:
            yield (
                line.on.isoformat(),
                line.document,
                line.what,
                line.reference,
                line.purchase_order,
                line.cost_centre,
                total.currency,
                line.net,
                line.tax,
                line.amount,
            )


def mail_statements(*, now: datetime, limit: int = 200) -> int:
    """Sweep: on the first days of a month tell businesses and organizations that had documents in the one before.

    Once each. Returns how many were told.
    """
    this_month = datetime(now.astimezone(UTC).year, now.astimezone(UTC).month, 1, tzinfo=UTC)
    if now >= this_month + SENT_WITHIN:
        return 0
    month = (this_month - timedelta(days=1)).date()
    waiting: list[Account] = [*_businesses(month)[:limit], *_organizations(month)[:limit]]
    for account in waiting:
        details = details_of(account)
        mails.statement_ready(account, month.replace(day=1), address=details.invoice_email if details else "")
    return len(waiting)


def _businesses(month: date) -> QuerySet[User]:
    """Those that bought something for themselves in the month, and have not been told of its statement."""
    return (
        User.objects.filter(_documents(month, owner=OuterRef("pk"), organization=None))
        .filter(billing_details__kind=BillingKind.BUSINESS)
        .exclude(mails__key=mails.statement_key(month))
        .select_related("billing_details")
    )


def _organizations(month: date) -> QuerySet[Organization]:
    """As :func:`_businesses`. Whoever owned it then may have been told: what counts is that somebody was."""
    key = Concat(Value(f"{mails.statement_key(month)}:"), Cast(OuterRef("pk"), CharField()))
    return (
        Organization.objects.filter(_documents(month, organization=OuterRef("pk")))
        .exclude(Exists(OutgoingMail.objects.filter(key=key)))
        .select_related("owner", "billing_details")
    )


def _documents(month: date, **whose: object) -> Exists:
    first, following = _bounds(month)
    return Exists(
        Invoice.objects.filter(series__in=BOUGHT, issued_at__gte=first, issued_at__lt=following, **whose).order_by()
    )
