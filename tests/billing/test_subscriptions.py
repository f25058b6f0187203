"""What a person asks for: a plan begun, changed, ended, and paid for when it is overdue."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Notification, OutgoingMail
from billing.errors import CardDeclined, PaymentError
from billing.models import Invoice, Subscription, SubscriptionPayment, Tier
from billing.services import plan_following, subscriptions
from tests.plans import Shop, booked, books_agree, row_of, tier_now
from tests.stripe_server import cards

pytestmark = pytest.mark.django_db


def titles(user) -> list[str]:
    return list(Notification.objects.filter(user=user).order_by("at").values_list("title", flat=True))


# Beginning --------------------------------------------------------------------------------------------


def test_who_never_chose_a_plan_is_on_the_free_one(buyer):
    assert tier_now(buyer) == Tier.FREE
    assert not Subscription.objects.exists()


def test_a_plan_begins_with_its_first_month_paid(shop, buyer):
    row = shop.subscribe(buyer)
    assert (row.tier, row.status, row.next_tier, row.wanted_tier) == ("professional", "active", "", "")
    assert (row.monthly_price, row.currency) == (Decimal("79.00"), "EUR")
    assert row.current_period_start == shop.now
    assert tier_now(buyer) == Tier.PROFESSIONAL
    payment = SubscriptionPayment.objects.get()
    assert (payment.amount, payment.tier, payment.tax_kind) == (Decimal("79.00"), "professional", "standard")
    assert (payment.period_start, payment.period_end) == (row.current_period_start, row.current_period_end)
    assert booked("processor") == Decimal("79.00")
    assert booked("subscriptions") == Decimal("-66.39")
    assert booked("tax") == Decimal("-12.61")
    assert Invoice.objects.get().number.startswith("SUB-")
    assert OutgoingMail.objects.filter(user=buyer, subject="Your plan: Professional").count() == 1
    books_agree(shop, buyer)


def test_a_declined_card_begins_nothing(shop, buyer):
    with pytest.raises(CardDeclined, match="declined"):
        shop.subscribe(buyer, number=cards.DECLINED_WHEN_CHARGED)
    row = row_of(buyer)
    assert (tier_now(buyer), row.wanted_tier, row.attempt) == (Tier.FREE, "", None)
    assert "declined" in row.failure
    assert [one["status"] for one in shop.processor.holds("subscription")] in (["canceled"], ["incomplete_expired"])
    assert {one["status"] for one in shop.processor.holds("invoice")} == {"void"}
    row = shop.subscribe(buyer)
    assert (row.status, row.failure) == ("active", "")
    books_agree(shop, buyer)


def test_the_bank_may_want_to_see_the_person(shop, buyer):
    row = shop.subscribe(buyer, number=cards.ALWAYS_AUTHENTICATE)
    assert (row.status, row.needs_authentication, row.wanted_tier) == ("incomplete", True, "professional")
    assert tier_now(buyer) == Tier.FREE
    secret = subscriptions.secret_to_authenticate(row)
    shop.processor.authenticate(secret.split("_secret_")[0])
    row = plan_following.synchronise_subscription(subscription=row, now=shop.now)
    assert (row.status, row.needs_authentication, row.wanted_tier) == ("active", False, "")
    assert tier_now(buyer) == Tier.PROFESSIONAL
    books_agree(shop, buyer)


def test_who_fails_the_bank_begins_nothing_and_may_try_again(shop, buyer):
    row = shop.subscribe(buyer, number=cards.ALWAYS_AUTHENTICATE)
    intent = subscriptions.secret_to_authenticate(row).split("_secret_")[0]
    shop.processor.authenticate(intent, success=False)
    shop.hear()
    assert (tier_now(buyer), row_of(buyer).wanted_tier) == (Tier.FREE, "")
    assert shop.subscribe(buyer).status == "active"
    books_agree(shop, buyer)


def test_who_leaves_the_bank_open_may_choose_anew_and_pays_once(shop, buyer):
    row = shop.subscribe(buyer, number=cards.ALWAYS_AUTHENTICATE)
    intent = subscriptions.secret_to_authenticate(row).split("_secret_")[0]
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    assert (row.tier, row.status) == ("individual", "active")
    with pytest.raises(ValueError, match="canceled"):
        shop.processor.authenticate(intent)
    assert shop.taken(buyer) == 1900
    books_agree(shop, buyer)


def test_what_was_never_authenticated_is_forgotten_after_a_day(shop, buyer):
    shop.subscribe(buyer, number=cards.ALWAYS_AUTHENTICATE)
    shop.pass_time(days=1)
    shop.sweep()
    row = row_of(buyer)
    assert (row.status, row.tier, row.wanted_tier, row.needs_authentication) == (
        "incomplete_expired",
        "free",
        "",
        False,
    )


def test_nobody_has_two_plans(shop, buyer):
    shop.subscribe(buyer)
    with pytest.raises(PaymentError, match="already"):
        shop.subscribe(buyer, Tier.ENTERPRISE)
    assert len(shop.processor.holds("subscription")) == 1


def test_a_plan_without_a_price_is_not_on_sale(shop, buyer, settings):
    settings.STRIPE_PRICES = settings.STRIPE_PRICES | {"enterprise": ""}
    with pytest.raises(PaymentError, match="not on sale"):
        shop.subscribe(buyer, Tier.ENTERPRISE)


def test_a_price_that_does_not_exist_is_not_on_sale(shop, buyer, settings):
    settings.STRIPE_PRICES = settings.STRIPE_PRICES | {"enterprise": "price_none"}
    with pytest.raises(PaymentError, match="not on sale"):
        shop.subscribe(buyer, Tier.ENTERPRISE)
    assert shop.subscribe(buyer).status == "active"


def test_nobody_pays_with_another_persons_card(shop, buyer, other_buyer):
    card = shop.save_card(other_buyer)
    with pytest.raises(PaymentError, match="your saved cards"):
        subscriptions.subscribe(user=buyer, tier=Tier.INDIVIDUAL, card=card, now=shop.now)


# Changing ---------------------------------------------------------------------------------------------


def test_an_upgrade_takes_place_at_once_for_the_difference_that_was_shown(shop, buyer):
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    shop.pass_time(days=10)
    quote = subscriptions.quote_upgrade(subscription=row, tier=Tier.PROFESSIONAL, now=shop.now)
    assert Decimal("30") < quote.today < Decimal("60")
    assert quote.monthly == Decimal("79.00")
    shop.pass_time(minutes=5)
    row = subscriptions.change_plan(user=buyer, tier=Tier.PROFESSIONAL, now=shop.now, at=quote.at)
    assert (row.tier, row.status, row.monthly_price) == ("professional", "active", Decimal("79.00"))
    assert SubscriptionPayment.objects.order_by("-amount").values_list("amount", "tier")[0] == (
        quote.today,
        "professional",
    )
    shop.pass_time(days=22)
    shop.hear()
    assert SubscriptionPayment.objects.filter(amount=Decimal("79.00")).count() == 1
    books_agree(shop, buyer)


def test_a_declined_upgrade_leaves_the_plan_as_it_was(shop, buyer):
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="insufficient_funds")
    shop.pass_time(days=10)
    with pytest.raises(CardDeclined, match="insufficient funds"):
        subscriptions.change_plan(user=buyer, tier=Tier.PROFESSIONAL, now=shop.now)
    row = row_of(buyer)
    assert (row.tier, row.status, row.wanted_tier) == ("individual", "active", "")
    (remote,) = shop.processor.holds("subscription")
    assert remote["pending_update"] is None
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="")
    assert subscriptions.change_plan(user=buyer, tier=Tier.PROFESSIONAL, now=shop.now).tier == "professional"
    books_agree(shop, buyer)


def test_an_upgrade_waits_for_the_bank(shop, buyer):
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], on_session=True, off_session=True)
    row = subscriptions.change_plan(user=buyer, tier=Tier.PROFESSIONAL, now=shop.now + timedelta(seconds=1))
    assert (row.tier, row.wanted_tier, row.needs_authentication) == ("individual", "professional", True)
    shop.processor.authenticate(subscriptions.secret_to_authenticate(row).split("_secret_")[0])
    shop.hear()
    row = row_of(buyer)
    assert (row.tier, row.wanted_tier, row.needs_authentication) == ("professional", "", False)
    books_agree(shop, buyer)


def test_an_upgrade_that_is_left_open_at_the_bank_lapses(shop, buyer):
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], on_session=True, off_session=True)
    subscriptions.change_plan(user=buyer, tier=Tier.PROFESSIONAL, now=shop.now)
    shop.pass_time(days=1)
    shop.sweep()
    row = row_of(buyer)
    assert (row.tier, row.wanted_tier, row.needs_authentication) == ("individual", "", False)


def test_a_downgrade_waits_for_the_end_of_the_period(shop, buyer):
    row = shop.subscribe(buyer)
    row = subscriptions.change_plan(user=buyer, tier=Tier.INDIVIDUAL, now=shop.now)
    assert (row.tier, row.next_tier, row.monthly_price) == ("professional", "individual", Decimal("79.00"))
    assert shop.taken(buyer) == 7900
    shop.pass_time(days=31)
    shop.hear()
    row = row_of(buyer)
    assert (row.tier, row.next_tier, row.monthly_price) == ("individual", "", Decimal("19.00"))
    assert shop.taken(buyer) == 7900 + 1900
    shop.pass_time(days=31)
    shop.hear()
    assert (row_of(buyer).tier, shop.taken(buyer)) == ("individual", 7900 + 2 * 1900)
    books_agree(shop, buyer)


def test_minds_change_about_what_comes_next(shop, buyer):
    shop.subscribe(buyer, Tier.ENTERPRISE)

    def next_after(wanted):
        return subscriptions.change_plan(user=buyer, tier=wanted, now=shop.now).next_tier

    assert next_after(Tier.PROFESSIONAL) == "professional"
    assert next_after(Tier.INDIVIDUAL) == "individual"
    assert next_after(Tier.FREE) == "free"
    assert next_after(Tier.PROFESSIONAL) == "professional"
    assert next_after(Tier.ENTERPRISE) == ""
    assert next_after(Tier.FREE) == "free"
    assert next_after(Tier.ENTERPRISE) == ""
    shop.pass_time(days=31)
    shop.hear()
    assert (row_of(buyer).tier, shop.taken(buyer)) == ("enterprise", 2 * 29900)


def test_who_is_about_to_go_down_takes_that_back_before_going_up(shop, buyer):
    shop.subscribe(buyer, Tier.PROFESSIONAL)
    subscriptions.change_plan(user=buyer, tier=Tier.INDIVIDUAL, now=shop.now)
    with pytest.raises(PaymentError, match="Take that back first"):
        subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now)
    subscriptions.resume(user=buyer, now=shop.now)
    assert subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now).tier == "enterprise"


def test_up_again_after_a_downgrade_took_place(shop, buyer):
    shop.subscribe(buyer, Tier.PROFESSIONAL)
    subscriptions.change_plan(user=buyer, tier=Tier.INDIVIDUAL, now=shop.now)
    shop.pass_time(days=31)
    shop.hear()
    row = subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now)
    assert (row.tier, row.next_tier) == ("enterprise", "")
    shop.pass_time(days=31)
    shop.hear()
    assert row_of(buyer).tier == "enterprise"
    books_agree(shop, buyer)


# Ending -----------------------------------------------------------------------------------------------


def test_a_canceled_plan_lasts_as_long_as_it_is_paid_for(shop, buyer):
    shop.subscribe(buyer)
    row = subscriptions.cancel(user=buyer, now=shop.now)
    assert (row.status, row.tier, row.next_tier) == ("active", "professional", "free")
    shop.pass_time(days=31)
    shop.hear()
    row = row_of(buyer)
    assert (row.status, row.tier, row.next_tier) == ("canceled", "free", "")
    assert tier_now(buyer) == Tier.FREE
    assert shop.taken(buyer) == 7900
    assert "Your plan Professional has ended." in titles(buyer)
    assert "You asked for that." in Notification.objects.get(title="Your plan Professional has ended.").text


def test_a_cancellation_can_be_taken_back(shop, buyer):
    shop.subscribe(buyer)
    subscriptions.cancel(user=buyer, now=shop.now)
    row = subscriptions.resume(user=buyer, now=shop.now)
    assert row.next_tier == ""
    shop.pass_time(days=31)
    shop.hear()
    assert shop.taken(buyer) == 2 * 7900


def test_who_has_left_may_come_back(shop, buyer):
    shop.subscribe(buyer)
    subscriptions.cancel(user=buyer, now=shop.now)
    shop.pass_time(days=31)
    shop.hear()
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    assert (row.tier, row.status, tier_now(buyer)) == ("individual", "active", Tier.INDIVIDUAL)
    books_agree(shop, buyer)


def test_without_a_plan_there_is_nothing_to_change(shop, buyer):
    for attempt in (
        lambda: subscriptions.cancel(user=buyer, now=shop.now),
        lambda: subscriptions.resume(user=buyer, now=shop.now),
        lambda: subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now),
        lambda: subscriptions.use_card(user=buyer, card=shop.save_card(buyer), now=shop.now),
    ):
        with pytest.raises(PaymentError, match="no plan"):
            attempt()


# Overdue ----------------------------------------------------------------------------------------------


def overdue(shop: Shop, user) -> Subscription:
    row = shop.subscribe(user)
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="insufficient_funds")
    shop.pass_time(days=31)
    shop.hear()
    return row_of(user)


def test_a_failed_renewal_is_told_and_the_plan_goes_on_for_now(shop, buyer):
    row = overdue(shop, buyer)
    assert (row.status, tier_now(buyer)) == ("past_due", Tier.PROFESSIONAL)
    assert "insufficient funds" in row.failure
    mail = OutgoingMail.objects.get(key__startswith="plan-overdue:")
    assert "€79.00" in mail.text
    assert "/billing/plan/pay/" in mail.text
    shop.pass_time(days=3)
    shop.hear()
    assert OutgoingMail.objects.filter(key__startswith="plan-overdue:").count() == 1


def test_another_card_pays_what_is_overdue(shop, buyer):
    overdue(shop, buyer)
    row = subscriptions.use_card(user=buyer, card=shop.save_card(buyer), now=shop.now)
    assert (row.status, row.failure) == ("active", "")
    assert shop.taken(buyer) == 2 * 7900
    assert "Your plan Professional is paid." in titles(buyer)
    shop.pass_time(days=31)
    shop.hear()
    assert shop.taken(buyer) == 3 * 7900
    books_agree(shop, buyer)


def test_another_card_that_is_declined_leaves_it_overdue(shop, buyer):
    overdue(shop, buyer)
    with pytest.raises(CardDeclined):
        subscriptions.use_card(user=buyer, card=shop.save_card(buyer, cards.DECLINED_WHEN_CHARGED), now=shop.now)
    assert row_of(buyer).status == "past_due"


def test_another_card_that_the_bank_wants_to_see(shop, buyer):
    overdue(shop, buyer)
    row = subscriptions.use_card(user=buyer, card=shop.save_card(buyer, cards.ALWAYS_AUTHENTICATE), now=shop.now)
    assert (row.status, row.needs_authentication) == ("past_due", True)
    shop.processor.authenticate(subscriptions.secret_to_authenticate(row).split("_secret_")[0])
    shop.hear()
    assert (row_of(buyer).status, row_of(buyer).needs_authentication) == ("active", False)
    books_agree(shop, buyer)


def test_the_processors_own_next_try_may_succeed(shop, buyer):
    row = overdue(shop, buyer)
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="")
    shop.pass_time(days=4)
    shop.sweep()
    assert row_of(buyer).status == "active"
    books_agree(shop, buyer)


@pytest.mark.parametrize("after", ["canceled", "unpaid"])
def test_when_the_processor_gives_up_the_person_is_on_the_free_plan(shop, buyer, after):
    shop.processor.rules.after_dunning = after
    overdue(shop, buyer)
    shop.pass_time(days=8)
    shop.hear()
    assert (row_of(buyer).status, tier_now(buyer)) == (after, Tier.FREE)
    assert "could not be charged" in Notification.objects.get(title="Your plan Professional has ended.").text
    row = shop.subscribe(buyer, Tier.INDIVIDUAL)
    assert (row.status, tier_now(buyer)) == ("active", Tier.INDIVIDUAL)
    books_agree(shop, buyer)


def test_who_cancels_what_is_overdue_owes_nothing(shop, buyer):
    overdue(shop, buyer)
    row = subscriptions.cancel(user=buyer, now=shop.now)
    assert (row.status, row.tier) == ("canceled", "free")
    shop.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="")
    shop.pass_time(days=40)
    assert shop.taken(buyer) == 7900


def test_an_overdue_plan_is_paid_before_it_is_changed(shop, buyer):
    overdue(shop, buyer)
    with pytest.raises(PaymentError, match="Pay it first"):
        subscriptions.change_plan(user=buyer, tier=Tier.ENTERPRISE, now=shop.now)
