"""What providers are paid: everything they have earned, when it is due, once."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Notification, OutgoingMail, User
from billing.errors import PaymentError
from billing.models import (
    AccountKind,
    Chargeback,
    ChargebackState,
    Invoice,
    LedgerTransaction,
    Payout,
    PayoutAccount,
    PayoutLine,
    PayoutStatus,
    Posting,
)
from billing.services import payout_accounts, payout_holds, payouts, sepa_files
from billing.services.ledger import balance
from billing.services.owed import owed_for, owing
from billing.services.refunds import refund_booking
from bookings.models import Booking
from bookings.services.cancel import cancel_booking
from machines.models import Listing
from tests.earning import (
    EARNED,
    OTHER_IBAN,
    make_due,
    make_earned,
    make_iban,
    make_payout,
    make_stripe_account,
    owed_to,
)
from tests.people import (
    DAY,
    HOUR,
    another_administrator,
    make_billing_details,
    make_listing,
    make_machine,
    make_over,
    make_paid,
)
from tests.racing import at_once

pytestmark = pytest.mark.django_db


@transaction.atomic
def give_back(booking: Booking, amount: str, now) -> None:
    refund_booking(booking=booking, amount=Decimal(amount), reason="goodwill", by=None, now=now)


# When ----------------------------------------------------------------------------------------------------


def test_what_was_earned_is_paid_out_when_the_dispute_window_has_closed(listing, buyer, provider, now, settings):
    account = make_iban(provider, now=now)
    booking = make_earned(listing, buyer, end=now - HOUR)
    closes = booking.end + settings.MARKETPLACE_DISPUTE_WINDOW

    assert payouts.schedule_payouts(now=closes - timedelta(minutes=1)) == 0
    assert payouts.schedule_payouts(now=closes) == 1

    payout = Payout.objects.get()
    assert (payout.provider, payout.account, payout.method, payout.currency) == (provider, account, "sepa", "EUR")
    assert (payout.amount, payout.tax, payout.status) == (EARNED, 0, PayoutStatus.SCHEDULED)
    assert [(line.booking, line.amount) for line in payout.lines.all()] == [(booking, EARNED)]


def test_a_sweep_that_comes_again_pays_nothing_twice(listing, buyer, provider, now):
    make_payout(listing, buyer, now=now)
    assert payouts.schedule_payouts(now=now) == payouts.schedule_payouts(now=now + 9 * DAY) == 0
    assert Payout.objects.count() == 1


def test_everything_that_is_due_goes_in_one_payout_for_each_currency(listing, buyer, provider, now):
    dollars = make_listing(make_machine(provider, "gpu-2"), currency="USD")
    yen = make_listing(make_machine(provider, "gpu-3"), currency="JPY", price_hour=500, price_day=9000, price_week=None)
    make_stripe_account(provider, "EUR", "USD", "JPY")
    for offer in (listing, listing, dollars, yen):
        make_due(offer, buyer, now=now, days=Booking.objects.count())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.STRIPE_CONNECT", True)
        assert payouts.schedule_payouts(now=now) == 3

    found = {payout.currency: (payout.amount, payout.lines.count()) for payout in Payout.objects.all()}
    # 2000 yen hold 319 of VAT; of the net 1681 a tenth is 168.
    assert found == {"EUR": (2 * EARNED, 2), "USD": (EARNED, 1), "JPY": (Decimal(1513), 1)}


def test_each_provider_has_a_payout_of_their_own(listing, other_listing, buyer, provider, other_provider, now):
    for offer in (listing, other_listing):
        make_iban(offer.machine.provider, now=now)
        make_due(offer, buyer, now=now)
    assert payouts.schedule_payouts(now=now) == 2
    assert {payout.provider for payout in Payout.objects.all()} == {provider, other_provider}


def test_what_a_canceled_booking_keeps_is_paid_out_after_its_time(listing, buyer, provider, now, settings):
    make_iban(provider, now=now)
    booking = make_paid(listing, buyer, start=now + HOUR, asked=now)
    cancel_booking(booking_id=booking.pk, by=buyer, now=now)
    later = booking.end + settings.MARKETPLACE_DISPUTE_WINDOW

    assert payouts.schedule_payouts(now=later - HOUR) == 0
    assert payouts.schedule_payouts(now=later) == 1
    # Half of 8.00 is kept: 3.36 net, 0.34 commission.
    assert Payout.objects.get().amount == Decimal("3.02")


def test_a_booking_of_which_everything_was_given_back_is_not_paid_out(listing, buyer, provider, now):
    make_iban(provider, now=now)
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    cancel_booking(booking_id=booking.pk, by=buyer, now=now)
    assert payouts.schedule_payouts(now=now + 30 * DAY) == 0


def test_a_booking_that_still_runs_is_not_due_however_late_it_is(listing, running, provider, now):
    make_iban(provider, now=now)
    assert payouts.schedule_payouts(now=now + 30 * DAY) == 0


def test_an_erasure_that_is_not_shown_does_not_keep_the_money(listing, buyer, provider, now):
    """The buyer is out; the machine waits in quarantine."""
    make_iban(provider, now=now)
    make_over(listing, buyer, end=now - 4 * DAY)
    assert payouts.schedule_payouts(now=now) == 1


def test_less_than_the_least_waits_for_more(listing, buyer, provider, now, settings):
    make_iban(provider, now=now)
    settings.MARKETPLACE_PAYOUT_LEAST = 1000
    make_due(listing, buyer, now=now, days=1)
    assert payouts.schedule_payouts(now=now) == 0
    make_due(listing, buyer, now=now)
    assert payouts.schedule_payouts(now=now) == 1
    assert Payout.objects.get().amount == 2 * EARNED


# What is held --------------------------------------------------------------------------------------------


def test_a_hold_of_an_amount_keeps_that_much_back_until_it_is_released(listing, buyer, provider, administrator, now):
    make_iban(provider, now=now)
    booking = make_due(listing, buyer, now=now)
    hold = payout_holds.place_hold(
        booking=booking, amount=Decimal("2.05"), reason="Half an hour is disputed.", by=administrator, now=now
    )
    assert payouts.schedule_payouts(now=now) == 1
    assert Payout.objects.get().amount == Decimal("4.00")

    payout_holds.release_hold(hold=hold, reason="Settled.", by=administrator, second=another_administrator(), now=now)
    assert payouts.schedule_payouts(now=now + DAY) == 1
    assert sorted(Payout.objects.values_list("amount", flat=True)) == [Decimal("2.05"), Decimal("4.00")]
    hold.refresh_from_db()
    assert (hold.released_by, hold.released_because) == (administrator, "Settled.")
    told = Notification.objects.filter(user=provider).values_list("title", flat=True)
    assert f"Held: booking {booking.reference}" in told
    assert f"No longer held: booking {booking.reference}" in told


def test_a_hold_of_everything_keeps_everything(listing, buyer, provider, now):
    make_iban(provider, now=now)
    payout_holds.place_hold(
        booking=make_due(listing, buyer, now=now), amount=None, reason="We look into it.", by=None, now=now
    )
    assert payouts.schedule_payouts(now=now) == 0


@pytest.mark.parametrize(("amount", "reason"), [("0", "Why"), ("-1", "Why"), ("1.005", "Why"), ("1", " ")])
def test_a_hold_that_makes_no_sense_is_refused(listing, buyer, administrator, now, amount, reason):
    booking = make_due(listing, buyer, now=now)
    with pytest.raises(PaymentError):
        payout_holds.place_hold(booking=booking, amount=Decimal(amount), reason=reason, by=administrator, now=now)


def test_only_administrators_hold_and_release(listing, buyer, provider, now):
    booking = make_due(listing, buyer, now=now)
    with pytest.raises(Exception, match="administrator"):
        payout_holds.place_hold(booking=booking, amount=None, reason="Why", by=buyer, now=now)
    hold = payout_holds.place_hold(booking=booking, amount=None, reason="Why", by=None, now=now)
    with pytest.raises(Exception, match="administrator"):
        payout_holds.release_hold(hold=hold, reason="Mine", by=provider, second=another_administrator(), now=now)


def test_a_hold_is_released_once(listing, buyer, administrator, now):
    booking = make_due(listing, buyer, now=now)
    hold = payout_holds.place_hold(booking=booking, amount=None, reason="Why", by=None, now=now)
    payout_holds.release_hold(hold=hold, reason="Settled.", by=administrator, second=another_administrator(), now=now)
    with pytest.raises(PaymentError, match="already"):
        payout_holds.release_hold(hold=hold, reason="Again", by=administrator, second=another_administrator(), now=now)


@pytest.mark.parametrize(("state", "paid"), [("inquiry", 0), ("open", 0), ("won", 1), ("closed", 1)])
def test_while_a_bank_has_not_decided_the_whole_booking_is_held(listing, buyer, provider, now, state, paid):
    make_iban(provider, now=now)
    booking = make_due(listing, buyer, now=now)
    Chargeback.objects.create(
        payment=booking.payments.get(), stripe_dispute="dp_1", amount=1, currency="EUR", state=state, stripe_status="x"
    )
    assert payouts.schedule_payouts(now=now) == paid
    assert ChargebackState(state) in ChargebackState


def test_a_booking_in_dispute_is_held(listing, buyer, provider, now):
    make_iban(provider, now=now)
    booking = make_due(listing, buyer, now=now)
    Booking.objects.filter(pk=booking.pk).update(status="disputed")
    assert payouts.schedule_payouts(now=now) == 0
    (owed,) = owed_for(owing(), now=now)
    assert (owed.held, owed.payable, owed.why) == (EARNED, 0, ("The booking is in dispute.",))


# What was given back after it was paid out ---------------------------------------------------------------


def test_what_is_given_back_after_it_was_paid_out_is_taken_off_the_next_payout(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    first = payout.lines.get().booking
    give_back(first, "4", now)
    assert payouts.schedule_payouts(now=now) == 0, "there is nothing to take it off yet"

    second = make_due(listing, buyer, now=now, days=2)
    assert payouts.schedule_payouts(now=now) == 1

    lines = PayoutLine.objects.filter(payout=Payout.objects.exclude(pk=payout.pk).get())
    assert {line.booking: line.amount for line in lines} == {first: Decimal("-3.03"), second: EARNED}
    assert not owing().exists()


def test_what_is_given_back_of_a_payout_that_is_not_there_yet_is_taken_off_too(
    listing, buyer, provider, administrator, now
):
    """Paid out in two parts; what is given back is just what the second one holds."""
    make_iban(provider, now=now)
    booking = make_due(listing, buyer, now=now)
    hold = payout_holds.place_hold(booking=booking, amount=Decimal("3.03"), reason="Disputed.", by=None, now=now)
    payouts.schedule_payouts(now=now)
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    payouts.mark_received(payout=Payout.objects.get(), by=administrator, now=now)
    payout_holds.release_hold(hold=hold, reason="Settled.", by=administrator, second=another_administrator(), now=now)
    payouts.schedule_payouts(now=now)
    give_back(booking, "4", now)
    assert owed_to(provider) == 0, "by the ledger nothing is open"
    (owed,) = owed_for(owing(), now=now)
    assert owed.payable == Decimal("-3.03")


def test_a_debt_that_is_more_than_what_was_earned_waits(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    give_back(payout.lines.get().booking, "8", now)
    make_due(listing, buyer, now=now, days=2)
    assert payouts.schedule_payouts(now=now) == 0, "it comes to nothing"
    make_due(listing, buyer, now=now, days=4)
    assert payouts.schedule_payouts(now=now) == 1
    assert Payout.objects.exclude(pk=payout.pk).get().amount == EARNED


# Where to --------------------------------------------------------------------------------------------------


def test_without_an_account_nothing_is_scheduled_and_the_provider_is_asked_once_a_month(listing, buyer, provider, now):
    make_due(listing, buyer, now=now)
    for _ in range(3):
        assert payouts.schedule_payouts(now=now) == 0
    asked = OutgoingMail.objects.filter(user=provider, subject__contains="waits for an account")
    assert asked.count() == 1
    assert "€6.05" in asked.get().subject
    payouts.schedule_payouts(now=now + 32 * DAY)
    assert asked.count() == 2


def test_of_a_currency_that_cannot_be_paid_here_the_provider_is_told_so_once_a_month(
    listing, buyer, provider, now, settings
):
    settings.STRIPE_CONNECT = False
    Listing.objects.update(currency="USD")
    listing.refresh_from_db()
    make_due(listing, buyer, now=now)
    for _ in range(2):
        assert payouts.schedule_payouts(now=now) == 0
    told = provider.notifications.get(key__startswith="payout-not-offered:USD")
    assert told.title.endswith("waits: USD cannot be paid here yet")
    assert not OutgoingMail.objects.filter(subject__contains="waits for an account").exists()


def test_euros_go_to_the_iban_and_the_rest_through_stripe(provider, now, settings):
    settings.STRIPE_CONNECT = True
    stripe = make_stripe_account(provider, "EUR", "USD")
    assert payout_accounts.account_for(provider, "EUR") == stripe
    iban = make_iban(provider, now=now)
    assert payout_accounts.account_for(provider, "EUR") == iban
    assert payout_accounts.account_for(provider, "USD") == stripe
    assert payout_accounts.account_for(provider, "GBP") is None
    settings.STRIPE_CONNECT = False
    assert payout_accounts.account_for(provider, "USD") is None


def test_an_account_at_stripe_that_is_not_ready_is_not_used(provider, now, settings):
    settings.STRIPE_CONNECT = True
    make_stripe_account(provider, "USD")
    PayoutAccount.objects.update(payouts_enabled=False)
    assert payout_accounts.account_for(provider, "USD") is None


def test_an_iban_is_replaced_and_what_is_scheduled_follows(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    old = payout.account
    new = make_iban(provider, now=now + HOUR, iban=OTHER_IBAN)
    payout.refresh_from_db()
    old.refresh_from_db()
    assert (payout.account, old.replaced_at) == (new, now + HOUR)
    told = OutgoingMail.objects.filter(user=provider, subject="Where your earnings go was changed")
    assert told.count() == 2
    assert "2606" in told.latest("created_at").text


def test_what_was_sent_stays_where_it_was_sent_to(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    old = payout.account
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    make_iban(provider, now=now, iban=OTHER_IBAN)
    payout.refresh_from_db()
    assert payout.account == old


def test_an_account_that_a_payout_goes_to_is_not_removed(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    with pytest.raises(PaymentError, match="is scheduled"):
        payout_accounts.remove_account(account=payout.account, now=now)


# Tax, invoice, ledger --------------------------------------------------------------------------------------


def test_a_business_at_home_is_paid_its_tax_on_top(listing, buyer, provider, now):
    make_billing_details(provider, vat_id="DE136695976")
    payout = make_payout(listing, buyer, now=now)
    # 19 % of 6.05.
    assert (payout.amount, payout.tax, payout.net) == (Decimal("7.20"), Decimal("1.15"), EARNED)
    assert owed_to(provider) == Decimal("7.20")
    assert LedgerTransaction.objects.filter(payout=payout, kind=Posting.PROVIDER_TAX).count() == 1


def test_an_invoice_is_made_out_for_the_provider_with_the_payout(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    invoice = Invoice.objects.get(payout=payout)
    assert (invoice.series, invoice.owner, invoice.gross, invoice.tax) == ("SB", provider, EARNED, 0)


def test_the_provider_is_told_with_the_payout(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    mail = OutgoingMail.objects.get(user=provider, key=f"payout-scheduled:{payout.pk}")
    assert mail.subject == "Your payout of €6.05"
    assert "DE89 … 3000" in mail.text
    assert payout.reference in mail.text
    told = Notification.objects.get(user=provider, key=f"payout-scheduled:{payout.pk}")
    assert told.link == f"/billing/payouts/{payout.pk}/"


def test_sent_is_not_received(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    assert owed_to(provider) == EARNED
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    assert owed_to(provider) == EARNED
    assert balance(AccountKind.PAYOUTS, currency="EUR") == EARNED
    assert balance(AccountKind.BANK, currency="EUR") == -EARNED

    received = payouts.mark_received(payout=payout, by=administrator, now=now + DAY)

    assert (received.status, received.received_at) == (PayoutStatus.RECEIVED, now + DAY)
    assert owed_to(provider) == balance(AccountKind.PAYOUTS, currency="EUR") == 0
    assert not owing().exists()


# Failures ----------------------------------------------------------------------------------------------------


def test_a_payout_that_failed_is_owed_again_and_waits_for_a_person(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    failed = payouts.mark_failed(payout=payout, reason="The account is closed.", by=administrator, now=now)

    assert (failed.status, failed.failure) == (PayoutStatus.FAILED, "The account is closed.")
    assert owed_to(provider) == EARNED
    assert balance(AccountKind.BANK, currency="EUR") == balance(AccountKind.PAYOUTS, currency="EUR") == 0
    assert payouts.schedule_payouts(now=now + DAY) == 0, "it would be invoiced a second time"
    mail = OutgoingMail.objects.get(user=provider, key=f"payout-failed:{payout.pk}")
    assert "The account is closed." in mail.text
    told = Notification.objects.get(user=administrator, key=f"payout-failed:{payout.pk}")
    assert told.link == f"/admin/billing/payout/{payout.pk}/change/"


def test_a_payout_that_failed_is_tried_again_with_the_same_invoice(listing, buyer, provider, administrator, now):
    make_billing_details(provider, vat_id="DE136695976")
    payout = make_payout(listing, buyer, now=now)
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    payouts.mark_failed(payout=payout, reason="The account is closed.", by=administrator, now=now)
    account = make_iban(provider, now=now, iban=OTHER_IBAN)

    retry = payouts.retry_payout(payout=payout, by=administrator, now=now + DAY)

    assert (retry.account, retry.amount, retry.tax) == (account, payout.amount, payout.tax)
    assert [(line.booking_id, line.amount) for line in retry.lines.all()] == [
        (line.booking_id, line.amount) for line in payout.lines.all()
    ]
    sepa_files.make_sepa_file(by=administrator, now=now + DAY, execute_on=now.date() + DAY)
    payouts.mark_received(payout=retry, by=administrator, now=now + 2 * DAY)
    assert Invoice.objects.filter(series="SB").count() == 1
    assert owed_to(provider) == 0
    assert payouts.schedule_payouts(now=now + 3 * DAY) == 0
    assert not owing().exists()
    assert balance(AccountKind.BANK, currency="EUR") == -payout.amount


def test_only_what_failed_is_tried_again_and_once(listing, buyer, administrator, provider, now):
    payout = make_payout(listing, buyer, now=now)
    with pytest.raises(PaymentError, match="has failed"):
        payouts.retry_payout(payout=payout, by=administrator, now=now)
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    with pytest.raises(Exception, match="administrator"):
        payouts.retry_payout(payout=payout, by=provider, now=now)
    payouts.retry_payout(payout=payout, by=administrator, now=now)
    with pytest.raises(PaymentError, match="already"):
        payouts.retry_payout(payout=payout, by=administrator, now=now)


def test_a_retry_needs_an_account(listing, buyer, administrator, provider, now):
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    payout_accounts.remove_account(account=payout.account, now=now)
    with pytest.raises(PaymentError, match="no account"):
        payouts.retry_payout(payout=payout, by=administrator, now=now)


def test_what_is_not_owed_any_more_is_not_paid_by_a_retry(listing, buyer, provider, administrator, now):
    """The rest waits until what was given back is taken off something else."""
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    give_back(payout.lines.get().booking, "4", now)
    with pytest.raises(PaymentError, match=r"€3\.03 of it is not owed any more"):
        payouts.retry_payout(payout=payout, by=administrator, now=now)

    make_due(listing, buyer, now=now, days=2)
    assert payouts.schedule_payouts(now=now) == 1
    payouts.retry_payout(payout=payout, by=administrator, now=now)
    together = sum(row.amount for row in Payout.objects.exclude(pk=payout.pk))
    assert together == owed_to(provider) == EARNED + EARNED - Decimal("3.03")


@pytest.mark.parametrize("why", ["a hold", "a chargeback", "a dispute"])
def test_what_is_held_since_is_not_paid_by_a_retry(listing, buyer, provider, administrator, now, why):
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    booking = payout.lines.get().booking
    if why == "a hold":
        payout_holds.place_hold(booking=booking, amount=Decimal(1), reason="Looked into.", by=None, now=now)
    elif why == "a chargeback":
        payment = booking.payments.get()
        Chargeback.objects.create(
            payment=payment, stripe_dispute="dp_1", amount=1, currency="EUR", state="open", stripe_status="x"
        )
    else:
        Booking.objects.filter(pk=booking.pk).update(status="disputed")
    with pytest.raises(PaymentError, match="is held"):
        payouts.retry_payout(payout=payout, by=administrator, now=now)
    assert not Payout.objects.filter(retry_of=payout).exists()


def test_a_hold_of_what_was_in_no_payout_does_not_stop_a_retry(listing, buyer, provider, administrator, now):
    make_iban(provider, now=now)
    booking = make_due(listing, buyer, now=now)
    payout_holds.place_hold(booking=booking, amount=Decimal(2), reason="Disputed.", by=None, now=now)
    payouts.schedule_payouts(now=now)
    payout = Payout.objects.get()
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    assert payouts.retry_payout(payout=payout, by=administrator, now=now).amount == EARNED - 2


def test_a_bank_may_send_money_back_after_it_was_received(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    payouts.mark_received(payout=payout, by=administrator, now=now)
    payouts.mark_failed(payout=payout, reason="Sent back.", by=administrator, now=now)
    payout.refresh_from_db()
    assert payout.received_at is None
    assert owed_to(provider) == EARNED
    assert balance(AccountKind.BANK, currency="EUR") == 0


def test_what_a_person_says_is_said_by_administrators_and_fits(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    with pytest.raises(PaymentError, match="sent"):
        payouts.mark_received(payout=payout, by=administrator, now=now)
    with pytest.raises(PaymentError, match="Say why"):
        payouts.mark_failed(payout=payout, reason=" ", by=administrator, now=now)
    for service in (payouts.mark_received, partial(payouts.mark_failed, reason="Why")):
        with pytest.raises(Exception, match="administrator"):
            service(payout=payout, by=provider, now=now)


# At the same moment ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_pay_once(listing, buyer, provider, now):
    make_iban(provider, now=now)
    make_due(listing, buyer, now=now)
    results = at_once([partial(payouts.schedule_payouts, now=now)] * 6)
    assert sorted(results) == [0, 0, 0, 0, 0, 1]
    assert Payout.objects.get().amount == EARNED


@pytest.mark.django_db(transaction=True)
def test_without_the_locks_two_sweeps_pay_twice(listing, buyer, provider, now, monkeypatch):
    make_iban(provider, now=now)
    monkeypatch.setattr(payouts, "lock_earnings", lambda *_: True)
    monkeypatch.setattr(payouts, "_locked_provider", lambda pk: User.objects.get(pk=pk))

    for attempt in range(10):
        booking = make_due(listing, buyer, now=now, days=attempt)
        at_once([partial(payouts.schedule_payouts, now=now)] * 6)
        if PayoutLine.objects.filter(booking=booking).count() > 1:
            break

    assert PayoutLine.objects.filter(booking=booking).count() > 1


@pytest.mark.django_db(transaction=True)
def test_retries_at_once_make_one(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="A wrong account.", by=administrator, now=now)
    results = at_once([partial(payouts.retry_payout, payout=payout, by=administrator, now=now)] * 4)
    assert sorted(type(result).__name__ for result in results) == ["PaymentError"] * 3 + ["Payout"]


@pytest.mark.django_db(transaction=True)
def test_a_new_iban_and_a_sweep_at_once_leave_nothing_for_the_old_account(listing, buyer, provider, now):
    make_iban(provider, now=now)
    make_due(listing, buyer, now=now)
    at_once(
        [
            partial(payouts.schedule_payouts, now=now),
            partial(make_iban, provider, now=now, iban=OTHER_IBAN),
            partial(payouts.schedule_payouts, now=now),
        ]
    )
    assert Payout.objects.get().account == PayoutAccount.objects.current().get(user=provider)
