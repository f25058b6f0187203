"""Money, as platform administrators see it: looked at, never edited. What can be done is asking the processor."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Decision, User
from accounts.services.decisions import ask
from billing import admin_invoices as admin_invoices
from billing import admin_ledger  # noqa: F401 registers its rows
from billing import admin_payouts as admin_payouts
from billing import admin_subscriptions as admin_subscriptions
from billing.decisions import GIVE_BACK, give_back_arguments
from billing.models import Chargeback, LedgerTransaction, Payment, Refund, SavedCard, StripeCustomer, WebhookEvent
from billing.services.payments import synchronise
from billing.services.refunds import BY_A_PERSON, ask_again, give_back, takes_two_to_give_back
from billing.services.webhooks import replay_event
from common import formats
from common.administration import MadeHere, ShownAdmin, ShownInline, for_each, link_to, linked, links_to
from common.errors import MarketplaceError


class RefundInline(ShownInline):
    model = Refund
    fields = ["requested_at", "amount", "currency", "reason", "status", "made_at", "failure"]


class ChargebackInline(ShownInline):
    model = Chargeback
    fields = ["opened_at", "amount", "currency", "reason", "state", "evidence_due_by", "closed_at"]


class PostingInline(ShownInline):
    model = LedgerTransaction
    fields = ["at", "kind", "note"]


@admin.register(Payment)
class PaymentAdmin(ShownAdmin):
    list_display = [
        "timestamp",
        "amount",
        "status",
        "booking_link",
        "payer_link",
        "provider_link",
        "card_label",
        "needs_authentication",
        "failure",
    ]
    list_filter = ["status", "currency", "needs_authentication", "timestamp"]
    list_select_related = ["booking", "payer", "provider"]
    search_fields = ["id", "stripe_payment_intent", "invoice_number", "booking__id", "payer__email", "provider__email"]
    date_hierarchy = "timestamp"
    inlines = [RefundInline, ChargebackInline, PostingInline]
    fields = [
        "id",
        "amount",
        "given_back",
        "status",
        "booking_link",
        "charge_link",
        "machine_link",
        "payer_link",
        "provider_link",
        "history",
        "commission_rate",
        "off_session",
        "timestamp",
        "paid_at",
        "asked_at",
        "card_label",
        "needs_authentication",
        "failure",
        "invoice_number",
        "stripe_payment_intent",
        "payment_method",
    ]
    actions = ["ask_the_processor"]
    booking_link = linked("booking")
    charge_link = linked("charge")
    machine_link = linked("machine")
    payer_link = linked("payer")
    provider_link = linked("provider")

    @admin.display(description="amount", ordering="amount_total")
    def amount(self, payment: Payment) -> str:
        return formats.money(payment.amount_total, payment.currency)

    @admin.display(description="history")
    def history(self, payment: Payment) -> SafeString:
        return format_html('<a href="{}">All of it on one page</a>', reverse("payment_detail", args=[payment.pk]))

    @admin.display(description="given back, or on its way")
    def given_back(self, payment: Payment) -> SafeString | str:
        given = formats.money(payment.refunded, payment.currency)
        if not payment.refundable:
            return given
        address = f"{reverse('admin:billing_refund_add')}?payment={payment.pk}"
        return format_html('{} · <a href="{}">Give a part back…</a>', given, address)

    @admin.action(description="Ask the processor", permissions=["operate"])
    def ask_the_processor(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        def ask(payment: Payment) -> None:
            synchronise(payment=payment, now=timezone.now())

        for_each(self, request, list(queryset), ask, done="asked after at the processor")


class GiveBackForm(forms.Form):
    payment = forms.UUIDField(help_text="Its id, as its page in the administration shows it.")
    amount = forms.DecimalField(min_value=0, help_text="In the payment's currency, tax included.")
    reason = forms.ChoiceField(choices=[(reason.value, reason.label) for reason in BY_A_PERSON])
    why = forms.CharField(
        max_length=300, help_text="The buyer and the provider read it.", widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean_payment(self) -> Payment:
        payment = Payment.objects.select_related("booking", "provider").filter(pk=self.cleaned_data["payment"]).first()
        if payment is None:
            raise forms.ValidationError("There is no such payment.")
        return payment


@admin.register(Refund)
class RefundAdmin(MadeHere):
    enter_title = "Give a part of a payment back"
    enter_button = "Give it back"
    enter_form = GiveBackForm
    list_display = [
        "requested_at",
        "money",
        "status",
        "reason",
        "payment_link",
        "booking_link",
        "requester_link",
        "attempts",
        "made_at",
        "failure",
    ]
    list_filter = ["status", "reason", "currency", "requested_at"]
    list_select_related = ["payment__booking", "requested_by"]
    search_fields = ["id", "stripe_refund", "payment__stripe_payment_intent", "payment__booking__id"]
    date_hierarchy = "requested_at"
    fields = [
        "id",
        "money",
        "status",
        "reason",
        "note",
        "payment_link",
        "booking_link",
        "requester_link",
        "requested_at",
        "attempts",
        "next_attempt_at",
        "made_at",
        "failure",
        "stripe_refund",
    ]
    actions = ["ask_again"]
    payment_link = linked("payment")
    booking_link = linked("payment__booking")
    requester_link = linked("requested_by")

    def listed(self, request: HttpRequest) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """The payment that is asked for, if there is one: how much of it can go back."""
        asked = request.POST.get("payment") or request.GET.get("payment") or ""
        try:
            payment = Payment.objects.select_related("booking").prefetch_related("refunds", "chargebacks").get(pk=asked)
        except (Payment.DoesNotExist, ValidationError):
            return (), ()
        amounts = (payment.amount_total, payment.refunded, payment.refundable)
        row = (link_to(payment, str(payment.pk)), link_to(payment.booking, payment.booking.reference))
        labels = ("payment", "booking", "amount", "given back, or on its way", "can go back")
        return labels, [(*row, *(formats.money(amount, payment.currency) for amount in amounts))]

    def make(self, request: HttpRequest, cleaned: dict[str, Any]) -> Refund | Decision:
        """Above what one administrator may give back alone: what a second one is asked to confirm."""
        by, now = cast(User, request.user), timezone.now()
        payment, amount = cleaned["payment"], cleaned["amount"]
        if not takes_two_to_give_back(payment, amount):
            return give_back(by=by, now=now, **cleaned)
        arguments = give_back_arguments(payment, amount=amount, reason=cleaned["reason"])
        return ask(action=GIVE_BACK, arguments=arguments, reason=cleaned["why"], by=by, now=now)

    @admin.action(description="Ask again for those that failed", permissions=["operate"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        def again(refund: Refund) -> None:
            ask_again(refund=refund, by=request.user, now=timezone.now())  # type: ignore[arg-type]

        for_each(self, request, list(queryset), again, done="asked for again")

    @admin.display(description="amount", ordering="amount")
    def money(self, refund: Refund) -> str:
        return formats.money(refund.amount, refund.currency)


class ProcessedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("done", "Processed"), ("waiting", "Waiting"), ("failing", "Tried, not processed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
        if self.value() == "done":
            return queryset.filter(processed_at__isnull=False)
        if self.value() == "waiting":
            return queryset.filter(processed_at=None)
        return queryset.filter(processed_at=None, attempts__gt=0) if self.value() == "failing" else queryset


@admin.register(WebhookEvent)
class WebhookEventAdmin(ShownAdmin):
    list_display = ["received_at", "type", "object_id", "processed_at", "attempts", "next_attempt_at", "error"]
    list_filter = [ProcessedFilter, "type", "received_at"]
    search_fields = ["event_id", "object_id", "type"]
    date_hierarchy = "received_at"
    fields = [
        "event_id",
        "type",
        "object_id",
        "payment_links",
        "received_at",
        "processed_at",
        "attempts",
        "next_attempt_at",
        "error",
        "payload",
    ]
    actions = ["process_again"]

    @admin.display(description="payments")
    def payment_links(self, event: WebhookEvent) -> SafeString | str:
        return links_to(Payment.objects.filter(stripe_payment_intent=event.object_id or None))

    @admin.action(description="Process again", permissions=["operate"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        def again(event: WebhookEvent) -> None:
            if not replay_event(event_pk=event.pk, now=timezone.now()):
                event.refresh_from_db()
                raise MarketplaceError(event.error or "It is being processed at this moment.")

        for_each(self, request, list(queryset), again, done="processed again")


@admin.register(SavedCard)
class SavedCardAdmin(ShownAdmin):
    list_display = ["label", "user_link", "is_default", "exp_month", "exp_year", "created_at", "removed_at"]
    list_filter = ["is_default", "brand", "created_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "last4", "stripe_payment_method"]
    date_hierarchy = "created_at"
    fields = [
        "user_link",
        "brand",
        "last4",
        "exp_month",
        "exp_year",
        "is_default",
        "created_at",
        "removed_at",
        "stripe_payment_method",
    ]
    user_link = linked("user")


@admin.register(StripeCustomer)
class StripeCustomerAdmin(ShownAdmin):
    list_display = ["stripe_id", "user_link", "created_at"]
    list_select_related = ["user"]
    search_fields = ["stripe_id", "user__email"]
    date_hierarchy = "created_at"
    fields = ["stripe_id", "user_link", "created_at"]
    user_link = linked("user")
