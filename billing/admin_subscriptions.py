"""Plans in the administration: looked at, never edited. What can be done is asking the processor."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing.models import Subscription, SubscriptionPayment
from billing.services.plan_following import synchronise_subscription
from billing.services.plan_payments import take_over_refunds
from common import formats
from common.administration import ShownAdmin, ShownInline, for_each, linked


class SubscriptionPaymentInline(ShownInline):
    model = SubscriptionPayment
    fields = ["paid_at", "tier", "amount", "currency", "refunded", "period_start", "period_end", "stripe_invoice"]


@admin.register(Subscription)
class SubscriptionAdmin(ShownAdmin):
    list_display = [
        "user_link",
        "tier",
        "status",
        "price",
        "current_period_end",
        "next_tier",
        "wanted_tier",
        "needs_authentication",
        "asked_at",
        "failure",
    ]
    list_filter = ["status", "tier", "next_tier", "wanted_tier", "needs_authentication", "currency"]
    list_select_related = ["user"]
    search_fields = ["id", "stripe_subscription_id", "stripe_customer_id", "user__email", "user__name"]
    date_hierarchy = "created_at"
    inlines = [SubscriptionPaymentInline]
    fields = [
        "id",
        "user_link",
        "tier",
        "status",
        "price",
        "current_period_start",
        "current_period_end",
        "next_tier",
        "wanted_tier",
        "wanted_at",
        "attempt",
        "needs_authentication",
        "failure",
        "asked_at",
        "created_at",
        "updated_at",
        "cancelled_at",
        "stripe_subscription_id",
        "stripe_customer_id",
        "stripe_schedule_id",
        "billing_details",
    ]
    actions = ["ask_the_processor"]
    user_link = linked("user")

    @admin.display(description="a month", ordering="monthly_price")
    def price(self, subscription: Subscription) -> str:
        return formats.money(subscription.monthly_price, subscription.currency)

    @admin.action(description="Ask the processor", permissions=["operate"])
    def ask_the_processor(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        def ask(subscription: Subscription) -> None:
            synchronise_subscription(subscription=subscription, now=timezone.now())

        for_each(self, request, list(queryset), ask, done="asked after at the processor")


@admin.register(SubscriptionPayment)
class SubscriptionPaymentAdmin(ShownAdmin):
    list_display = ["paid_at", "user_link", "tier", "money", "given_back", "period_start", "period_end", "tax_kind"]
    list_filter = ["tier", "currency", "tax_kind", "paid_at"]
    list_select_related = ["subscription__user"]
    search_fields = ["id", "stripe_invoice", "stripe_payment_intent", "subscription__user__email"]
    date_hierarchy = "paid_at"
    fields = [
        "id",
        "subscription_link",
        "user_link",
        "tier",
        "money",
        "given_back",
        "disputes",
        "tax_kind",
        "tax_rate",
        "period_start",
        "period_end",
        "paid_at",
        "stripe_invoice",
        "stripe_payment_intent",
    ]
    actions = ["ask_the_processor"]
    subscription_link = linked("subscription")
    user_link = linked("subscription__user")

    @admin.display(description="amount", ordering="amount")
    def money(self, payment: SubscriptionPayment) -> str:
        return formats.money(payment.amount, payment.currency)

    @admin.display(description="given back", ordering="refunded")
    def given_back(self, payment: SubscriptionPayment) -> str:
        return formats.money(payment.given_back, payment.currency)

    @admin.action(description="Ask the processor for refunds", permissions=["operate"])
    def ask_the_processor(self, request: HttpRequest, queryset: QuerySet[SubscriptionPayment]) -> None:
        def ask(payment: SubscriptionPayment) -> None:
            take_over_refunds(payment=payment, now=timezone.now())

        for_each(self, request, list(queryset.exclude(stripe_payment_intent=None)), ask, done="asked after")
