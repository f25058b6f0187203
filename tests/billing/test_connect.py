"""Paying providers through Stripe Connect, against our own server of it: once, whatever crashes, and told truly."""

from contextlib import suppress
from decimal import Decimal
from functools import partial
from threading import Event

import pytest
from django.db import connection, transaction

from accounts.models import Notification
from billing.gateway import client
from billing.models import AccountKind, Payout, PayoutAccount, PayoutStatus, WebhookEvent
from billing.payouts.base import HELD
from billing.payouts.connect import NO_MONEY_HERE, NO_MONEY_THERE, NOT_BACK_YET
from billing.services import payout_accounts, payout_holds, payouts, webhooks
from billing.services.ledger import balance
from tests.earning import EARNED, make_due, owed_to
from tests.people import DAY, HOUR, another_administrator, make_listing, make_machine
from tests.racing import at_once, until
from tests.stripe_server.client import lost, said
from tests.stripe_server.resources import money

pytestmark = pytest.mark.django_db

CENTS = 605


class Crash(BaseException):
    """The process dies."""


@pytest.fixture(autouse=True)
def connect(settings):
    settings.STRIPE_CONNECT = True


@pytest.fixture
def account(processor, provider, now) -> PayoutAccount:
    """The provider's, ready for euros and dollars."""
    account = payout_accounts.begin_stripe(user=provider, country="DE", now=now)
    processor.finish_onboarding(account.stripe_account, "eur", "usd")
    return payout_accounts.synchronise_account(stripe_account=account.stripe_account, now=now)


@pytest.fixture
def payout(account, processor, listing, buyer, now) -> Payout:
    """Scheduled, and our balance covers it."""
    make_due(listing, buyer, now=now)
    assert payouts.schedule_payouts(now=now) == 1
    processor.top_up(CENTS)
    return Payout.objects.get()


def there(processor, payout: Payout) -> dict[str, list[int]]:
    """Every amount that moved at Stripe for the provider."""
    place = payout.account.stripe_account
    return {
        "transfers": [transfer["amount"] for transfer in processor.holds("transfer", destination=place)],
        "reversals": [reversal["amount"] for reversal in processor.holds("transfer_reversal")],
        "payouts": [sent["amount"] for sent in processor.holds("payout", place)],
    }


def fresh(payout: Payout) -> Payout:
    return Payout.objects.select_related("account", "provider").get(pk=payout.pk)


# Accounts ----------------------------------------------------------------------------------------------------


def test_an_account_is_made_once_with_payouts_by_hand(processor, provider, now):
    account = payout_accounts.begin_stripe(user=provider, country="DE", now=now)
    assert payout_accounts.begin_stripe(user=provider, country="DE", now=now) == account
    (made,) = processor.holds("account")
    assert made["settings"]["payouts"]["schedule"]["interval"] == "manual"
    assert made["controller"]["stripe_dashboard"]["type"] == "express"
    assert made["country"] == "DE"
    assert not account.is_ready
    assert "external account" in account.requirements


def test_an_account_of_which_we_died_before_writing_it_down_is_found_again(processor, provider, now):
    def crash(asked, answer):
        if answer and asked.path == "/v1/accounts":
            raise Crash

    processor.fault = crash
    with pytest.raises(Crash):
        payout_accounts.begin_stripe(user=provider, country="DE", now=now)
    processor.fault = None
    payout_accounts.begin_stripe(user=provider, country="DE", now=now)
    assert len(processor.holds("account")) == 1


def test_what_stripe_knows_of_an_account_is_written_down_and_told(account, processor, provider, now):
    assert account.is_ready
    assert account.currencies == ["EUR", "USD"]
    assert Notification.objects.filter(user=provider, title="Stripe can pay you now").count() == 1

    processor.restrict(account.stripe_account, "individual.verification.document")
    restricted = payout_accounts.synchronise_account(stripe_account=account.stripe_account, now=now + HOUR)

    assert not restricted.is_ready
    assert restricted.requirements == "individual verification document"
    assert Notification.objects.filter(user=provider, title="Stripe has stopped paying you").count() == 1


def test_an_account_that_stripe_does_not_know_is_not_used(account, processor, provider, now):
    PayoutAccount.objects.update(stripe_account="acct_gone")
    gone = payout_accounts.synchronise_account(stripe_account="acct_gone", now=now)
    assert not gone.is_ready
    assert payout_accounts.account_for(provider, "EUR") is None


def test_the_way_to_stripe_leads_back(account, processor, settings):
    link = payout_accounts.onboarding_link(account)
    assert link.startswith("https://connect.stripe.com/")
    assert payout_accounts.dashboard_link(account).startswith("https://connect.stripe.com/")


# Sending -----------------------------------------------------------------------------------------------------


def test_a_payout_is_a_transfer_and_then_a_payout_to_the_bank(payout, processor, provider, now):
    assert payouts.send_due_payouts(now=now) == 1

    sent = fresh(payout)
    assert (sent.status, sent.sent_at) == (PayoutStatus.SENT, now)
    (transfer,) = processor.holds("transfer")
    assert (transfer["id"], transfer["amount"], transfer["currency"]) == (sent.stripe_transfer, CENTS, "eur")
    assert transfer["metadata"]["payout_id"] == str(payout.pk)
    (bank,) = processor.holds("payout", payout.account.stripe_account)
    assert (bank["id"], bank["amount"]) == (sent.stripe_payout, CENTS)
    assert owed_to(provider) == EARNED, "sent is not received"
    assert balance(AccountKind.PAYOUTS, currency="EUR") == EARNED


def test_it_is_received_when_stripe_says_that_it_was_paid(payout, processor, provider, now):
    payouts.send_due_payouts(now=now)
    assert payouts.ask_after_payouts(now=now + HOUR) == 0
    processor.settle_payouts()
    assert payouts.ask_after_payouts(now=now + 3 * HOUR) == 1
    assert fresh(payout).received_at == now + 3 * HOUR
    assert owed_to(provider) == balance(AccountKind.PAYOUTS, currency="EUR") == 0
    assert balance(AccountKind.PROCESSOR, currency="EUR", transaction__payout=payout) == -EARNED


def test_sweeps_that_come_again_send_nothing_twice(payout, processor, now):
    for hours in range(4):
        payouts.send_due_payouts(now=now + hours * HOUR)
        payouts.ask_after_payouts(now=now + hours * HOUR)
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [], "payouts": [CENTS]}


def test_while_our_balance_does_not_cover_it_it_waits(payout, processor, now):
    """Stripe repeats an answer to the same key for a day: the next try has another."""
    processor.top_up(-CENTS)
    assert payouts.send_due_payouts(now=now) == 0
    waiting = fresh(payout)
    assert (waiting.status, waiting.failure) == (PayoutStatus.SCHEDULED, NO_MONEY_HERE)
    assert payouts.send_due_payouts(now=now) == 0, "there is a pause"

    processor.top_up(CENTS)
    assert payouts.send_due_payouts(now=now + HOUR) == 1
    assert fresh(payout).failure == ""
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [], "payouts": [CENTS]}


def test_what_is_held_before_it_was_sent_waits_until_it_is_released(
    payout, processor, provider, administrator, client, now
):
    """It waited for our balance. While it is held Stripe is not asked to send it, whatever our balance is."""
    processor.top_up(-CENTS)
    payouts.send_due_payouts(now=now)
    booking = payout.lines.get().booking
    hold = payout_holds.place_hold(booking=booking, amount=None, reason="Looked into.", by=administrator, now=now)
    processor.top_up(CENTS)

    assert payouts.send_due_payouts(now=now + HOUR) == 0
    waiting = fresh(payout)
    assert (waiting.status, waiting.failure) == (PayoutStatus.SCHEDULED, HELD.failure)
    assert there(processor, payout) == {"transfers": [], "reversals": [], "payouts": []}
    client.force_login(provider)
    (row,) = client.get("/machines/earnings/").context["rows"]
    assert (row.words, row.detail) == ("Held", "Looked into.")
    said = f"Booking {booking.reference} is held. Looked into."
    assert said in client.get(f"/billing/payouts/{payout.pk}/").text

    payout_holds.release_hold(hold=hold, reason="Settled.", by=administrator, second=another_administrator(), now=now)
    for hours in (3, 5):  # Stripe repeats for a day that our balance does not cover it
        payouts.send_due_payouts(now=now + hours * HOUR)
    assert fresh(payout).status == PayoutStatus.SENT
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [], "payouts": [CENTS]}
    assert said not in client.get(f"/billing/payouts/{payout.pk}/").text
    assert client.get("/machines/earnings/").context["rows"][0].words == "Sent"


def test_what_left_before_it_was_held_is_known_to_have_left(payout, processor, administrator, now):
    """Whoever sent it died before they wrote it down."""

    def crash(asked, answer):
        if answer and asked.method == "POST" and asked.path == "/v1/transfers":
            raise Crash

    processor.fault = crash
    with pytest.raises(Crash):
        payouts.send_due_payouts(now=now)
    processor.fault = None
    booking = payout.lines.get().booking
    payout_holds.place_hold(booking=booking, amount=None, reason="Looked into.", by=administrator, now=now)

    payouts.send_due_payouts(now=now + HOUR)
    assert fresh(payout).status == PayoutStatus.SENT
    assert there(processor, payout)["transfers"] == [CENTS]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("waits", [True, False])
def test_a_hold_that_is_being_placed_is_waited_for(payout, processor, administrator, now, monkeypatch, waits):
    """In a pair: with the lock of the provider's account, and without it."""
    if not waits:
        monkeypatch.setattr(payouts, "lock_earnings", lambda *_: True)
    booking = payout.lines.get().booking
    placed, sent = Event(), Event()

    def place() -> None:
        with transaction.atomic():
            payout_holds.place_hold(booking=booking, amount=None, reason="Looked into.", by=administrator, now=now)
            placed.set()
            until(lambda: sent.is_set() or _somebody_waits(), "the hold is waited for, or not")

    def send() -> None:
        placed.wait(30)
        payouts.send_due_payouts(now=now)
        sent.set()

    assert at_once([place, send]) == [None, None]
    assert there(processor, payout)["transfers"] == ([] if waits else [CENTS])


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone() is not None


def test_an_account_that_takes_no_transfers_makes_it_fail_without_any_money_moving(
    payout, processor, provider, administrator, now
):
    processor.restrict(payout.account.stripe_account, transfers=True)
    assert payouts.send_due_payouts(now=now) == 1
    failed = fresh(payout)
    assert failed.status == PayoutStatus.FAILED
    assert "capabilities" in failed.failure
    assert owed_to(provider) == EARNED
    assert there(processor, payout) == {"transfers": [], "reversals": [], "payouts": []}
    assert Notification.objects.filter(user=administrator, key=f"payout-failed:{payout.pk}").exists()


# Failures ----------------------------------------------------------------------------------------------------


def test_a_payout_that_the_bank_sends_back_is_taken_back_before_it_is_owed_again(
    payout, processor, provider, administrator, now
):
    payouts.send_due_payouts(now=now)
    processor.fail_payout(fresh(payout).stripe_payout, "account_closed")
    assert payouts.ask_after_payouts(now=now + HOUR) == 1

    failed = fresh(payout)
    assert (failed.status, failed.failure) == (PayoutStatus.FAILED, "The bank account has been closed.")
    assert failed.stripe_reversal
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [CENTS], "payouts": [CENTS]}
    assert processor.balance_of("eur") == CENTS
    assert owed_to(provider) == EARNED
    assert balance(AccountKind.PROCESSOR, currency="EUR", transaction__payout=payout) == 0

    retry = payouts.retry_payout(payout=payout, by=administrator, now=now + DAY)
    payouts.send_due_payouts(now=now + DAY)
    processor.settle_payouts()
    payouts.ask_after_payouts(now=now + 2 * DAY)
    assert fresh(retry).status == PayoutStatus.RECEIVED
    assert owed_to(provider) == 0


def test_until_the_money_is_back_a_failed_payout_counts_as_sent(payout, processor, provider, now):
    payouts.send_due_payouts(now=now)
    sent = fresh(payout)
    processor.fail_payout(sent.stripe_payout)
    _spend(processor, payout, -CENTS)

    assert payouts.ask_after_payouts(now=now + HOUR) == 0
    assert fresh(payout).status == PayoutStatus.SENT
    assert fresh(payout).failure.startswith(NOT_BACK_YET)
    assert balance(AccountKind.PAYOUTS, currency="EUR") == EARNED

    _spend(processor, payout, CENTS)
    assert payouts.ask_after_payouts(now=now + 4 * HOUR) == 1
    assert fresh(payout).status == PayoutStatus.FAILED
    assert there(processor, payout)["reversals"] == [CENTS]


def _spend(processor, payout: Payout, amount: int) -> None:
    money.book(processor, "topup", amount, "eur", None, payout.account.stripe_account)


def test_a_payout_that_was_paid_can_fail_days_later(payout, processor, provider, now):
    payouts.send_due_payouts(now=now)
    processor.settle_payouts()
    payouts.ask_after_payouts(now=now + HOUR)
    assert owed_to(provider) == 0

    processor.fail_payout(fresh(payout).stripe_payout)
    assert payouts.synchronise_payout(payout=payout, now=now + 3 * DAY)

    failed = fresh(payout)
    assert (failed.status, failed.received_at) == (PayoutStatus.FAILED, None)
    assert owed_to(provider) == EARNED


def test_a_transfer_that_somebody_reverses_at_stripe_makes_it_fail(payout, processor, provider, now):
    """Before it went on to the bank."""

    def no_bank_payout(asked, answer):
        if answer is None and asked.method == "POST" and asked.path == "/v1/payouts":
            return said(400, "invalid_request_error", code="balance_insufficient")
        return None

    processor.fault = no_bank_payout
    payouts.send_due_payouts(now=now)
    assert fresh(payout).failure == NO_MONEY_THERE
    processor.fault = None
    _reverse(processor, fresh(payout).stripe_transfer)
    assert payouts.ask_after_payouts(now=now + HOUR) == 1
    assert fresh(payout).failure == "The transfer was reversed at Stripe."
    assert owed_to(provider) == EARNED
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [CENTS], "payouts": []}


def _reverse(processor, transfer: str) -> None:
    client().v1.transfers.reversals.create(transfer)


def test_while_the_money_is_not_in_the_providers_balance_the_bank_waits(payout, processor, now):
    tries = []

    def not_yet(asked, answer):
        if answer is None and asked.method == "POST" and asked.path == "/v1/payouts":
            tries.append(asked.idempotency_key)
            if len(tries) < 3:
                return said(400, "invalid_request_error", code="balance_insufficient")
        return None

    processor.fault = not_yet
    for hours in range(4):
        payouts.send_due_payouts(now=now + hours * HOUR)
        payouts.ask_after_payouts(now=now + hours * HOUR)
    assert len(set(tries)) == len(tries) == 3
    assert fresh(payout).stripe_payout
    assert there(processor, payout)["payouts"] == [CENTS]


# Crashes, lost lines, faults -----------------------------------------------------------------------------------

CALLS = 7


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", range(CALLS))
@pytest.mark.parametrize("how", ["crash", "lost", "500", "429"])
def test_whatever_happens_at_any_call_the_provider_is_paid_once(payout, processor, provider, now, how, place, when):
    _disturb(processor, how, place, when)
    for hours in range(6):
        with suppress(Crash):
            payouts.send_due_payouts(now=now + hours * HOUR)
        with suppress(Crash):
            payouts.ask_after_payouts(now=now + hours * HOUR)
    processor.settle_payouts()
    payouts.ask_after_payouts(now=now + DAY)
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [], "payouts": [CENTS]}
    assert fresh(payout).status == PayoutStatus.RECEIVED
    assert owed_to(provider) == balance(AccountKind.PAYOUTS, currency="EUR") == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("how", ["crash", "lost"])
def test_whatever_happens_while_it_fails_the_money_is_taken_back_once(
    payout, processor, provider, now, how, place, when
):
    payouts.send_due_payouts(now=now)
    processor.fail_payout(fresh(payout).stripe_payout)
    _disturb(processor, how, place, when)
    for hours in range(1, 8):
        with suppress(Crash):
            payouts.ask_after_payouts(now=now + hours * HOUR)
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [CENTS], "payouts": [CENTS]}
    assert fresh(payout).status == PayoutStatus.FAILED
    assert owed_to(provider) == EARNED
    assert balance(AccountKind.PROCESSOR, currency="EUR", transaction__payout=payout) == 0


def _disturb(processor, how: str, place: int, when: str) -> None:
    """At the call of that place something goes wrong, before it gets there or after it was done."""
    seen = {"before": 0, "after": 0}

    def fault(asked, answer):
        now_is = "after" if answer else "before"
        seen[now_is] += 1
        if now_is != when or seen[now_is] != place + 1:
            return None
        if how == "crash":
            raise Crash
        if how == "lost":
            raise lost()
        return said(int(how))

    processor.fault = fault


def test_nothing_is_sent_while_the_processor_is_away(payout, processor, now):
    def away(asked, answer):
        raise lost()

    processor.fault = away
    assert payouts.send_due_payouts(now=now) == 0
    assert fresh(payout).status == PayoutStatus.SCHEDULED
    processor.fault = None
    assert payouts.send_due_payouts(now=now + HOUR) == 1


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_and_a_webhook_at_once_send_once(payout, processor, now):
    at_once(
        [
            partial(payouts.send_due_payouts, now=now),
            partial(payouts.send_due_payouts, now=now),
            partial(payouts.synchronise_payout, payout=payout, now=now),
            partial(payouts.send_payout, payout_id=payout.pk, now=now),
        ]
    )
    assert there(processor, payout) == {"transfers": [CENTS], "reversals": [], "payouts": [CENTS]}
    assert fresh(payout).attempts == 1


# Webhooks ------------------------------------------------------------------------------------------------------


def hear(processor, kind: str, now) -> WebhookEvent:
    """The newest event of this kind arrives, and is processed."""
    event = next(event for event in reversed(processor.events) if event.type == kind)
    row = webhooks.store_event(event.event, now=now)
    assert webhooks.process_event(event_pk=row.pk, now=now)
    row.refresh_from_db()
    return row


def test_stripe_tells_of_an_account(processor, provider, now):
    account = payout_accounts.begin_stripe(user=provider, country="DE", now=now)
    processor.finish_onboarding(account.stripe_account, "eur")
    event = hear(processor, "account.updated", now)
    account.refresh_from_db()
    assert event.account == account.stripe_account
    assert account.is_ready


def test_stripe_tells_that_a_payout_arrived(payout, processor, provider, now):
    payouts.send_due_payouts(now=now)
    processor.settle_payouts()
    hear(processor, "payout.paid", now + HOUR)
    assert fresh(payout).status == PayoutStatus.RECEIVED
    hear_again = next(event for event in reversed(processor.events) if event.type == "payout.paid")
    assert webhooks.store_event(hear_again.event, now=now) is None, "it is kept once"


def test_stripe_tells_that_a_payout_failed(payout, processor, provider, now):
    payouts.send_due_payouts(now=now)
    processor.fail_payout(fresh(payout).stripe_payout)
    hear(processor, "payout.failed", now + HOUR)
    assert fresh(payout).status == PayoutStatus.FAILED


def test_an_event_that_comes_before_its_id_was_written_down_finds_its_payout(payout, processor, now):
    def crash(asked, answer):
        if answer and asked.method == "POST" and asked.path == "/v1/transfers":
            raise Crash

    processor.fault = crash
    with pytest.raises(Crash):
        payouts.send_due_payouts(now=now)
    processor.fault = None
    assert fresh(payout).stripe_transfer is None
    hear(processor, "transfer.created", now + HOUR)
    assert fresh(payout).status == PayoutStatus.SENT
    assert len(there(processor, payout)["transfers"]) == 1


def test_events_about_others_payouts_are_done_at_once(payout, processor, now):
    row = WebhookEvent.objects.create(
        event_id="evt_x", type="payout.paid", object_id="po_unknown", payload={"data": {"object": {"metadata": None}}}
    )
    assert webhooks.process_event(event_pk=row.pk, now=now + DAY)
    assert fresh(payout).status == PayoutStatus.SCHEDULED


def test_a_payout_in_dollars_goes_in_dollars(account, processor, provider, buyer, now):
    make_due(make_listing(make_machine(provider, "usd"), currency="USD"), buyer, now=now)
    processor.top_up(CENTS, "usd")
    payouts.schedule_payouts(now=now)
    assert payouts.send_due_payouts(now=now) == 1
    (transfer,) = processor.holds("transfer")
    assert (transfer["currency"], transfer["amount"]) == ("usd", CENTS)
    assert Payout.objects.get().amount == Decimal("6.05")


def test_a_key_that_is_not_taken_says_nothing_about_a_payout(payout, processor, now):
    """The transfer was made and its answer lost; then our key expires. A second transfer would pay twice."""

    def lose_the_answer(asked, answer):
        if answer is not None and asked.method == "POST" and asked.path.startswith("/v1/transfers"):
            raise lost()

    processor.fault = lose_the_answer
    payouts.send_due_payouts(now=now)
    processor.fault = lambda asked, answer: (
        said(401, "invalid_request_error", "Expired key") if answer is None else None
    )
    payouts.send_due_payouts(now=now + HOUR)
    assert fresh(payout).status == PayoutStatus.SCHEDULED

    processor.fault = None
    payouts.send_due_payouts(now=now + DAY)

    assert fresh(payout).status == PayoutStatus.SENT
    assert len(processor.holds("transfer")) == 1
