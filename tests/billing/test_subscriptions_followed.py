"""Following a plan at the processor: renewals, refunds, tax, and everything that can go wrong between the two of us."""

import random
from decimal import Decimal

import pytest

from billing.errors import PaymentError, ProcessorAway
from billing.gateway import client
from billing.models import Invoice, Subscription, SubscriptionPayment, Tier, WebhookEvent
from billing.services import plan_at_processor, plan_following, plan_payments, subscriptions
from billing.services.cards import customer_of
from billing.services.subscription_events import handle_subscription_event
from tests.people import make_billing_details, make_user
from tests.plans import PRICES, booked, books_agree, put_on_sale, row_of, tier_now
from tests.racing import twice_at_once
from tests.stripe_server.client import lost, said

pytestmark = pytest.mark.django_db


# Renewing ---------------------------------------------------------------------------------------------


def test_it_renews_each_month_with_a_payment_and_an_invoice_of_its_own(shop, buyer):
    shop.subscribe(buyer)
    for _ in range(3):
        shop.pass_time(days=31)
        shop.hear()
    assert SubscriptionPayment.objects.count() == Invoice.objects.count() == 4
    assert row_of(buyer).current_period_end > shop.now
    books_agree(shop, buyer)


def test_without_any_webhook_the_sweep_finds_the_renewal(shop, buyer):
    row = shop.subscribe(buyer)
    shop.pass_time(days=31)
    assert shop.sweep() == 1
    assert SubscriptionPayment.objects.count() == 2
    assert row_of(buyer).current_period_start == row.current_period_end
    assert shop.sweep() == 0
    books_agree(shop, buyer)


# Money back, and tax ----------------------------------------------------------------------------------


@pytest.mark.parametrize("heard", ["webhook", "sweep"])
def test_a_refund_from_the_dashboard_is_taken_over(shop, buyer, heard):
    shop.subscribe(buyer)
    payment = SubscriptionPayment.objects.get()
    shop.processor.dashboard_refund(payment.stripe_payment_intent, 2900)
    if heard == "webhook":
        shop.hear()
        shop.heard = 0
        shop.hear()
    else:
        shop.pass_time(days=2)
        shop.sweep()
    payment.refresh_from_db()
    assert payment.refunded == Decimal("29.00")
    assert booked("processor") == Decimal("50.00")
    assert booked("subscriptions") == Decimal("-42.02")
    assert Invoice.objects.filter(series="CN", subscription_payment=payment, gross=Decimal("29.00")).count() == 1
    books_agree(shop, buyer)


def _papers() -> list[str]:
    return sorted(Invoice.objects.values_list("series", flat=True))


def test_who_asked_before_a_refund_does_not_undo_it(shop, buyer):
    """A sweep asks; money is given back, and a webhook tells of it; then the sweep writes down what it heard."""
    row = shop.subscribe(buyer)
    payment = SubscriptionPayment.objects.get()
    shop.heard = len(shop.processor.events)

    def meanwhile(asked, answer):
        if answer and asked.path.startswith("/v1/charges"):  # the last that it asks
            shop.processor.fault = None
            shop.processor.dashboard_refund(payment.stripe_payment_intent, 2900)
            shop.hear()

    shop.processor.fault = meanwhile
    plan_following.synchronise_subscription(subscription=row, now=shop.now)
    assert shop.processor.fault is None
    payment.refresh_from_db()
    assert payment.refunded == 29
    assert _papers() == ["CN", "SUB"]
    books_agree(shop, buyer)


def test_who_asked_before_the_second_refund_does_not_undo_that(shop, buyer):
    """A webhook asks after the first; a second comes, and somebody else writes both down."""
    row = shop.subscribe(buyer)
    payment = SubscriptionPayment.objects.get()
    shop.processor.dashboard_refund(payment.stripe_payment_intent, 2900)

    def meanwhile(asked, answer):
        if answer and asked.path.startswith("/v1/refunds"):
            shop.processor.fault = None
            shop.processor.dashboard_refund(payment.stripe_payment_intent, 1000)
            plan_following.synchronise_subscription(subscription=row, now=shop.now)

    shop.processor.fault = meanwhile
    plan_payments.take_over_refunds(payment=payment, now=shop.now)
    assert shop.processor.fault is None
    payment.refresh_from_db()
    assert payment.refunded == 39
    assert _papers() == ["CN", "SUB"]
    books_agree(shop, buyer)


def test_a_business_elsewhere_in_the_eu_pays_the_net_price(shop, buyer):
    make_billing_details(buyer, name="Acme", country="FR", vat_id="FR40303265045")
    buyer = type(buyer).objects.get(pk=buyer.pk)
    row = shop.subscribe(buyer)
    assert row.monthly_price == Decimal("66.39")
    payment = SubscriptionPayment.objects.get()
    assert (payment.amount, payment.tax_kind, payment.tier) == (Decimal("66.39"), "reverse_charge", "professional")
    assert booked("tax") == 0
    row = subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now)
    assert (row.tier, row.monthly_price) == ("enterprise", Decimal("251.26"))
    row = subscriptions.change_plan(user=buyer, tier=Tier.INDIVIDUAL, now=shop.now)
    shop.pass_time(days=31)
    shop.hear()
    assert (row_of(buyer).tier, row_of(buyer).monthly_price) == ("individual", Decimal("15.97"))
    books_agree(shop, buyer)


def test_the_price_follows_the_tax_from_the_next_period_on(shop, buyer):
    shop.subscribe(buyer)
    make_billing_details(buyer, name="Acme", country="FR", vat_id="FR40303265045")
    shop.pass_time(days=2)
    shop.sweep()
    shop.pass_time(days=31)
    shop.hear()
    first, second = SubscriptionPayment.objects.order_by("paid_at")
    assert (first.amount, first.tax_kind) == (Decimal("79.00"), "standard")
    assert (second.amount, second.tax_kind) == (Decimal("66.39"), "reverse_charge")
    books_agree(shop, buyer)


def test_prices_in_yen_have_no_decimals(shop, buyer, settings):
    put_on_sale(settings, currency="jpy")
    row = shop.subscribe(buyer)
    assert (row.monthly_price, row.currency) == (Decimal("7900"), "JPY")
    assert SubscriptionPayment.objects.get().amount == 7900


# What does not arrive, arrives twice, arrives late -----------------------------------------------------


def test_events_may_come_in_any_order_and_any_number_of_times(shop, buyer):
    shop.subscribe(buyer, Tier.INDIVIDUAL)
    shop.pass_time(days=12)
    subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now)
    shop.pass_time(days=20)
    payment = SubscriptionPayment.objects.order_by("-amount").first()
    shop.processor.dashboard_refund(payment.stripe_payment_intent, 100)
    shop.pass_time(days=31)
    events = shop.news() * 2
    random.Random(4).shuffle(events)
    for event in events:
        handle_subscription_event(event, now=shop.now)
    row = row_of(buyer)
    assert (row.tier, row.status) == ("enterprise", "active")
    assert SubscriptionPayment.objects.count() == 4
    books_agree(shop, buyer)


def test_events_about_others_mean_nothing(shop, buyer, processor):
    shop.save_card(buyer)
    for payload in (
        {},
        {"data": {}},
        {"data": {"object": {"customer": None}}},
        {"data": {"object": {"customer": "x"}}},
    ):
        for kind in ("customer.subscription.updated", "invoice.paid", "charge.refunded", "refund.updated"):
            handle_subscription_event(WebhookEvent(event_id="e", type=kind, payload=payload), now=shop.now)
    assert not Subscription.objects.exists()


def test_a_plan_that_was_begun_in_the_dashboard_is_taken_over(shop, buyer, settings):
    card = shop.save_card(buyer)
    client().v1.subscriptions.create(
        {
            "customer": customer_of(buyer),
            "items": [{"price": settings.STRIPE_PRICES["individual"]}],
            "default_payment_method": card.stripe_payment_method,
        }
    )
    shop.hear()
    assert tier_now(buyer) == Tier.INDIVIDUAL
    books_agree(shop, buyer)


def test_a_new_price_is_seen_when_the_processor_tells_of_it(shop, buyer, settings):
    assert plan_at_processor.listed_price(Tier.INDIVIDUAL).amount == 19
    product = shop.processor.holds("price", id=settings.STRIPE_PRICES["individual"])[0]["product"]
    price = client().v1.prices.create(
        {"product": product, "currency": "eur", "unit_amount": 2500, "recurring": {"interval": "month"}}
    )
    settings.STRIPE_PRICES = settings.STRIPE_PRICES | {"individual": price.id}
    shop.hear()
    assert plan_at_processor.listed_price(Tier.INDIVIDUAL).amount == 25


# Crashes ----------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies."""


class CrashAt:
    """Dies at the so-manieth call, before it leaves or when its answer is back."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after, self.seen = number, after, 0

    def __call__(self, asked, answer):
        if (answer is not None) != self.after:
            return
        self.seen += 1
        if self.seen == self.number:
            raise Crash(f"{asked.method} {asked.path}")
        return


LIFE = {
    "subscribe": lambda user, shop: subscriptions.subscribe(
        user=user, tier=Tier.PROFESSIONAL, card=user.saved_cards.get(), now=shop.now
    ),
    "upgrade": lambda user, shop: subscriptions.change_plan(user=user, tier=Tier.ENTERPRISE, now=shop.now),
    "downgrade": lambda user, shop: subscriptions.change_plan(user=user, tier=Tier.INDIVIDUAL, now=shop.now),
    "cancel": lambda user, shop: subscriptions.cancel(user=user, now=shop.now),
    "cancel a downgrade": lambda user, shop: subscriptions.cancel(user=user, now=shop.now),
    "resume": lambda user, shop: subscriptions.resume(user=user, now=shop.now),
}
#: The plan before, the plan that is wanted at the end of it, and what was asked for before.
BEFORE = {
    "subscribe": (),
    "upgrade": ("subscribe",),
    "downgrade": ("subscribe",),
    "cancel": ("subscribe",),
    "cancel a downgrade": ("subscribe", "downgrade"),
    "resume": ("subscribe", "cancel"),
}
#: What the plan is, and becomes, when it was done.
DONE = {
    "subscribe": ("professional", ""),
    "upgrade": ("enterprise", ""),
    "downgrade": ("professional", "individual"),
    "cancel": ("professional", "free"),
    "cancel a downgrade": ("professional", "free"),
    "resume": ("professional", ""),
}
#: Where it dies before anything is asked, all is as it was.
NOTHING = {
    "subscribe": ("free", ""),
    "upgrade": ("professional", ""),
    "downgrade": ("professional", ""),
    "cancel": ("professional", ""),
    "cancel a downgrade": ("professional", "individual"),
    "resume": ("professional", "free"),
}
#: Paying less is carried out by the sweep; paying more is what it was, or done: never something else.
UNDONE = {"subscribe": [("free", "")], "upgrade": [("professional", "")], "resume": [("professional", "free")]}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", LIFE)
def test_a_process_may_die_at_any_call(shop, what, after):
    number = 0
    while True:
        number += 1
        user = make_user(f"{what.replace(' ', '.')}-{number}@example.com")
        shop.save_card(user)
        for step in BEFORE[what]:
            LIFE[step](user, shop)
        crash = shop.processor.fault = CrashAt(number, after=after)
        try:
            LIFE[what](user, shop)
        except Crash:
            pass
        finally:
            shop.processor.fault = None
        if crash.seen < number:
            break
        begun = Subscription.objects.filter(user=user).exclude(wanted_tier="").exists()
        shop.pass_time(minutes=3)
        shop.sweep()
        shop.pass_time(days=1, minutes=1)
        shop.sweep()
        row = row_of(user) if Subscription.objects.filter(user=user).exists() else Subscription(tier="free")
        fine = [DONE[what], *UNDONE.get(what, [])] if begun else [DONE[what], NOTHING[what]]
        assert (row.tier, row.next_tier) in fine, (number, crash)
        assert (row.wanted_tier, row.attempt) == ("", None)
    assert number > 3
    everybody = [row.user for row in Subscription.objects.select_related("user")]
    books_agree(shop, *everybody)
    assert all(len(shop.processor.holds("subscription", customer=customer_of(one))) <= 1 for one in everybody)


@pytest.mark.parametrize("fault", ["lost before", "lost after", "500 after", "429", "timeout then nothing"])
def test_a_bad_line_charges_once(shop, buyer, fault):
    shop.save_card(buyer)

    def bad(asked, answer):
        if asked.method != "POST" or not asked.path.startswith("/v1/subscriptions"):
            return None
        if fault == "lost before" and answer is None:
            raise lost()
        if fault in ("lost after", "timeout then nothing") and answer is not None:
            raise lost()
        if fault == "500 after" and answer is not None:
            return said(500)
        if fault == "429" and answer is None:
            return said(429, "invalid_request_error", code="rate_limit")
        return None

    shop.processor.fault = bad
    with pytest.raises(ProcessorAway):
        LIFE["subscribe"](buyer, shop)
    with pytest.raises(PaymentError, match=r"under way|already"):
        LIFE["subscribe"](buyer, shop)
    shop.processor.fault = None
    shop.pass_time(minutes=3)
    shop.sweep()
    if fault in ("lost before", "429"):
        assert (tier_now(buyer), shop.taken(buyer)) == (Tier.FREE, 0)
        LIFE["subscribe"](buyer, shop)
    assert (tier_now(buyer), shop.taken(buyer)) == (Tier.PROFESSIONAL, 7900)
    books_agree(shop, buyer)


def test_the_sweep_stops_where_the_processor_is_away(shop, buyer, other_buyer):
    shop.subscribe(buyer)
    shop.subscribe(other_buyer)
    shop.pass_time(days=31)

    def away(asked, answer):
        raise lost()

    shop.processor.fault = away
    assert shop.sweep() == 0
    shop.processor.fault = None
    shop.pass_time(days=1)
    assert shop.sweep() == 2
    books_agree(shop, buyer, other_buyer)


@pytest.mark.django_db(transaction=True)
def test_two_clicks_begin_one_plan(shop, buyer):
    card = shop.save_card(buyer)

    def click():
        try:
            return subscriptions.subscribe(user=buyer, tier=Tier.PROFESSIONAL, card=card, now=shop.now).status
        except PaymentError as error:
            return error.message

    twice_at_once(click)
    assert len(shop.processor.holds("subscription")) == 1
    shop.sweep()
    assert (tier_now(buyer), shop.taken(buyer)) == (Tier.PROFESSIONAL, 7900)
    books_agree(shop, buyer)


@pytest.mark.django_db(transaction=True)
def test_a_webhook_and_the_sweep_at_once_record_a_payment_once(shop, buyer):
    row = shop.subscribe(buyer)
    shop.pass_time(days=31)
    twice_at_once(lambda: plan_following.synchronise_subscription(subscription=row, now=shop.now))
    assert SubscriptionPayment.objects.count() == Invoice.objects.count() == 2
    books_agree(shop, buyer)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_books_agree(shop, buyer, seed):
    """Months of clicking, declines, refunds, crashes and lost or shuffled webhooks."""
    chance = random.Random(seed)
    method = shop.save_card(buyer)
    steps = [
        lambda: subscriptions.subscribe(user=buyer, tier=chance.choice(list(PRICES)), card=method, now=shop.now),
        lambda: subscriptions.change_plan(user=buyer, tier=chance.choice(list(Tier)), now=shop.now),
        lambda: subscriptions.resume(user=buyer, now=shop.now),
        lambda: subscriptions.use_card(user=buyer, card=method, now=shop.now),
        lambda: shop.processor.bank_changes_its_mind(
            method.stripe_payment_method, charging=chance.choice(["", "", "insufficient_funds"])
        ),
        lambda: [
            shop.processor.dashboard_refund(payment.stripe_payment_intent, 100)
            for payment in SubscriptionPayment.objects.filter(refunded=0)[:1]
        ],
    ]
    for _ in range(60):
        if chance.random() < 0.2:
            shop.processor.fault = CrashAt(chance.randint(1, 6), after=chance.random() < 0.5)
        try:
            chance.choice(steps)()
        except (PaymentError, Crash):
            pass
        finally:
            shop.processor.fault = None
        shop.pass_time(hours=chance.choice([0, 0.01, 1, 30, 300]))
        news = [event for event in shop.news() * 2 if chance.random() < 0.4]
        chance.shuffle(news)
        for event in news:
            handle_subscription_event(event, now=shop.now)
        if chance.random() < 0.5:
            shop.sweep()
    for _ in range(3):
        shop.pass_time(days=1, minutes=10)
        shop.sweep()
    live = [
        one for one in shop.processor.holds("subscription") if one["status"] not in ("canceled", "incomplete_expired")
    ]
    assert len(live) <= 1, seed
    books_agree(shop, buyer)
    row = row_of(buyer)
    assert row.status == (live[0]["status"] if live else row.status)
    assert (row.attempt is None) or row.wanted_tier
