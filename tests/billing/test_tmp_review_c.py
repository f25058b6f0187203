"""Deadlock, stale clock, early end vs price, poison."""
import threading
from datetime import timedelta
from decimal import Decimal
import pytest
from django.db import connection, transaction
from billing.models import *  # noqa
from billing.models import Payment, Refund, SavedCard, Invoice, Subscription
from billing.services import payments, refunds, stages, ledger
from billing.services.cards import customer_of
from bookings.models import Charge, Booking
from bookings.services.end_early import end_early
from bookings.terms import refund_for_ending
from machines import pricing
from tests.people import DAY, HOUR, make_listing, make_machine, make_running, make_paid, mark_charge_paid, minute
from tests.stripe_server import cards as numbers
from tests.stripe_server.client import lost

MIN = timedelta(minutes=1)


@pytest.mark.django_db
def test_08_a_charge_in_flight_is_failed_because_the_sweeps_clock_stands(provider, buyer, now, processor):
    listing = make_listing(make_machine(provider, "a"), max_hours=24 * 90)
    booking = make_running(listing, buyer, start=minute(now) - 22 * DAY, hours=60 * 24)
    method = processor.card(numbers.GOOD, customer=customer_of(buyer))
    SavedCard.objects.create(user=buyer, stripe_payment_method=method, brand="Visa", last4="4242", exp_month=12, exp_year=2099)
    seen = []

    def fault(asked, answer):
        # while our call is on its way for the first time, the next sweep comes: real time is 125 s after this one began
        if answer is None and asked.method == "POST" and asked.path.startswith("/v1/payment_intents") and not seen:
            seen.append(1)
            stages.charge_due_stages(now=now + timedelta(seconds=125))
            seen.append(Payment.objects.get(charge__booking=booking, off_session=True).failure)
        return None

    processor.fault = fault
    stages.charge_due_stages(now=now)
    print(seen, [(p.status, p.failure) for p in Payment.objects.filter(charge__booking=booking)])
    assert seen[1] == ""


@pytest.mark.django_db
def test_14_booking_long_and_ending_early_is_cheaper_than_booking_short(listing, buyer, now):
    rates = listing.rates
    listing.cancellation_terms = "flexible"; listing.save()
    b = make_running(listing, buyer, start=minute(now) - 2 * HOUR, hours=7 * 24)
    e = refund_for_ending(b, now=now)
    short = pricing.quote(rates, b.start, b.start + 4 * HOUR).total
    used = e.end - b.start
    print("week", b.price_total, "kept", e.kept, "for", used, "; 4 hours cost", short, "2h+ cost", pricing.quote(rates, b.start, e.end).total)
    assert e.kept >= pricing.quote(rates, b.start, e.end).total


@pytest.mark.django_db(transaction=True)
def test_10_deadlock_of_ask_again_and_a_refund_over_two_payments(listing, buyer, administrator, now):
    from django.db.utils import OperationalError
    b = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    from bookings.services.extend import request_extension
    c = request_extension(booking_id=b.pk, by=buyer, new_end=b.end + 5 * HOUR, now=now + MIN)
    p2 = mark_charge_paid(Charge.objects.get(pk=c.pk), now=now + 2 * MIN)
    p1 = Payment.objects.get(charge__number=1, booking=b)
    r = None
    with transaction.atomic():
        r = refunds.request_refund(payment=p1, amount=Decimal(1), reason="goodwill", by=None, now=now)
        refunds.give_up(refund_id=r.pk, why="x", now=now)
    r.refresh_from_db()
    barrier = threading.Barrier(2, timeout=20)
    errors = []
    original = refunds.issue_credit_note

    def slow(*, refund, now):
        # both: stand at the same place just before taking the number of p2 / p1
        out = None
        if threading.current_thread().name == "cancel" and refund.payment_id == p2.pk:
            out = original(refund=refund, now=now)
            barrier.wait()
            import time; time.sleep(1)
            return out
        if threading.current_thread().name == "admin":
            barrier.wait()
        return original(refund=refund, now=now)

    refunds.issue_credit_note = slow

    def run(f):
        try:
            f()
        except Exception as e:  # noqa
            errors.append(repr(e))
        finally:
            connection.close()

    from bookings.services.cancel import cancel_booking
    a = threading.Thread(name="cancel", target=run, args=(lambda: cancel_booking(booking_id=b.pk, by=b.machine.provider, now=now + HOUR),))
    # give new room: ask_again of 1 EUR of p1
    d = threading.Thread(name="admin", target=run, args=(lambda: refunds.ask_again(refund=r, by=administrator, now=now + HOUR),))
    a.start(); d.start(); a.join(30); d.join(30)
    refunds.issue_credit_note = original
    print(errors, [(x.amount, x.status) for x in Refund.objects.all()])
    assert not errors


@pytest.mark.django_db
def test_15_second_statement_appends_to_an_old_transaction(paid, now):
    t = LedgerTransaction.objects.first()
    acc = list(LedgerAccount.objects.filter(currency="EUR")[:2])
    from django.db import DatabaseError
    with pytest.raises(DatabaseError), transaction.atomic():
        LedgerEntry.objects.bulk_create([LedgerEntry(transaction=t, account=acc[0], currency="EUR", amount=5), LedgerEntry(transaction=t, account=acc[1], currency="EUR", amount=-5)])
        print("appended to", t.kind, t.at)


@pytest.mark.django_db
def test_16_number_text_and_issued_at_are_not_checked(paid, now):
    from django.db import DatabaseError
    row = Invoice.objects.get()
    from billing.services.numbering import take_number
    with pytest.raises(DatabaseError), transaction.atomic():
        seq, _ = take_number(series="INV", year=1999)
        Invoice.objects.create(series="INV", year=1999, sequence=seq, number="ANYTHING", issued_at=now, owner=row.owner, currency="EUR", net=1, tax=0, gross=1, tax_kind="none", tax_rate=0, document={})
        print("made")
