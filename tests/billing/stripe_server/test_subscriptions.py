"""The small Stripe of the tests: subscriptions, their invoices, and the schedules that change them later."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.billing.stripe_server.asking import NOON, types
from tests.stripe_server import cards
from tests.stripe_server.world import Rules


@pytest.fixture
def small(api) -> str:
    return price(api, 1900)


@pytest.fixture
def big(api) -> str:
    return price(api, 4900)


def price(api, amount: int) -> str:
    product = api.products.create({"name": f"Plan for {amount}"})
    recurring = {"interval": "month"}
    return api.prices.create(
        {"currency": "eur", "unit_amount": amount, "recurring": recurring, "product": product.id}
    ).id


def subscribe(api, server, customer, plan, number=cards.GOOD, **more):
    card = server.card(number, customer=customer)
    wanted = {"customer": customer, "items": [{"price": plan}], "default_payment_method": card}
    expand = ["latest_invoice.payments", "latest_invoice.confirmation_secret"]
    return api.subscriptions.create({**wanted, "expand": expand, **more})


def ends(subscription) -> datetime:
    return datetime.fromtimestamp(subscription["items"].data[0].current_period_end, UTC)


def taken(api, subscription) -> list[int]:
    return [invoice.amount_paid for invoice in api.invoices.list({"subscription": subscription.id}).data]


def test_a_subscription_is_paid_and_renewed_on_its_day(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert (made.status, made.latest_invoice.status) == ("active", "paid")
    assert made.latest_invoice.payments.data[0].status == "paid"
    assert ends(made) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    server.advance(datetime(2026, 4, 1, tzinfo=UTC))
    made = api.subscriptions.retrieve(made.id)
    assert ends(made) == datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert taken(api, made) == [1900, 1900, 1900]


@pytest.mark.parametrize("number", [cards.DECLINED_WHEN_CHARGED, cards.ALWAYS_AUTHENTICATE])
def test_a_first_payment_that_fails_leaves_it_incomplete_until_paid(server, api, customer, small, number):
    made = subscribe(api, server, customer, small, number)
    assert made.status == "incomplete"
    secret = made.latest_invoice.confirmation_secret.client_secret
    waiting = secret.split("_secret_")[0]
    if number == cards.ALWAYS_AUTHENTICATE:
        server.authenticate(waiting)
    else:
        server.pay_in_browser(waiting)
    assert api.subscriptions.retrieve(made.id).status == "active"


def test_an_incomplete_subscription_expires_after_23_hours(server, api, customer, small):
    made = subscribe(api, server, customer, small, payment_behavior="default_incomplete")
    assert (made.status, made.latest_invoice.status) == ("incomplete", "open")
    server.advance(NOON + timedelta(hours=23))
    made = api.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
    assert (made.status, made.latest_invoice.status) == ("incomplete_expired", "void")


def test_error_if_incomplete_leaves_nothing_behind(server, api, customer, small):
    with pytest.raises(stripe.CardError):
        subscribe(api, server, customer, small, cards.DECLINED_WHEN_CHARGED, payment_behavior="error_if_incomplete")
    assert api.subscriptions.list({"customer": customer, "status": "all"}).data == []


def test_an_upgrade_charges_the_difference_for_the_rest(server, api, customer, small, big):
    made = subscribe(api, server, customer, small)
    halfway = NOON + timedelta(days=14)
    server.advance(halfway)
    item = {"id": made["items"].data[0].id, "price": big}
    at = {"proration_behavior": "always_invoice", "proration_date": int(halfway.timestamp())}
    preview = api.invoices.create_preview(
        {"customer": customer, "subscription": made.id, "subscription_details": {"items": [item], **at}}
    )
    assert (preview.total, [line.amount for line in preview.lines.data]) == (1500, [-950, 2450])
    changed = api.subscriptions.update(made.id, {"items": [item], "payment_behavior": "pending_if_incomplete", **at})
    assert (changed["items"].data[0].price.id, changed.pending_update) == (big, None)
    assert taken(api, made) == [1500, 1900]


def test_an_upgrade_that_is_not_paid_waits_and_is_dropped_with_its_invoice(server, api, customer, small, big):
    made = subscribe(api, server, customer, small)
    server.advance(NOON + timedelta(days=14))
    server.bank_changes_its_mind(made.default_payment_method, charging="insufficient_funds")
    item = {"id": made["items"].data[0].id, "price": big}
    wanted = {"items": [item], "payment_behavior": "pending_if_incomplete", "proration_behavior": "always_invoice"}
    changed = api.subscriptions.update(made.id, wanted)
    assert (changed["items"].data[0].price.id, changed.status) == (small, "active")
    assert changed.pending_update.subscription_items[0].price.id == big
    with pytest.raises(stripe.CardError):
        api.invoices.pay(changed.latest_invoice)
    api.invoices.void_invoice(changed.latest_invoice)
    assert api.subscriptions.retrieve(made.id).pending_update is None
    again = api.subscriptions.update(made.id, wanted)
    card = server.card(customer=customer)
    assert api.invoices.pay(again.latest_invoice, {"payment_method": card, "off_session": False}).status == "paid"
    assert api.subscriptions.retrieve(made.id)["items"].data[0].price.id == big


def test_a_downgrade_waits_for_the_end_of_the_period(server, api, customer, small, big):
    made = subscribe(api, server, customer, big)
    item = made["items"].data[0]
    schedule = api.subscription_schedules.create({"from_subscription": made.id})
    none = {"proration_behavior": "none"}
    now = {"items": [{"price": big}], "start_date": item.current_period_start, "end_date": item.current_period_end}
    duration = {"interval": "month", "interval_count": 1}
    then = {"items": [{"price": small}], "start_date": item.current_period_end, "duration": duration}
    api.subscription_schedules.update(schedule.id, {"phases": [{**now, **none}, {**then, **none}]})
    seen = api.subscription_schedules.retrieve(schedule.id, {"expand": ["phases.items.price"]})
    assert seen.phases[1]["items"][0]["price"].unit_amount == 1900
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
        api.subscriptions.update(made.id, {"cancel_at_period_end": True})
    server.advance(NOON + timedelta(days=29))
    made = api.subscriptions.retrieve(made.id)
    assert (made["items"].data[0].price.id, taken(api, made)) == (small, [1900, 4900])
    server.advance(NOON + timedelta(days=70))
    assert api.subscriptions.retrieve(made.id).schedule is None
    assert api.subscription_schedules.retrieve(schedule.id).status == "released"


def test_a_released_schedule_changes_nothing(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    schedule = api.subscription_schedules.create({"from_subscription": made.id})
    assert api.subscription_schedules.release(schedule.id).released_subscription == made.id
    assert api.subscriptions.retrieve(made.id).schedule is None
    with pytest.raises(stripe.InvalidRequestError):
        api.subscription_schedules.release(schedule.id)


def test_it_ends_with_the_period_unless_that_is_taken_back(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert api.subscriptions.update(made.id, {"cancel_at_period_end": True}).cancel_at_period_end
    assert api.subscriptions.update(made.id, {"cancel_at_period_end": False}).cancel_at is None
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "active"
    api.subscriptions.update(made.id, {"cancel_at_period_end": True})
    server.advance(NOON + timedelta(days=70))
    assert api.subscriptions.retrieve(made.id).status == "canceled"
    assert taken(api, made) == [1900, 1900]


@pytest.mark.parametrize("after", ["canceled", "unpaid"])
def test_a_failed_renewal_is_tried_again_and_then_given_up(server, api, customer, small, after):
    server.rules = Rules(after_dunning=after)
    made = subscribe(api, server, customer, small)
    server.bank_changes_its_mind(made.default_payment_method, charging="insufficient_funds")
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "past_due"
    server.advance(NOON + timedelta(days=40))
    assert api.subscriptions.retrieve(made.id).status == after
    assert Counter(types(server))["invoice.payment_failed"] == 4
    assert ("customer.subscription.deleted" in types(server)) == (after == "canceled")


def test_another_card_saves_a_subscription_that_is_past_due(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    server.bank_changes_its_mind(made.default_payment_method, off_session=True)
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "past_due"
    assert "invoice.payment_action_required" in types(server)
    api.subscriptions.update(made.id, {"default_payment_method": server.card(customer=customer)})
    server.advance(NOON + timedelta(days=32))
    assert api.subscriptions.retrieve(made.id).status == "active"
    assert taken(api, made) == [1900, 1900]


def test_canceling_at_once_ends_it(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert api.subscriptions.cancel(made.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        api.subscriptions.cancel(made.id)
    assert api.subscriptions.list({"customer": customer}).data == []
