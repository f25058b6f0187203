"""Invoices and credit notes: the list, each as a page, as a PDF and as XML."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import format_currency
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET
from django_countries import countries

from accounts.models import User
from accounts.requests import AuthenticatedRequest
from billing.documents.facts import InvoiceDocument, Party
from billing.documents.figures import SELF_BILLED, UNITS, FaultyDocument, due, tax_category, unit_price
from billing.models import Invoice, Series
from billing.services import printing
from billing.services.invoices import document_of
from common.errors import MarketplaceError
from common.formats import NOTHING, language, number, number_locale, region
from common.money import rounded

A_PAGE = 25
NOT_NOW = "The file cannot be had at the moment. Try again in a minute; what it says stands on this page."


@dataclass(frozen=True)
class Choice:
    """What of the list is wanted; 0 and an empty string: all. What makes no sense is left out."""

    year: int
    series: str

    @classmethod
    def of(cls, request: AuthenticatedRequest) -> "Choice":
        year, series = request.GET.get("year", ""), request.GET.get("kind", "")
        return cls(
            int(year) if year.isascii() and year.isdigit() and len(year) == 4 else 0,
            series if series in Series.values else "",
        )

    def among(self, invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
        if self.year:
            invoices = invoices.filter(year=self.year)
        return invoices.filter(series=self.series) if self.series else invoices


@dataclass(frozen=True)
class Total:
    """What the chosen documents come to in a currency. ``bought`` is net of credit notes, ``sold`` self-billed."""

    currency: str
    bought: Decimal | None
    bought_tax: Decimal
    sold: Decimal | None
    sold_tax: Decimal


def invoice_seen_by(user: User, pk: UUID) -> Invoice:
    """The person's own, or any for platform administrators.

    Raises:
        Http404: it is somebody else's, or there is none.
    """
    invoices = Invoice.objects.select_related("owner", "corrects", "booking", "payment")
    return get_object_or_404(invoices if user.is_platform_administrator else invoices.filter(owner=user), pk=pk)


@login_required
@require_GET
def invoice_list(request: AuthenticatedRequest) -> HttpResponse:
    """Everything that was issued to a person, and for providers in their name."""
    mine, choice = Invoice.objects.filter(owner=request.user), Choice.of(request)
    found = choice.among(mine).select_related("corrects").order_by("-issued_at", "-sequence")
    kinds = mine.order_by().values_list("year", "series").distinct()
    series = {kind for _, kind in kinds}
    context = {
        "choice": choice,
        "years": sorted({year for year, _ in kinds}, reverse=True),
        "kinds": [(value, label) for value, label in Series.choices if value in series],
        "totals": _totals(choice.among(mine)),
        "page": Paginator(found, A_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "billing/invoice_list.html", context)


def _totals(invoices: QuerySet[Invoice]) -> list[Total]:
    rows = invoices.order_by().values_list("currency", "series").annotate(gross=Sum("gross"), tax=Sum("tax"))
    sums: dict[tuple[str, bool], list[Decimal]] = {}
    for currency, series, gross, tax in rows:
        sold = series in (Series.SELF_BILLING, Series.SELF_BILLING_CREDIT)
        sign = -1 if series in (Series.CREDIT_NOTE, Series.SELF_BILLING_CREDIT) else 1
        held = sums.setdefault((currency, sold), [Decimal(0), Decimal(0)])
        held[0] += sign * gross
        held[1] += sign * tax
    nothing = (None, Decimal(0))
    return [
        Total(currency, *sums.get((currency, False), nothing), *sums.get((currency, True), nothing))
        for currency in sorted({currency for currency, _ in sums})
    ]


@login_required
@require_GET
def invoice_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The document as it was issued, whatever has changed since."""
    invoice = invoice_seen_by(request.user, pk)
    document = document_of(invoice)
    context = {
        "invoice": invoice,
        "document": document,
        "lines": _lines(document),
        "vat": tax_category(document),
        "due": due(document),
        "is_self_billed": document.kind in SELF_BILLED,
        "parties": _parties(document),
        "corrections": invoice.corrections.order_by("issued_at", "sequence"),
        "is_mine": invoice.owner_id == request.user.pk,
    }
    return render(request, "billing/invoice_detail.html", context)


def _parties(document: InvoiceDocument) -> list[tuple[str, Party, str]]:
    """What each is in it, who it is, and the name of its country."""
    words = ("Supplier", "Customer") if document.kind in SELF_BILLED else ("From", "To")
    both = zip(words, (document.seller, document.buyer), strict=True)
    return [(word, party, str(countries.name(party.country))) for word, party in both]


def _lines(document: InvoiceDocument) -> list[dict[str, Any]]:
    """Each with its quantity in words and its unit price."""
    rows = []
    for line in document.lines:
        quantity, price = unit_price(line, document.currency)
        unit = UNITS[line.unit][1 if abs(quantity) == 1 else 2] if line.unit in UNITS else line.unit
        written = f"{number(quantity)} {unit}" if quantity else NOTHING
        rows.append({"line": line, "quantity": written, "price": _price(price, document.currency)})
    return rows


def _price(price: Decimal, currency: str) -> str:
    """With as many decimals as it takes that the quantity times it is the line's amount."""
    return format_currency(
        price,
        currency,
        locale=number_locale(language(), region()),
        decimal_quantization=price == rounded(price, currency),
    )


@login_required
@require_GET
def invoice_pdf(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """PDF/A-3 with the XML in it. Printed now if the sweep has not come to it."""
    return _file(request, pk, "pdf")


@login_required
@require_GET
def invoice_xml(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What accounting software reads."""
    return _file(request, pk, "xml")


def _file(request: AuthenticatedRequest, pk: UUID, kind: str) -> HttpResponse:
    invoice = invoice_seen_by(request.user, pk)
    try:
        content = printing.pdf_of(invoice) if kind == "pdf" else printing.xml_of(invoice)
    except (MarketplaceError, FaultyDocument):
        messages.error(request, NOT_NOW)
        return redirect("invoice_detail", pk=invoice.pk)
    answer = HttpResponse(content, content_type=f"application/{kind}")
    answer["Content-Disposition"] = f'attachment; filename="{invoice.number}.{kind}"'
    return answer
