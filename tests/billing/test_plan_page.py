"""The plans side by side, and what each change costs before it is made."""

from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.urls import reverse

from billing.models import Subscription, SubscriptionPayment, Tier
from billing.plans import PLANS, Move, move_to, plan_of
from billing.views.plan import a_month_after
from tests.people import make_billing_details
from tests.stripe_server import cards
from tests.stripe_server.client import lost, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, buyer):
    client.force_login(buyer)

    class Page:
        def get(self, name="plan", *args):
            return client.get(reverse(name, args=args))

        def confirm(self, tier, **fields):
            """As the form on the page would be sent, with what it holds."""
            shown = client.get(reverse("plan_change", args=[tier]))
            values = {"monthly": str(shown.context["monthly"])}
            if shown.context.get("at"):
                values["at"] = shown.context["at"]
            if shown.context.get("cards"):
                values["card"] = str(shown.context["cards"][0].pk)
            return client.post(reverse("plan_change", args=[tier]), values | fields)

        def post(self, name, *args, **fields):
            return client.post(reverse(name, args=args), fields)

    return Page()


@pytest.fixture
def live(shop, now):
    """The processor's clock stands where that of the views does."""
    shop.processor.now = None
    return shop


def goes_to(response, name, *args):
    assert response.status_code == 302, response.content.decode()[-3000:]
    return urlsplit(response["Location"]).path == reverse(name, args=args)


# What is there ----------------------------------------------------------------------------------------


def test_where_no_price_is_configured_that_is_said(page, settings):
    settings.STRIPE_PRICES = {}
    answer = page.get()
    assert "Plans are not on sale on this server." in answer.text
    assert answer.text.count("Not on sale here") == 3
    assert "Choose Individual" not in answer.text
    assert goes_to(page.get("plan_change", "professional"), "plan")
    answer = page.post("plan_change", "professional")
    assert answer.status_code == 422
    assert "not on sale here" in answer.text
    assert not Subscription.objects.exists()


def test_the_four_plans_with_what_their_prices_say(page, live):
    text = page.get().text
    for words in ("Free", "€19.00", "€79.00", "€299.00", "Includes 19", "1 portfolio", "Unlimited portfolios"):
        assert words in text
    assert text.count("Choose ") == 3
    assert "your plan" in text


def test_a_business_abroad_sees_the_price_that_it_pays(page, live, buyer):
    make_billing_details(buyer, name="Acme", country="FR", vat_id="FR40303265045")
    text = page.get().text
    assert "€66.39" in text
    assert "Reverse charge" in text


def test_the_processor_may_be_away(page, live):
    cache.clear()

    def away(asked, answer):
        raise lost()

    live.processor.fault = away
    answer = page.get()
    assert answer.status_code == 200
    assert "prices cannot be shown" in answer.text
    assert page.get("plan_change", "professional").status_code == 503
    live.processor.fault = None


def test_there_is_no_such_plan(page, live):
    assert page.get("plan_change", "gold").status_code == 404


# Changing ---------------------------------------------------------------------------------------------


def test_who_has_no_card_is_sent_to_keep_one(page, live):
    answer = page.get("plan_change", "professional")
    assert "There is no card to charge yet." in answer.text
    assert reverse("card_list") in answer.text
    assert page.post("plan_change", "professional", monthly="79.00").status_code == 422


def test_subscribing_says_what_is_charged_today_and_next(page, live, buyer):
    live.save_card(buyer)
    text = page.get("plan_change", "professional").text
    assert text.count("€79.00") == 3  # today, each month, on the button
    assert goes_to(page.confirm("professional"), "plan")
    answer = page.get()
    assert "Paid. Your plan is Professional." in answer.text
    assert "it renews for a month" in answer.text
    assert "Visa 4242" in answer.text
    assert SubscriptionPayment.objects.get().invoices.get().number in answer.text


def test_a_price_that_has_changed_since_is_shown_again(page, live, buyer):
    live.save_card(buyer)
    answer = page.confirm("professional", monthly="9.00")
    assert answer.status_code == 422
    assert "The price has changed" in answer.text
    assert live.taken(buyer) == 0


def test_a_declined_card_is_said_on_the_page(page, live, buyer):
    live.save_card(buyer, cards.DECLINED_WHEN_CHARGED)
    answer = page.confirm("professional")
    assert answer.status_code == 422
    assert "Your card was declined." in answer.text
    assert "The last payment did not succeed." in page.get().text


def test_somebody_elses_card_is_none(page, live, buyer, other_buyer):
    live.save_card(buyer)
    other = live.save_card(other_buyer)
    answer = page.confirm("professional", card=str(other.pk))
    assert answer.status_code == 422
    assert "Choose one of your cards." in answer.text


def test_the_bank_wants_to_see_the_person(page, live, buyer):
    live.save_card(buyer, cards.ALWAYS_AUTHENTICATE)
    assert goes_to(page.confirm("professional"), "plan_authenticate")
    answer = page.get("plan_authenticate")
    secret = answer.context["client_secret"]
    assert f'data-client-secret="{secret}"' in answer.text
    assert "Your bank wants to see you." in page.get().text
    live.processor.authenticate(secret.split("_secret_")[0])
    assert goes_to(page.post("plan_authenticate"), "plan")
    assert "Paid. Your plan is Professional." in page.get().text
    assert goes_to(page.get("plan_authenticate"), "plan")


def test_who_fails_the_bank_is_told_that_nothing_was_charged(page, live, buyer):
    live.save_card(buyer, cards.ALWAYS_AUTHENTICATE)
    page.confirm("professional")
    secret = page.get("plan_authenticate").context["client_secret"]
    live.processor.authenticate(secret.split("_secret_")[0], success=False)
    assert goes_to(page.post("plan_authenticate"), "plan")
    assert "Nothing was charged." in page.get().text


def test_an_upgrade_costs_what_the_page_says(page, live, buyer):
    live.subscribe(buyer, Tier.INDIVIDUAL)
    shown = page.get("plan_change", "enterprise")
    today = shown.context["today"]
    assert Decimal("279") < today <= Decimal("280")
    assert goes_to(page.confirm("enterprise"), "plan")
    assert SubscriptionPayment.objects.order_by("-amount").first().amount == today


@pytest.mark.parametrize("hours", [24 * 29, -1])
def test_nobody_chooses_the_moment_from_which_an_upgrade_is_counted(page, live, buyer, hours):
    live.subscribe(buyer, Tier.INDIVIDUAL)
    at = page.get("plan_change", "enterprise").context["at"] + hours * 3600
    answer = page.confirm("enterprise", at=at)
    assert answer.status_code == 422
    assert live.taken(buyer) == 1900


def test_down_cancel_and_keep(page, live, buyer):
    live.subscribe(buyer)
    shown = page.get("plan_change", "individual")
    assert (shown.context["today"], shown.context["monthly"]) == (0, Decimal("19.00"))
    assert goes_to(page.confirm("individual"), "plan")
    text = page.get().text
    assert "it becomes Individual" in text
    assert "Upgrade to Enterprise" not in text
    assert goes_to(page.confirm("professional"), "plan")
    assert "it renews for a month" in page.get().text
    assert "Charged today" in page.get("plan_change", "free").text
    assert goes_to(page.confirm("free"), "plan")
    text = page.get().text
    assert "it ends, and you are on the free plan" in text
    assert "Keep Professional" in text
    assert live.taken(buyer) == 7900


def test_what_is_overdue_is_said_and_paid_with_another_card(page, live, buyer):
    row = live.subscribe(buyer)
    Subscription.objects.update(asked_at=row.asked_at)
    live.processor.bank_changes_its_mind(row.billing_details["payment_method"], charging="insufficient_funds")
    live.processor.now = live.now
    live.pass_time(days=31)
    live.hear()
    text = page.get().text
    assert "A payment for your plan did not succeed." in text
    assert "insufficient funds" in text
    assert goes_to(page.get("plan_change", "enterprise"), "plan")
    pay = page.get("plan_pay")
    assert "€79.00 is overdue" in pay.text
    other = live.save_card(buyer, "5555555555554444")
    assert page.post("plan_pay").status_code == 422
    assert goes_to(page.post("plan_pay", card=str(other.pk)), "plan")
    assert "did not succeed" not in page.get().text
    assert live.taken(buyer) == 2 * 7900


def test_another_card_without_anything_overdue_charges_nothing(page, live, buyer):
    live.subscribe(buyer)
    other = live.save_card(buyer, "5555555555554444")
    assert "Nothing is charged now." in page.get("plan_pay").text
    assert goes_to(page.post("plan_pay", card=str(other.pk)), "plan")
    assert "Visa 4444" in page.get().text
    assert live.taken(buyer) == 7900


def test_when_the_processor_does_not_answer_nothing_is_promised(page, live, buyer):
    live.save_card(buyer)
    page.get()

    def away(asked, answer):
        return said(500) if asked.method == "POST" and answer is None else None

    shown = {"monthly": "79.00", "card": str(buyer.saved_cards.get().pk)}
    live.processor.fault = away
    answer = page.post("plan_change", "professional", **shown)
    live.processor.fault = None
    assert answer.status_code == 503
    assert "Nothing is charged twice." in answer.text
    assert "Asked for:" in page.get().text


# Pure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "tier", "next_tier", "moves"),
    [
        ("active", "professional", "", ["CANCEL", "DOWNGRADE", None, "UPGRADE"]),
        ("active", "professional", "individual", ["CANCEL", None, "KEEP", None]),
        ("active", "professional", "free", [None, "DOWNGRADE", "KEEP", None]),
        ("past_due", "professional", "", ["CANCEL", None, None, None]),
        ("unpaid", "professional", "", ["CANCEL", "SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]),
        ("incomplete", "individual", "", ["CANCEL", "SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]),
        ("canceled", "free", "", [None, "SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]),
    ],
)
def test_what_choosing_each_plan_means(status, tier, next_tier, moves):
    row = Subscription(status=status, tier=tier, next_tier=next_tier, stripe_subscription_id="sub_1")
    assert [move_to(one, row) for one in Tier] == [Move[name] if name else None for name in moves]


def test_limits_are_those_of_the_reference(buyer):
    assert [PLANS[tier].portfolios for tier in Tier] == [1, 3, None, None]
    assert plan_of(buyer).alerts == 3


def test_a_month_after_is_the_same_day_or_the_last(now):
    assert a_month_after(now.replace(year=2027, month=1, day=31)).day == 28
    assert a_month_after(now.replace(year=2026, month=12, day=5)).month == 1
