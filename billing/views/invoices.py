"""Invoices and credit notes: the list of a person and of an organization, each as a page, as a PDF and as XML."""

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
from django.urls import reverse
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET
from django_countries import countries

from accounts.bearer import token_or_login
from accounts.loading import organization_of
from accounts.models import Organization, Scope, User
from accounts.permissions import OrganizationAction, may_in, membership_of
from accounts.requests import AuthenticatedRequest
from billing.documents.facts import InvoiceDocument, Party
from billing.documents.figures import SELF_BILLED, FaultyDocument, due, tax_category, unit_price
from billing.models import Invoice, Series
from billing.services import printing
from billing.services.issuing import document_of
from common.errors import MarketplaceError
from common.formats import NOTHING, language, number, number_locale, region
from common.money import rounded

A_PAGE = 25
TYPES = {"pdf": "application/pdf", "xml": "application/xml; charset=utf-8"}
NOT_NOW = _("The file cannot be had at the moment. Try again in a minute; what it says stands on this page.")


#: The kinds of documents, for choosing among many.
KINDS = {
    Series.INVOICE.value: _("Invoices"),
    Series.CREDIT_NOTE.value: _("Credit notes"),
    Series.SELF_BILLING.value: _("Self-billing invoices"),
    Series.SELF_BILLING_CREDIT.value: _("Self-billing credit notes"),
    Series.SUBSCRIPTION.value: _("Subscription invoices"),
}


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
    """The person's own, those of organizations in which their role shows them, or any for platform administrators.

    Raises:
        Http404: it is somebody else's, or there is none.
    """
    invoices = Invoice.objects.select_related("owner", "organization", "corrects", "booking", "payment")
    return get_object_or_404(invoices.seen_by(user), pk=pk)


def organization_of_invoice(pk: UUID) -> UUID | None:
    """For whose members it was issued, if for any."""
    return Invoice.objects.filter(pk=pk).values_list("organization", flat=True).first()


@login_required
@require_GET
def invoice_list(request: AuthenticatedRequest) -> HttpResponse:
    """Everything that was issued to a person, and for providers in their name."""
    return render(request, "billing/invoice_list.html", _listed(request, request.user))


@login_required
@require_GET
def organization_invoices(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Everything that was issued for what members bought for an organization."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE_INVOICES)
    context = {"organization": organization, "powers": powers, **_listed(request, organization)}
    return render(request, "billing/invoice_list.html", context)


def _listed(request: AuthenticatedRequest, account: User | Organization) -> dict[str, Any]:
    """The documents of an account, as the list shows them."""
    theirs, choice = Invoice.objects.of(account), Choice.of(request)
    found = choice.among(theirs).select_related("corrects", "owner").order_by("-issued_at", "-sequence")
    kinds = theirs.order_by().values_list("year", "series").distinct()
    series = {kind for _year, kind in kinds}
    return {
        "choice": choice,
        "years": sorted({year for year, _series in kinds}, reverse=True),
        "kinds": [(value, label) for value, label in KINDS.items() if value in series],
        "totals": _totals(choice.among(theirs)),
        "page": Paginator(found, A_PAGE).get_page(request.GET.get("page")),
    }


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
        for currency in sorted({currency for currency, _sold in sums})
    ]


@login_required
@require_GET
def invoice_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The document as it was issued, whatever has changed since."""
    invoice = invoice_seen_by(request.user, pk)
    document = document_of(invoice)
    back, back_label = _back(invoice, request.user)
    context = {
        "invoice": invoice,
        "back": back,
        "back_label": back_label,
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


def _back(invoice: Invoice, user: User) -> tuple[str, str]:
    """Where the page hangs: in the organization's list, if it is there and the person may see that; else in their own."""
    if invoice.organization is None:
        return reverse("invoice_list"), gettext("Invoices")
    if may_in(membership_of(user, invoice.organization), OrganizationAction.SEE_INVOICES):
        name = gettext("Invoices of %(name)s") % {"name": invoice.organization.name}
        return reverse("organization_invoices", args=[invoice.organization_id]), name
    if invoice.payment_id and invoice.owner_id == user.pk:
        return reverse("payment_detail", args=[invoice.payment_id]), gettext("The payment")
    return reverse("invoice_list"), gettext("Invoices")


def _parties(document: InvoiceDocument) -> list[tuple[str, Party, str]]:
    """What each is in it, who it is, and the name of its country."""
    if document.kind in SELF_BILLED:
        words = gettext("Supplier"), gettext("Customer")
    else:
        words = pgettext("invoice", "From"), pgettext("invoice", "To")
    both = zip(words, (document.seller, document.buyer), strict=True)
    return [(word, party, str(countries.name(party.country))) for word, party in both]


def _lines(document: InvoiceDocument) -> list[dict[str, Any]]:
    """Each with its quantity in words and its unit price."""
    rows = []
    for line in document.lines:
        quantity, price = unit_price(line, document.currency)
        written = _quantity(quantity, line.unit) if quantity else NOTHING
        rows.append({"line": line, "quantity": written, "price": _price(price, document.currency)})
    return rows


def _quantity(quantity: Decimal, unit: str) -> str:
    """As many as there are of a unit of documents: ``3 days``."""
    counted = {
        "hour": ngettext("%(number)s hour", "%(number)s hours", _many(quantity)),
        "day": ngettext("%(number)s day", "%(number)s days", _many(quantity)),
        "week": ngettext("%(number)s week", "%(number)s weeks", _many(quantity)),
        "month": ngettext("%(number)s month", "%(number)s months", _many(quantity)),
        "item": ngettext("%(number)s item", "%(number)s items", _many(quantity)),
    }
    return counted[unit] % {"number": number(quantity)} if unit in counted else f"{number(quantity)} {unit}"


def _many(quantity: Decimal) -> int:
    """What grammar asks for: a fraction is as many are."""
    return 1 if abs(quantity) == 1 else 2


def _price(price: Decimal, currency: str) -> str:
    """With as many decimals as it takes that the quantity times it is the line's amount."""
    return format_currency(
        price,
        currency,
        locale=number_locale(language(), region()),
        decimal_quantization=price == rounded(price, currency),
    )


@token_or_login(Scope.BILLING_READ, whose=organization_of_invoice)
@require_GET
def invoice_pdf(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """PDF/A-3 with the XML in it. Printed now if the sweep has not come to it."""
    return _file(request, pk, "pdf")


@token_or_login(Scope.BILLING_READ, whose=organization_of_invoice)
@require_GET
def invoice_xml(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What accounting software reads."""
    return _file(request, pk, "xml")


def _file(request: AuthenticatedRequest, pk: UUID, kind: str) -> HttpResponse:
    invoice = invoice_seen_by(request.user, pk)
    try:
        content = printing.pdf_of(invoice) if kind == "pdf" else printing.xml_of(invoice)
    except (MarketplaceError, FaultyDocument):
        messages.error(request, str(NOT_NOW))
        return redirect("invoice_detail", pk=invoice.pk)
    answer = HttpResponse(content, content_type=TYPES[kind])
    answer["Content-Disposition"] = f'attachment; filename="{invoice.number}.{kind}"'
    return answer
