"""What a buyer is shown that comes back, is what comes back: also where a part of the payment went back before."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from accounts.models import OutgoingMail
from billing.gateway import Dispute
from billing.models import Payment, PayoutHold, Refund, RefundReason
from billing.services.chargebacks import AFTER_ALL, take_dispute
from billing.services.refunds import request_refund
from bookings.errors import RefundChanged
from bookings.lost_time import lost_time
from bookings.mails import mismatch
from bookings.models import Booking
from bookings.services import settle
from bookings.services.cancel import cancel_booking
from bookings.services.end_early import end_early
from bookings.services.extend import request_extension
from bookings.services.leave import leave_mismatched
from bookings.services.run import end_booking
from bookings.services.stages import cut_to_paid
from bookings.terms import refund_for, refund_for_ending
from tests.people import HOUR, make_listing, make_paid, make_running, mark_charge_paid, minute

pytestmark = pytest.mark.django_db
migration = import_module("billing.migrations.0017_given_back_of_every_booking")


@transaction.atomic
def give(booking: Booking, amount: str, *, now) -> Booking:
    """Give a part of its only payment back, for a reason of a person's."""
    payment = Payment.objects.get(booking=booking)
    request_refund(payment=payment, amount=Decimal(amount), reason=RefundReason.GOODWILL, by=None, now=now)
    return Booking.objects.get(pk=booking.pk)


def refunded(booking: Booking) -> Decimal:
    return Refund.objects.filter(payment__booking=booking).aggregate(total=Sum("amount"))["total"]


def mails_say(sentence: str, *people) -> bool:
    return all(OutgoingMail.objects.filter(user=person, text__contains=sentence).exists() for person in people)


@pytest.fixture
def near(machine, buyer, now):
    """Four hours for 8 EUR, within a day and by terms that give half of it back."""
    listing = make_listing(machine, cancellation_terms="moderate", price_hour=2, price_day=None, price_week=None)
    return make_paid(listing, buyer, start=now + 20 * HOUR, asked=now)


@pytest.mark.parametrize(
    ("before", "back", "kept"),
    [("0.01", "4.00", "3.99"), ("4.00", "4.00", "0.00"), ("4.01", "3.99", "0.00"), ("8.00", "0.00", "0.00")],
)
def test_canceling_by_the_terms_gives_back_no_more_than_is_left(near, client, now, before, back, kept):
    booking = give(near, before, now=now)
    refund = refund_for(booking, by_provider=False, now=now)
    assert (refund.before, refund.back, refund.kept) == (Decimal(before), Decimal(back), Decimal(kept))

    client.force_login(booking.buyer)
    page = client.get(f"/bookings/{booking.pk}/cancel/").content.decode()
    assert f'Given back before</td><td class="num">−€{before}' in page
    assert f'name="expected_back" value="{back}"' in page
    cancel_booking(booking_id=booking.pk, by=booking.buyer, now=now, expected_back=refund.back)
    assert refunded(booking) == Decimal(before) + Decimal(back)
    assert mails_say(f"€{back} of €8.00 comes back. €{before} of it went back before.", booking.buyer)


def test_a_provider_who_cancels_gives_back_what_is_left(near, provider, now):
    booking = give(near, "3.00", now=now)
    cancel_booking(booking_id=booking.pk, by=provider, now=now, expected_back=Decimal("5.00"))
    assert refunded(booking) == Decimal("8.00")


@pytest.mark.parametrize(("before", "back"), [("0.50", "3.00"), ("6.00", "2.00"), ("8.00", "0.00")])
def test_ending_early_gives_back_no_more_than_is_left(machine, buyer, client, now, before, back):
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=1, price_day=None, price_week=None)
    booking = give(make_running(listing, buyer, start=minute(now) - 4 * HOUR, hours=8), before, now=now)
    ending = refund_for_ending(booking, now=minute(now))
    # Of the four hours that are left the first is too near.
    assert (ending.by_terms, ending.before, ending.back) == (Decimal("3.00"), Decimal(before), Decimal(back))
    assert ending.before + ending.back + ending.kept == ending.price == Decimal("8.00")

    client.force_login(buyer)
    page = client.get(f"/bookings/{booking.pk}/end/").content.decode()
    assert f'Given back before</td><td class="num">−€{before}' in page
    end_early(booking_id=booking.pk, by=buyer, now=minute(now), expected_back=ending.back)
    assert refunded(booking) == Decimal(before) + Decimal(back)
    assert mails_say(f"€{back} of €8.00 comes back to you. €{before} of it went back before.", buyer)


def test_never_let_in_what_is_left_comes_back_and_everybody_reads_how_much(listing, buyer, provider, now):
    booking = give(make_running(listing, buyer, start=now - 5 * HOUR, access=False), "3.00", now=now)
    assert end_booking(booking_id=booking.pk, now=now)
    booking.refresh_from_db()
    assert (booking.lost_amount, refunded(booking)) == (Decimal("5.00"), Decimal("8.00"))
    assert mails_say("€5.00 goes back to the buyer: all that had not gone back before.", buyer, provider)


def test_where_all_of_it_went_back_before_nobody_reads_of_nothing(listing, buyer, provider, now):
    booking = give(make_running(listing, buyer, start=now - 5 * HOUR, access=False), "8.00", now=now)
    assert end_booking(booking_id=booking.pk, now=now)
    assert refunded(booking) == Decimal("8.00")
    assert mails_say("Nothing of the price is left to go back: all of it went back before.", buyer, provider)
    assert not mails_say("€0.00", buyer)


def test_lost_time_is_told_with_what_comes_back_for_it(listing, buyer, now):
    booking = give(make_running(listing, buyer, start=now - 4 * HOUR), "7.00", now=now)
    Booking.objects.filter(pk=booking.pk).update(late_minutes=60, down_minutes=0)
    booking.refresh_from_db()
    assert lost_time(booking, now=booking.end).amount == Decimal("1.00")  # an hour was worth 2 EUR
    with transaction.atomic():
        assert settle.settle(booking, now=booking.end)
    assert refunded(booking) == Decimal("8.00")
    assert mails_say("€1.00 of €8.00 comes back to you.", buyer)


def test_bookings_of_before_get_what_went_back_of_them(near, listing, other_buyer, now):
    untouched = make_paid(listing, other_buyer, start=now + timedelta(days=9), asked=now)
    give(near, "3.00", now=now)
    Booking.objects.update(given_back=0)
    with connection.cursor() as cursor:
        cursor.execute(migration.GIVEN_BACK)
    kept = dict(Booking.objects.values_list("pk", "given_back"))
    assert kept == {near.pk: Decimal("3.00"), untouched.pk: Decimal("0.00")}


# Cut to its paid time --------------------------------------------------------------------------------------------


@pytest.fixture
def cut_soon(machine, buyer, now):
    """Seventy days in stages, 1 EUR an hour; 672 EUR and an extension of 50 EUR are paid, stage 2 is not."""
    listing = make_listing(machine, price_hour=1, price_day=None, price_week=None, max_hours=24 * 90)
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=70 * 24)
    longer = request_extension(booking_id=booking.pk, by=buyer, new_end=booking.end + 50 * HOUR, now=now)
    mark_charge_paid(longer, now=now)
    return Booking.objects.get(pk=booking.pk)


@pytest.mark.parametrize(
    ("of_first", "of_extension", "back"),
    [
        (0, 0, 50),
        (50, 0, 50),  # what went back of the time that stays, is none of it
        (0, 20, 30),
        (0, 50, 0),
        (672, 50, 0),
    ],
)
def test_cut_to_its_paid_time_of_what_was_paid_for_later_goes_back_what_had_not(
    cut_soon, buyer, now, of_first, of_extension, back
):
    first, extension = Payment.objects.filter(booking=cut_soon).order_by("amount_total").reverse()
    for payment, amount in ((first, of_first), (extension, of_extension)):
        if amount:
            with transaction.atomic():
                request_refund(payment=payment, amount=Decimal(amount), reason=RefundReason.GOODWILL, by=None, now=now)
    assert cut_to_paid(charge_id=cut_soon.charges.get(number=2).pk, now=now)

    after = Booking.objects.get(pk=cut_soon.pk)
    assert (after.price_total, after.given_back, after.kept_so_far) == (672, of_first, 672 - of_first)
    owed = {payment: sum(refund.amount for refund in payment.refunds.all()) for payment in (first, extension)}
    assert owed == {first: of_first, extension: of_extension + back}
    line = after.events.get(what="Ends early: stage 2 was not paid")
    assert line.detail.endswith(f". €{back}.00 comes back." if back else f"{after.end:%H:%M} UTC.")
    assert mails_say(f"€{back}.00 that you had paid for later time comes back.", buyer) == bool(back)
    assert mails_say("that you had paid for later time", buyer) == bool(back)


def test_cut_after_the_bank_gave_the_later_time_back_nothing_goes_back_again(cut_soon, buyer, now):
    extension = Payment.objects.get(booking=cut_soon, amount_total=50)
    lost = Dispute("dp_lost", "lost", 5000, "EUR", "general", extension.stripe_payment_intent, now, None)
    take_dispute(lost, now=now)
    assert cut_to_paid(charge_id=cut_soon.charges.get(number=2).pk, now=now)

    assert not Refund.objects.exists()
    assert Booking.objects.get(pk=cut_soon.pk).kept_so_far == 672
    assert not mails_say("that you had paid for later time", buyer)

    take_dispute(replace(lost, status="won"), now=now + HOUR)
    assert PayoutHold.objects.get(booking=cut_soon).reason == AFTER_ALL


# Leaving a machine that is not as booked -------------------------------------------------------------------------

LACKS = [{"what": "GPUs", "before": "2", "after": "1"}]


def mismatched(booking: Booking) -> Booking:
    Booking.objects.filter(pk=booking.pk).update(mismatch=LACKS)
    return Booking.objects.get(pk=booking.pk)


def test_who_may_leave_is_shown_what_was_paid_and_not_what_would_be(cut_soon, buyer, client, now):
    """Of 1,730 EUR in all."""
    booking = mismatched(cut_soon)
    mismatch(booking)
    assert mails_say("You may leave and get all of €722.00 back, or keep it as it is.", buyer)
    client.force_login(buyer)
    assert "get all of €722.00 back" in client.get(f"/bookings/{booking.pk}/").content.decode()
    page = client.get(f"/bookings/{booking.pk}/leave/").content.decode()
    assert re.findall("€[0-9,.]+", page) == ["€722.00"]
    assert 'name="expected_back" value="722.00"' in page


@pytest.mark.parametrize(
    ("before", "back", "said"),
    [
        ("3.00", "5.00", "You have left it. €5.00 comes back, the rest has before."),
        ("8.00", "0.00", "You have left it."),
    ],
)
def test_who_leaves_gets_what_had_not_gone_back(listing, buyer, provider, client, now, before, back, said):
    booking = give(mismatched(make_running(listing, buyer, start=minute(now) - HOUR)), before, now=now)
    address = f"/bookings/{booking.pk}/leave/"
    client.force_login(buyer)
    page = client.get(address).content.decode()
    assert f'Given back before</td><td class="num">−€{before}' in page
    assert f'name="expected_back" value="{back}"' in page

    refused = client.post(address, {"expected_back": "8.00"})
    assert refused.status_code == 409
    assert f"What comes back has changed meanwhile: €{back}, not €8.00." in refused.content.decode()
    assert f'name="expected_back" value="{back}"' in refused.content.decode()
    assert refunded(booking) == Decimal(before)
    with pytest.raises(RefundChanged):
        leave_mismatched(booking_id=booking.pk, by=buyer, now=now, expected_back=Decimal("8.00"))
    assert client.post(address, {"expected_back": "all"}).status_code == 422

    done = client.post(address, {"expected_back": back}, follow=True)
    assert said in done.content.decode()
    assert refunded(booking) == Decimal("8.00")
    nothing = back == "0.00"
    line = Booking.objects.get(pk=booking.pk).events.get(what="Left: the machine is not as booked")
    assert line.detail == ("" if nothing else f"€{back} comes back.")
    assert mails_say(
        "All that you paid had come back before." if nothing else f"€{back} comes back: all that had", buyer
    )
    assert mails_say("Nothing of the price is left" if nothing else f"€{back} goes back to the buyer: all", provider)


def test_of_whom_all_went_back_the_pages_promise_nothing(near, client, now):
    booking = mismatched(give(near, "8.00", now=now))
    mismatch(booking)
    assert mails_say("You may leave, or keep it as it is. All that you paid for it has gone back already.", near.buyer)
    client.force_login(near.buyer)
    assert "All that you paid for it has gone back already." in client.get(f"/bookings/{booking.pk}/").content.decode()
