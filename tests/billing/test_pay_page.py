"""The pages on which a booking, a stage or an extension is paid: what they show, take, keep and refuse."""

import re
from datetime import timedelta

import pytest

from billing.models import Invoice, Payment, PaymentStatus, SavedCard
from billing.services import cards
from bookings.models import Booking, Charge
from bookings.services.extend import request_extension
from tests.people import DAY, HOUR, make_hold, make_listing, make_machine, make_paid, make_running
from tests.stripe_server.cards import ALWAYS_AUTHENTICATE, DECLINED_WHEN_CHARGED, GOOD
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_the_page(client, buyer):
    """The buyer, signed in."""
    client.force_login(buyer)
    return client


@pytest.fixture
def staged(provider, buyer, now) -> Booking:
    """Held, and of 40 days."""
    long = make_listing(make_machine(provider, "for-long"), max_hours=24 * 60)
    return make_hold(long, buyer, start=now + DAY, hours=24 * 40, asked=now)


def pay_url(booking: Booking) -> str:
    return f"/bookings/{booking.pk}/pay/"


def charge_url(charge: Charge) -> str:
    return f"/bookings/{charge.booking_id}/charges/{charge.pk}/pay/"


def filled(processor, client, url: str, number: str = GOOD) -> str:
    """The card form of the page, filled in. Returns the SetupIntent's id."""
    form = client.post(f"{url}card/").json()["client_secret"].split("_secret_")[0]
    processor.fill_card_form(form, number)
    return form


def keep(processor, user, *, now) -> SavedCard:
    form = cards.begin_card(user=user).split("_secret_")[0]
    processor.fill_card_form(form)
    return cards.add_card(user=user, setup_intent=form, now=now)


def taken(processor) -> list[int]:
    return [charge["amount"] for charge in processor.holds("charge") if charge["paid"]]


# A booking --------------------------------------------------------------------------------------------------


def test_a_card_pays_and_the_booking_is_confirmed(processor, held, at_the_page):
    page = at_the_page.get(pay_url(held)).text
    assert "Pay and confirm" in page
    assert "8.00" in page
    assert "Another card" not in page
    answer = at_the_page.post(
        pay_url(held), {"setup_intent": filled(processor, at_the_page, pay_url(held))}, follow=True
    )
    assert answer.redirect_chain == [(f"/bookings/{held.pk}/", 302)]
    assert "Paid. Your booking is confirmed." in answer.text
    assert taken(processor) == [800]
    assert not SavedCard.objects.exists()


def test_a_card_is_kept_where_the_buyer_says_so_and_pays_the_next_time(
    processor, held, listing, buyer, at_the_page, now
):
    form = filled(processor, at_the_page, pay_url(held))
    at_the_page.post(pay_url(held), {"setup_intent": form, "keep": "on"})
    card = SavedCard.objects.get()
    following = make_hold(listing, buyer, start=now + 5 * DAY, asked=now)
    page = at_the_page.get(pay_url(following)).text
    assert re.search(rf'value="{card.pk}" checked', page)
    assert "Another card" in page
    assert at_the_page.post(pay_url(following), {"saved_card": str(card.pk)}).status_code == 302
    assert taken(processor) == [800, 800]
    assert Payment.objects.order_by("-timestamp").first().card_label == "Visa 4242"


def test_the_references_for_the_invoice_are_on_it(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held))
    sent = {"setup_intent": form, "purchase_order": "PO-2026-7", "cost_centre": "4711"}
    assert at_the_page.post(pay_url(held), sent).status_code == 302
    held.refresh_from_db()
    assert (held.purchase_order, held.cost_centre) == ("PO-2026-7", "4711")
    page = at_the_page.get(f"/billing/invoices/{Invoice.objects.get(booking=held).pk}/").text
    assert "PO-2026-7" in page
    assert "4711" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"setup_intent": "nonsense"},
        {"saved_card": "not-an-id"},
        {"setup_intent": "seti_unknown"},
        {"saved_card": "01a1fd04-45cd-7781-be63-437f0b797481"},
        {"setup_intent": "seti_1", "cost_centre": "x" * 61},
    ],
    ids=["nothing", "no form", "no id", "a form that nobody knows", "a card that nobody keeps", "too long"],
)
def test_wrong_input_is_said_and_keeps_what_was_typed(processor, held, at_the_page, wrong):
    answer = at_the_page.post(pay_url(held), {"purchase_order": "PO-2026-7", **wrong})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="PO-2026-7"' in answer.text
    assert taken(processor) == []
    held.refresh_from_db()
    assert held.is_hold


def test_a_declined_card_is_said_and_another_one_pays(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held), DECLINED_WHEN_CHARGED)
    answer = at_the_page.post(pay_url(held), {"setup_intent": form})
    assert answer.status_code == 422
    assert "Your card was declined. The window is still held for you" in answer.text
    form = filled(processor, at_the_page, pay_url(held))
    assert at_the_page.post(pay_url(held), {"setup_intent": form}).status_code == 302
    assert taken(processor) == [800]


def test_a_second_click_and_the_back_button_charge_nothing(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held))
    assert at_the_page.post(pay_url(held), {"setup_intent": form}).status_code == 302
    again = at_the_page.post(pay_url(held), {"setup_intent": form})
    assert again.status_code == 422
    assert "This is paid already." in again.text
    assert at_the_page.get(pay_url(held)).headers["Location"] == f"/bookings/{held.pk}/"
    assert at_the_page.post(f"{pay_url(held)}card/").json() == {"location": f"/bookings/{held.pk}/"}
    assert taken(processor) == [800]


def test_a_bank_that_wants_the_buyer_is_answered_on_the_page(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held), ALWAYS_AUTHENTICATE)
    assert at_the_page.post(pay_url(held), {"setup_intent": form}).headers["Location"] == pay_url(held)
    page = at_the_page.get(pay_url(held)).text
    assert "Your bank wants to see you" in page
    (intent,) = processor.holds("payment_intent")
    assert f'data-client-secret="{intent["client_secret"]}"' in page
    processor.authenticate(intent["id"])
    assert at_the_page.post(f"{pay_url(held)}authenticated/").headers["Location"] == f"/bookings/{held.pk}/"
    assert taken(processor) == [800]


def test_a_buyer_who_fails_at_the_bank_may_try_another_card(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held), ALWAYS_AUTHENTICATE)
    at_the_page.post(pay_url(held), {"setup_intent": form})
    processor.authenticate(processor.holds("payment_intent")[0]["id"], success=False)
    answer = at_the_page.post(f"{pay_url(held)}authenticated/")
    assert answer.status_code == 422
    assert "The window is still held for you" in answer.text
    assert Payment.objects.get().status == PaymentStatus.FAILED
    form = filled(processor, at_the_page, pay_url(held))
    assert at_the_page.post(pay_url(held), {"setup_intent": form}).status_code == 302
    assert taken(processor) == [800]


def test_a_processor_that_is_away_is_said_and_the_click_may_be_repeated(processor, held, at_the_page):
    form = filled(processor, at_the_page, pay_url(held))

    def away(asked, answer):
        raise lost()

    processor.fault = away
    assert at_the_page.get(pay_url(held)).status_code == 200
    assert at_the_page.post(f"{pay_url(held)}card/").status_code == 503
    answer = at_the_page.post(pay_url(held), {"setup_intent": form, "purchase_order": "PO-2026-7"})
    assert answer.status_code == 503
    assert 'value="PO-2026-7"' in answer.text
    processor.fault = None
    assert at_the_page.post(pay_url(held), {"setup_intent": form}).status_code == 302
    assert taken(processor) == [800]


def test_a_hold_that_has_lapsed_cannot_be_paid(processor, listing, buyer, at_the_page, now):
    lapsed = make_hold(listing, buyer, start=now + DAY, asked=now - HOUR)
    assert at_the_page.get(pay_url(lapsed)).status_code == 302
    assert at_the_page.post(f"{pay_url(lapsed)}card/").status_code == 409
    form = cards.begin_card(user=buyer).split("_secret_")[0]
    processor.fill_card_form(form)
    answer = at_the_page.post(pay_url(lapsed), {"setup_intent": form})
    assert answer.status_code == 422
    assert "The time to pay is over" in answer.text
    assert processor.holds("payment_intent") == []


# Stages and extensions --------------------------------------------------------------------------------------


def test_the_first_payment_of_a_long_booking_keeps_the_card_and_shows_the_stages(processor, staged, at_the_page):
    page = at_the_page.get(pay_url(staged)).text
    assert "Charged in stages" in page
    assert "the later stages are charged to it" in page
    form = filled(processor, at_the_page, pay_url(staged))
    assert at_the_page.post(pay_url(staged), {"setup_intent": form}).status_code == 302
    assert cards.default_card(staged.buyer).label == "Visa 4242"
    first = staged.charges.get(number=1)
    assert taken(processor) == [int(first.amount * 100)]
    assert first.amount < staged.price_total


def test_a_stage_is_paid_on_its_own_page(processor, staged, at_the_page, now):
    at_the_page.post(pay_url(staged), {"setup_intent": filled(processor, at_the_page, pay_url(staged))})
    stage = staged.charges.get(number=2)
    page = at_the_page.get(charge_url(stage)).text
    assert "Pay a stage" in page
    assert "purchase_order" not in page
    card = SavedCard.objects.get()
    answer = at_the_page.post(charge_url(stage), {"saved_card": str(card.pk)}, follow=True)
    assert answer.redirect_chain == [(f"/bookings/{staged.pk}/", 302)]
    stage.refresh_from_db()
    assert stage.is_paid
    assert at_the_page.get(charge_url(stage)).status_code == 302
    assert len(taken(processor)) == 2


def test_an_extension_is_paid_on_its_own_page(processor, listing, buyer, at_the_page, now):
    booking = make_running(listing, buyer, start=now - HOUR)
    before = booking.end
    charge = request_extension(booking_id=booking.pk, by=buyer, new_end=before + 2 * HOUR, now=now)
    page = at_the_page.get(charge_url(charge)).text
    assert "Pay for the extension" in page
    form = filled(processor, at_the_page, charge_url(charge))
    answer = at_the_page.post(charge_url(charge), {"setup_intent": form}, follow=True)
    assert "It is yours until" in answer.text
    booking.refresh_from_db()
    assert booking.end - before == timedelta(hours=2)
    assert taken(processor) == [int(charge.amount * 100)]


def test_references_are_not_changed_with_a_later_stage(processor, staged, at_the_page):
    form = filled(processor, at_the_page, pay_url(staged))
    at_the_page.post(pay_url(staged), {"setup_intent": form, "purchase_order": "PO-2026-7"})
    stage = staged.charges.get(number=2)
    sent = {"saved_card": str(SavedCard.objects.get().pk), "purchase_order": "Another"}
    assert at_the_page.post(charge_url(stage), sent).status_code == 302
    staged.refresh_from_db()
    assert staged.purchase_order == "PO-2026-7"


# Other people's ---------------------------------------------------------------------------------------------


def test_other_peoples_charges_do_not_exist(processor, staged, other_buyer, listing, client, now):
    """Nor those of somebody else's booking under one of one's own."""
    stage = staged.charges.get(number=2)
    mine = make_paid(listing, other_buyer, start=now + 9 * DAY, asked=now)
    client.force_login(other_buyer)
    for url in (pay_url(staged), charge_url(stage), f"/bookings/{mine.pk}/charges/{stage.pk}/pay/"):
        assert client.get(url).status_code == 404
        for step in ("", "card/", "authenticated/"):
            assert client.post(f"{url}{step}", {"setup_intent": "seti_1"}).status_code == 404
    assert processor.requests == []


def test_another_persons_kept_card_does_not_pay(processor, held, other_buyer, at_the_page, now):
    theirs = keep(processor, other_buyer, now=now)
    answer = at_the_page.post(pay_url(held), {"saved_card": str(theirs.pk)})
    assert answer.status_code == 422
    assert "not kept any more" in answer.text
    assert taken(processor) == []


def test_a_buyer_who_stands_at_the_bank_may_choose_another_card(processor, held, at_the_page):
    url = pay_url(held)
    at_the_page.post(url, {"setup_intent": filled(processor, at_the_page, url, ALWAYS_AUTHENTICATE)})
    first = held.payments.get()
    assert first.needs_authentication

    assert at_the_page.post(f"{url}abandon/").status_code == 302
    at_the_page.post(url, {"setup_intent": filled(processor, at_the_page, url)})

    held.refresh_from_db()
    assert held.is_paid
    assert processor.holds("payment_intent", id=first.stripe_payment_intent)[0]["status"] == "canceled"
    assert len(taken(processor)) == 1


def test_paying_again_and_again_is_limited(processor, held, at_the_page, settings):
    settings.MARKETPLACE_BOOKING_RATE = "2/minute"
    form = {"saved_card": "01a1fcf3-a899-720d-a529-53d003fddee3"}  # nobody's
    answers = [at_the_page.post(pay_url(held), form).status_code for _ in range(3)]
    assert answers == [422, 422, 429]
