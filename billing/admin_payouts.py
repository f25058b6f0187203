"""Paying providers, as platform administrators see it: payouts and what becomes of them, files for the bank, holds."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.services.decisions import ask
from billing.decisions import RELEASE_HOLD, release_arguments
from billing.models import Payout, PayoutAccount, PayoutHold, PayoutLine, SepaFile
from billing.services.payout_accounts import synchronise_account
from billing.services.payout_holds import place_hold
from billing.services.payouts import mark_failed, mark_received, retry_payout, synchronise_payout
from billing.services.sepa_files import LONGEST_AHEAD, content_of, left_out, make_sepa_file
from bookings.models import Booking
from common import formats
from common.administration import MadeHere, ShownAdmin, ShownInline, decide, for_each, link_to, linked, links_to
from common.errors import MarketplaceError


class PayoutLineInline(ShownInline):
    model = PayoutLine
    fields = ["booking", "amount"]
    show_change_link = False


@admin.register(Payout)
class PayoutAdmin(ShownAdmin):
    list_display = [
        "scheduled_at",
        "reference",
        "money",
        "status",
        "method",
        "provider_link",
        "account_link",
        "sent_at",
        "received_at",
        "failure",
    ]
    list_filter = [
        "status",
        "method",
        "currency",
        ("retry", admin.EmptyFieldListFilter),
        "scheduled_at",
    ]
    list_select_related = ["provider", "account"]
    search_fields = ["id", "provider__email", "provider__organization_name", "stripe_transfer", "stripe_payout"]
    date_hierarchy = "scheduled_at"
    inlines = [PayoutLineInline]
    fields = [
        "id",
        "reference",
        "money",
        "tax",
        "status",
        "method",
        "provider_link",
        "account_link",
        "page_link",
        "scheduled_at",
        "sent_at",
        "received_at",
        "failed_at",
        "failure",
        "attempts",
        "next_attempt_at",
        "sepa_file_link",
        "stripe_transfer",
        "stripe_payout",
        "stripe_reversal",
        "retry_of_link",
        "retry_link",
        "invoice_links",
    ]
    actions = ["received", "failed", "retry", "ask_the_processor"]
    provider_link = linked("provider")
    account_link = linked("account")
    sepa_file_link = linked("sepa_file")
    retry_of_link = linked("retry_of")

    @admin.display(description="amount", ordering="amount")
    def money(self, payout: Payout) -> str:
        return formats.money(payout.amount, payout.currency)

    @admin.display(description="tried again by")
    def retry_link(self, payout: Payout) -> SafeString | str:
        return link_to(getattr(payout, "retry", None))

    @admin.display(description="invoice")
    def invoice_links(self, payout: Payout) -> SafeString | str:
        return links_to(payout.invoices.all())

    @admin.display(description="the provider's page")
    def page_link(self, payout: Payout) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("payout_detail", args=[payout.pk]), payout.reference)

    @admin.action(description="Received: our bank has booked it", permissions=["operate"])
    def received(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        def note(payout: Payout) -> None:
            mark_received(payout=payout, by=_who(request), now=timezone.now())

        for_each(self, request, list(queryset), note, done="marked as received")

    @admin.action(description="Failed: the bank sent it back, or it is not to be sent…", permissions=["operate"])
    def failed(self, request: HttpRequest, queryset: QuerySet[Payout]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset,
            title="These payouts failed",
            done="marked as failed",
            columns=["money", "status", "provider_link", "account_link"],
            needs_reason=True,
            service=lambda row, reason, by: mark_failed(payout=row, reason=reason, by=by, now=timezone.now()),
        )

    @admin.action(description="Try again those that failed", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        def again(payout: Payout) -> None:
            retry_payout(payout=payout, by=_who(request), now=timezone.now())

        for_each(self, request, list(queryset), again, done="tried again")

    @admin.action(description="Ask Stripe", permissions=["operate"])
    def ask_the_processor(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        def ask(payout: Payout) -> None:
            synchronise_payout(payout=payout, now=timezone.now())

        for_each(self, request, list(queryset), ask, done="asked after at Stripe")


@admin.register(PayoutAccount)
class PayoutAccountAdmin(ShownAdmin):
    list_display = ["created_at", "label", "method", "user_link", "payouts_enabled", "requirements", "replaced_at"]
    list_filter = ["method", "payouts_enabled", ("replaced_at", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__organization_name", "stripe_account", "holder", "iban"]
    fields = [
        "id",
        "user_link",
        "method",
        "holder",
        "iban",
        "bic",
        "stripe_account",
        "details_submitted",
        "payouts_enabled",
        "currencies",
        "requirements",
        "created_at",
        "replaced_at",
    ]
    actions = ["ask_the_processor"]
    user_link = linked("user", "provider")

    @admin.action(description="Ask Stripe", permissions=["operate"])
    def ask_the_processor(self, request: HttpRequest, queryset: QuerySet[PayoutAccount]) -> None:
        def ask(account: PayoutAccount) -> None:
            synchronise_account(stripe_account=account.stripe_account or "", now=timezone.now())

        for_each(self, request, list(queryset.exclude(stripe_account=None)), ask, done="asked after at Stripe")


class ExecuteOnForm(forms.Form):
    execute_on = forms.DateField(
        label="Pay on",
        initial=lambda: timezone.now().date() + timedelta(days=1),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"On a day off the bank pays on the next one. At most {LONGEST_AHEAD.days} days ahead.",
    )


class PayoutInline(ShownInline):
    model = Payout
    fields = ["provider", "amount", "currency", "status", "received_at", "failure"]


@admin.register(SepaFile)
class SepaFileAdmin(MadeHere):
    """Files for our bank. Making one puts every SEPA payout that waits into it, and calls them sent."""

    enter_title = "Make a file for the bank"
    enter_button = "Make the file: its payouts are sent"
    enter_form = ExecuteOnForm
    list_display = ["created_at", "message_id", "execute_on", "count", "amount", "maker_link", "download_link"]
    list_filter = ["created_at", "execute_on"]
    list_select_related = ["created_by"]
    search_fields = ["message_id", "payouts__id"]
    date_hierarchy = "created_at"
    fields = [
        "id",
        "message_id",
        "created_at",
        "maker_link",
        "execute_on",
        "count",
        "amount",
        "download_link",
        "sha256",
    ]
    inlines = [PayoutInline]
    maker_link = linked("created_by", "made by")

    def get_urls(self) -> list[Any]:
        download = self.admin_site.admin_view(self.download)
        return [path("<uuid:pk>/download/", download, name="billing_sepafile_download"), *super().get_urls()]

    @admin.display(description="total", ordering="total")
    def amount(self, file: SepaFile) -> str:
        return formats.money(file.total, "EUR")

    @admin.display(description="file")
    def download_link(self, file: SepaFile) -> SafeString:
        address = reverse("admin:billing_sepafile_download", args=[file.pk])
        return format_html('<a href="{}">{}.xml</a>', address, file.message_id)

    def listed(self, request: HttpRequest) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        waiting = Payout.objects.for_the_bank().select_related("provider", "account")
        rows = [
            (link_to(payout, payout.reference), payout.provider.public_name, payout.account.label, _money(payout))
            for payout in waiting
        ]
        return ("payout", "provider", "account", "amount"), rows

    def make(self, request: HttpRequest, cleaned: dict[str, Any]) -> SepaFile:
        file = make_sepa_file(by=_who(request), now=timezone.now(), **cleaned)
        for words in left_out(now=timezone.now()):
            self.message_user(request, f"Not in the file: {words}", messages.WARNING)
        return file

    def download(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        file = get_object_or_404(SepaFile, pk=pk)
        try:
            data = content_of(file)
        except MarketplaceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect("admin:billing_sepafile_change", pk)
        response = HttpResponse(data, content_type="application/xml")
        response["Content-Disposition"] = f'attachment; filename="{file.message_id}.xml"'
        return response


class HoldForm(forms.Form):
    booking = forms.UUIDField(help_text="Its id, as its page in the administration shows it.")
    amount = forms.DecimalField(required=False, help_text="In the booking's currency, without tax. Empty: all of it.")
    reason = forms.CharField(max_length=300, help_text="The provider reads it.", widget=forms.Textarea)

    def clean_booking(self) -> Booking:
        booking = Booking.objects.select_related("machine__provider").filter(pk=self.cleaned_data["booking"]).first()
        if booking is None:
            raise forms.ValidationError("There is no such booking.")
        return booking


@admin.register(PayoutHold)
class PayoutHoldAdmin(MadeHere):
    """What of a booking's earnings is not paid out for now."""

    enter_title = "Hold a part of what a booking earned"
    enter_button = "Hold it"
    enter_form = HoldForm
    list_display = ["placed_at", "booking_link", "held", "reason", "placed_by_link", "released_at", "released_by_link"]
    list_filter = [("released_at", admin.EmptyFieldListFilter), "placed_at"]
    list_select_related = ["booking", "placed_by", "released_by"]
    search_fields = ["booking__id", "reason", "booking__machine__provider__email"]
    date_hierarchy = "placed_at"
    fields = [
        "booking_link",
        "held",
        "reason",
        "placed_at",
        "placed_by_link",
        "released_at",
        "released_by_link",
        "released_because",
    ]
    actions = ["release"]
    booking_link = linked("booking")
    placed_by_link = linked("placed_by")
    released_by_link = linked("released_by")

    @admin.display(description="held")
    def held(self, hold: PayoutHold) -> str:
        return "all" if hold.amount is None else formats.money(hold.amount, hold.booking.currency)

    def make(self, request: HttpRequest, cleaned: dict[str, Any]) -> PayoutHold:
        return place_hold(by=_who(request), now=timezone.now(), **cleaned)

    @admin.action(description="Release…", permissions=["operate"])
    def release(self, request: HttpRequest, queryset: QuerySet[PayoutHold]) -> HttpResponse | None:
        service: Callable[[Any, str, Any], object] = lambda row, reason, by: ask(  # noqa: E731
            action=RELEASE_HOLD, arguments=release_arguments(row), reason=reason, by=by, now=timezone.now()
        )
        return decide(
            self,
            request,
            queryset.select_related("booking"),
            title="Release these holds: a second administrator confirms it",
            done="asked for: a second administrator confirms it",
            columns=["booking_link", "held", "reason", "placed_at"],
            needs_reason=True,
            service=service,
        )


def _who(request: HttpRequest) -> Any:
    return request.user


def _money(payout: Payout) -> str:
    return formats.money(payout.amount, payout.currency)
