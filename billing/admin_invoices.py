"""Invoices and their counters, as platform administrators see them: looked at, never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.models import Invoice, InvoiceCounter
from common import formats
from common.administration import ShownAdmin, linked, links_to


class PrintedFilter(admin.SimpleListFilter):
    title = "file"
    parameter_name = "file"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("printed", "Printed"), ("waiting", "Not printed yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        if self.value() == "printed":
            return queryset.exclude(pdf="")
        return queryset.filter(pdf="") if self.value() == "waiting" else queryset


@admin.register(Invoice)
class InvoiceAdmin(ShownAdmin):
    list_display = ["number", "issued_at", "amount", "owner_link", "corrects_link", "booking_link", "tax_kind", "files"]
    list_filter = ["series", "year", "currency", "tax_kind", PrintedFilter]
    list_select_related = ["owner", "corrects", "booking"]
    search_fields = [
        "number",
        "id",
        "owner__email",
        "organization__name",
        "purchase_order",
        "cost_centre",
        "payment__stripe_payment_intent",
        "booking__id",
    ]
    date_hierarchy = "issued_at"
    fields = [
        "number",
        "series",
        "issued_at",
        "files",
        "amount",
        "net_amount",
        "tax_amount",
        "tax_kind",
        "tax_rate",
        "owner_link",
        "organization_link",
        "booking_link",
        "payment_link",
        "refund_link",
        "chargeback_link",
        "payout_link",
        "subscription_payment_link",
        "corrects_link",
        "corrected_by",
        "purchase_order",
        "cost_centre",
        "pdf",
        "pdf_sha256",
        "document",
    ]
    owner_link = linked("owner")
    organization_link = linked("organization")
    booking_link = linked("booking")
    payment_link = linked("payment")
    refund_link = linked("refund")
    chargeback_link = linked("chargeback")
    payout_link = linked("payout")
    subscription_payment_link = linked("subscription_payment")
    corrects_link = linked("corrects")

    @admin.display(description="total", ordering="gross")
    def amount(self, invoice: Invoice) -> str:
        return formats.money(invoice.gross, invoice.currency)

    @admin.display(description="net")
    def net_amount(self, invoice: Invoice) -> str:
        return formats.money(invoice.net, invoice.currency)

    @admin.display(description="VAT")
    def tax_amount(self, invoice: Invoice) -> str:
        return formats.money(invoice.tax, invoice.currency)

    @admin.display(description="corrected by")
    def corrected_by(self, invoice: Invoice) -> SafeString | str:
        return links_to(invoice.corrections.order_by("issued_at", "sequence"))

    @admin.display(description="to read")
    def files(self, invoice: Invoice) -> SafeString:
        pages = (("invoice_detail", "page"), ("invoice_pdf", "PDF"), ("invoice_xml", "XML"))
        return format_html_join(
            " · ",
            '<a href="{}">{}</a>',
            ((reverse(name, args=[invoice.pk]), words) for name, words in pages),
        )


@admin.register(InvoiceCounter)
class InvoiceCounterAdmin(ShownAdmin):
    list_display = ["series", "year", "last", "invoices"]
    list_filter = ["series", "year"]
    search_fields = ["series"]
    fields = ["series", "year", "last", "invoices"]

    @admin.display(description="invoices")
    def invoices(self, counter: InvoiceCounter) -> SafeString:
        page = reverse("admin:billing_invoice_changelist")
        return format_html('<a href="{}?series__exact={}&year={}">show</a>', page, counter.series, counter.year)
