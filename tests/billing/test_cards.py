"""Cards that people let us keep: entered, chosen, forgotten, and never anybody else's."""

from functools import partial

import pytest
from django.db import IntegrityError, transaction

from billing import gateway
from billing.errors import PaymentError, ProcessorAway
from billing.models import SavedCard, StripeCustomer
from billing.services import cards, payments
from tests.billing.at_processor import hear, told
from tests.people import DAY, HOUR, make_hold, make_listing, make_machine, make_paid
from tests.racing import twice_at_once
from tests.stripe_server.cards import DECLINED, GOOD
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db

MASTERCARD = "5555555555554444"


def fill(processor, user, number: str = GOOD) -> str:
    """The card form as the browser leaves it. Returns the SetupIntent's id."""
    form = cards.begin_card(user=user).split("_secret_")[0]
    processor.fill_card_form(form, number)
    return form


def keep(processor, user, *, now, number: str = GOOD) -> SavedCard:
    return cards.add_card(user=user, setup_intent=fill(processor, user, number), now=now)


def kept(user) -> list[tuple[str, bool]]:
    return [(card.label, card.is_default) for card in SavedCard.objects.kept().filter(user=user)]


def attached(processor, user) -> list[str]:
    """What the processor would charge for this person."""
    customer = StripeCustomer.objects.get(user=user).stripe_id
    return [method["id"] for method in processor.holds("payment_method") if method["customer"] == customer]


# Keeping ----------------------------------------------------------------------------------------------------


def test_a_card_is_kept_and_charged_from_now_on(processor, buyer, now):
    first = keep(processor, buyer, now=now)
    assert (first.label, first.is_default) == ("Visa 4242", True)
    assert str(first).startswith("Visa 4242, until ")
    keep(processor, buyer, now=now + HOUR, number=MASTERCARD)
    assert kept(buyer) == [("Mastercard 4444", True), ("Visa 4242", False)]
    assert cards.default_card(buyer).label == "Mastercard 4444"


def test_the_same_form_twice_keeps_one(processor, buyer, now):
    form = fill(processor, buyer)
    first = cards.add_card(user=buyer, setup_intent=form, now=now)
    assert cards.add_card(user=buyer, setup_intent=form, now=now + HOUR) == first
    assert len(kept(buyer)) == 1


def test_the_same_card_entered_anew_takes_the_place_of_the_former(processor, buyer, now):
    keep(processor, buyer, now=now, number=MASTERCARD)
    before = keep(processor, buyer, now=now)
    after = keep(processor, buyer, now=now + DAY)
    assert before != after
    assert kept(buyer) == [("Visa 4242", True), ("Mastercard 4444", False)]
    before.refresh_from_db()
    assert before.removed_at == now + DAY


def test_a_form_that_the_bank_refused_or_that_nobody_filled_in_keeps_nothing(processor, buyer, now):
    empty = cards.begin_card(user=buyer).split("_secret_")[0]
    for form in (empty, fill(processor, buyer, DECLINED)):
        with pytest.raises(PaymentError, match="not finished"):
            cards.add_card(user=buyer, setup_intent=form, now=now)
    assert kept(buyer) == []


def test_another_persons_form_is_of_no_use(processor, buyer, other_buyer, now):
    theirs = fill(processor, other_buyer)
    with pytest.raises(PaymentError, match="not finished"):
        cards.add_card(user=buyer, setup_intent=theirs, now=now)
    with pytest.raises(PaymentError, match="not finished"):
        cards.from_form(user=buyer, setup_intent=theirs, keep=True, now=now)
    assert not SavedCard.objects.exists()


def test_a_card_is_kept_with_a_payment_only_where_that_is_wanted(processor, listing, buyer, now):
    for number, wanted in enumerate((False, True)):
        booking = make_hold(listing, buyer, start=now + (1 + number) * DAY, asked=now)
        means = partial(cards.from_form, user=buyer, setup_intent=fill(processor, buyer), keep=wanted, now=now)
        payments.pay(charge=booking.charges.get(), payer=buyer, means=means, now=now)
        assert len(kept(buyer)) == number
    payment = payments.pay(
        charge=make_hold(listing, buyer, start=now + 5 * DAY, asked=now).charges.get(),
        payer=buyer,
        means=partial(cards.from_saved, user=buyer, card_id=SavedCard.objects.get().pk),
        now=now,
    )
    assert payment.is_paid
    assert payment.card_label == "Visa 4242"


def test_the_database_keeps_one_default_a_person(processor, buyer, now):
    keep(processor, buyer, now=now)
    with pytest.raises(IntegrityError, match="saved_cards_one_default"), transaction.atomic():
        SavedCard.objects.create(
            user=buyer, stripe_payment_method="pm_2", brand="Visa", last4="1", exp_month=1, exp_year=2040, is_default=True
        )  # fmt: skip


# Choosing ---------------------------------------------------------------------------------------------------


def test_another_one_is_charged_from_now_on(processor, buyer, now):
    first = keep(processor, buyer, now=now)
    keep(processor, buyer, now=now + HOUR, number=MASTERCARD)
    cards.make_default(user=buyer, card_id=first.pk)
    cards.make_default(user=buyer, card_id=first.pk)
    assert kept(buyer) == [("Visa 4242", True), ("Mastercard 4444", False)]


@pytest.mark.django_db(transaction=True)
def test_two_cards_entered_at_the_same_moment_leave_one_default(processor, buyer, now):
    forms = [fill(processor, buyer), fill(processor, buyer, MASTERCARD)]
    left = iter(forms * 2)
    twice_at_once(lambda: cards.add_card(user=buyer, setup_intent=next(left), now=now))
    assert sorted(label for label, _ in kept(buyer)) == ["Mastercard 4444", "Visa 4242"]
    assert [is_default for _, is_default in kept(buyer)] == [True, False]


# Forgetting -------------------------------------------------------------------------------------------------


def test_one_that_is_removed_is_gone_at_the_processor_and_the_newest_takes_its_place(processor, buyer, now):
    oldest = keep(processor, buyer, now=now)
    middle = keep(processor, buyer, now=now + HOUR, number=MASTERCARD)
    newest = keep(processor, buyer, now=now + 2 * HOUR, number="378282246310005")
    cards.remove_card(user=buyer, card_id=newest.pk, now=now + DAY)
    cards.remove_card(user=buyer, card_id=newest.pk, now=now + DAY)
    assert kept(buyer) == [("Mastercard 4444", True), ("Visa 4242", False)]
    assert attached(processor, buyer) == [oldest.stripe_payment_method, middle.stripe_payment_method]
    cards.remove_card(user=buyer, card_id=oldest.pk, now=now + DAY)
    cards.remove_card(user=buyer, card_id=middle.pk, now=now + DAY)
    assert kept(buyer) == []
    assert cards.default_card(buyer) is None
    with pytest.raises(PaymentError, match="not kept any more"):
        cards.from_saved(user=buyer, card_id=middle.pk)


def test_one_that_the_processor_has_not_let_go_of_stays(processor, buyer, now):
    card = keep(processor, buyer, now=now)

    def away(asked, answer):
        raise lost()

    processor.fault = away
    with pytest.raises(ProcessorAway):
        cards.remove_card(user=buyer, card_id=card.pk, now=now)
    processor.fault = None
    assert kept(buyer) == [("Visa 4242", True)]
    cards.remove_card(user=buyer, card_id=card.pk, now=now)
    assert kept(buyer) == []


def test_one_whose_removal_was_done_and_not_heard_of_is_removed_by_the_next_click(processor, buyer, now):
    card = keep(processor, buyer, now=now)

    def lose(asked, answer):
        if answer is not None and asked.path.endswith("/detach"):
            raise lost()

    processor.fault = lose
    with pytest.raises(ProcessorAway):
        cards.remove_card(user=buyer, card_id=card.pk, now=now)
    processor.fault = None
    assert attached(processor, buyer) == []
    cards.remove_card(user=buyer, card_id=card.pk, now=now)
    assert kept(buyer) == []


def test_one_that_was_detached_at_the_processor_is_forgotten_here_whenever_we_hear_of_it(processor, buyer, now):
    other = keep(processor, buyer, now=now, number=MASTERCARD)
    card = keep(processor, buyer, now=now + HOUR)
    method = card.stripe_payment_method
    gateway.client().v1.payment_methods.detach(method)
    hear(told(processor, "payment_method.detached") * 2, now=now + DAY)
    assert kept(buyer) == [("Mastercard 4444", True)]
    assert SavedCard.objects.kept().get() == other


# Other people's ---------------------------------------------------------------------------------------------


def test_other_peoples_cards_do_not_exist(processor, buyer, other_buyer, client, now):
    card = keep(processor, buyer, now=now)
    for change in (cards.make_default, partial(cards.remove_card, now=now)):
        with pytest.raises(SavedCard.DoesNotExist):
            change(user=other_buyer, card_id=card.pk)
    with pytest.raises(PaymentError, match="not kept any more"):
        cards.from_saved(user=other_buyer, card_id=card.pk)
    client.force_login(other_buyer)
    assert client.post(f"/billing/cards/{card.pk}/remove/").status_code == 404
    assert client.post(f"/billing/cards/{card.pk}/default/").status_code == 404
    assert "4242" not in client.get("/billing/cards/").text
    assert kept(buyer) == [("Visa 4242", True)]


# The page ---------------------------------------------------------------------------------------------------


def test_the_page_keeps_shows_and_removes(processor, buyer, client):
    client.force_login(buyer)
    assert "No card is kept here" in client.get("/billing/cards/").text
    form = client.post("/billing/cards/begin/").json()["client_secret"].split("_secret_")[0]
    processor.fill_card_form(form)
    assert client.post("/billing/cards/", {"setup_intent": form}).status_code == 302
    page = client.get("/billing/cards/").text
    assert "Visa 4242" in page
    assert "charged by itself" in page
    card = SavedCard.objects.get()
    assert client.post(f"/billing/cards/{card.pk}/remove/").status_code == 302
    assert "No card is kept here" in client.get("/billing/cards/").text


@pytest.mark.parametrize("sent", ["", "seti_nobody_knows", "nonsense", "seti_'; DROP TABLE saved_cards"])
def test_what_is_no_finished_form_is_said_on_the_page(processor, buyer, client, sent):
    client.force_login(buyer)
    answer = client.post("/billing/cards/", {"setup_intent": sent})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert kept(buyer) == []


def test_a_processor_that_is_away_is_said_and_nothing_is_lost(processor, buyer, client, now):
    card = keep(processor, buyer, now=now)
    form = fill(processor, buyer, MASTERCARD)

    def away(asked, answer):
        raise lost()

    processor.fault = away
    client.force_login(buyer)
    assert client.get("/billing/cards/").status_code == 200
    assert client.post("/billing/cards/begin/").status_code == 503
    assert client.post("/billing/cards/", {"setup_intent": form}).status_code == 503
    assert client.post(f"/billing/cards/{card.pk}/remove/").status_code == 503
    processor.fault = None
    assert client.post("/billing/cards/", {"setup_intent": form}).status_code == 302
    assert len(kept(buyer)) == 2


def test_the_page_tells_of_the_stages_to_come(processor, provider, buyer, client, now):
    long = make_listing(make_machine(provider, "for-long"), max_hours=24 * 60)
    make_paid(long, buyer, start=now + DAY, hours=24 * 40, asked=now)
    client.force_login(buyer)
    page = client.get("/billing/cards/").text
    assert "stage 2" in page
    assert "There is no card that we may charge." in page
    keep(processor, buyer, now=now)
    assert "There is no card that we may charge." not in client.get("/billing/cards/").text
