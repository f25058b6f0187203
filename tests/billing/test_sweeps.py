"""Every sweep runs twice at once and twice in a row, and each thing that was due happens once."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts import tasks as accounts_tasks
from accounts.models import OutgoingMail
from accounts.outbox import write_mail
from billing import tasks as billing_tasks
from billing.models import Payment, PaymentStatus, Refund, RefundStatus, WebhookEvent
from billing.services import payments, webhooks
from bookings import tasks as bookings_tasks
from bookings.access import KINDS
from bookings.lifecycle import BookingStatus
from bookings.models import Booking
from bookings.services.cancel import cancel_booking
from machines.models import AccessKind, Machine
from tests.people import DAY, HOUR, enter_access, make_hold, make_over, make_paid, make_running
from tests.racing import twice_at_once
from tests.stripe_standin import NEEDS_AUTHENTICATION, pay_by_card

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def happened(booking: Booking, what: str) -> int:
    return booking.events.filter(what=what).count()


def mails(key: str) -> int:
    return OutgoingMail.objects.filter(key=key).count()


def test_a_lapsed_hold_is_canceled_once(listing, buyer, now):
    booking = make_hold(listing, buyer, start=now + DAY, asked=now - HOUR)

    moved = twice_at_once(bookings_tasks.cancel_unpaid_holds)

    assert sum(moved) == 1
    booking.refresh_from_db()
    assert booking.is_canceled
    assert happened(booking, "Canceled: not paid in time") == 1
    assert mails(f"booking-canceled:{booking.pk}") == 1


def test_a_booking_starts_once(listing, buyer, now):
    booking = make_paid(listing, buyer, start=now - MINUTE, asked=now - HOUR)

    moved = twice_at_once(bookings_tasks.start_bookings)

    assert sum(moved) == 1
    booking.refresh_from_db()
    assert booking.is_active
    assert happened(booking, "Started") == 1
    assert mails(f"access-needed:{booking.pk}") == 1
    assert mails(f"booking-started:{booking.pk}") == 1


def test_a_booking_ends_once(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - 5 * HOUR)

    moved = twice_at_once(bookings_tasks.end_bookings)

    assert sum(moved) == 1
    booking.refresh_from_db()
    assert booking.is_awaiting_wipe
    assert happened(booking, "Over: the machine is being erased") == 1
    assert mails(f"wipe-needed:{booking.pk}") == 1


def test_a_booking_that_was_never_handed_over_is_refunded_once(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - 5 * HOUR, access=False)

    moved = twice_at_once(bookings_tasks.end_bookings)

    assert sum(moved) == 1
    booking.refresh_from_db()
    assert booking.status == BookingStatus.COMPLETED
    assert happened(booking, "Over, never handed over") == 1
    (refund,) = Refund.objects.filter(payment__booking=booking)
    assert refund.amount == booking.price_total


def test_a_booking_kept_waiting_to_its_end_is_canceled_and_refunded_once(listing, buyer, other_buyer, now):
    make_over(listing, buyer, end=now - 6 * HOUR)
    booking = make_paid(listing, other_buyer, start=now - 5 * HOUR, asked=now - 10 * HOUR)

    moved = twice_at_once(bookings_tasks.cancel_undelivered)

    assert sum(moved) == 1
    booking.refresh_from_db()
    assert booking.is_canceled
    assert happened(booking, "Canceled: the machine could not be handed over") == 1
    (refund,) = Refund.objects.filter(payment__booking=booking)
    assert refund.amount == booking.price_total


def test_a_buyer_who_is_kept_waiting_is_told_once(listing, buyer, other_buyer, now):
    make_over(listing, buyer, end=now - 2 * HOUR)
    booking = make_paid(listing, other_buyer, start=now - HOUR, asked=now - 10 * HOUR)

    moved = twice_at_once(bookings_tasks.start_bookings)

    assert sum(moved) == 0
    assert booking.events.filter(what__startswith="Delayed").count() == 1
    assert mails(f"booking-delayed:{booking.pk}") == 1


def test_a_mail_is_sent_once(buyer, now):
    for number in range(5):
        write_mail(user=buyer, key=f"mail-{number}", subject=f"Mail {number}", paragraphs=["Text."])

    sent = twice_at_once(accounts_tasks.send_mails)

    assert sum(sent) == 5
    assert sorted(message.subject for message in mail.outbox) == [f"Mail {number}" for number in range(5)]
    assert not OutgoingMail.objects.filter(sent_at=None).exists()


def test_a_refund_is_made_once(stripe, held, now):
    pay_by_card(stripe, held, now=now)
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)

    made = twice_at_once(billing_tasks.make_refunds)

    assert sum(made) == 1
    (refund,) = Refund.objects.all()
    assert refund.status == RefundStatus.MADE
    assert stripe.refunded(held) == [int(held.price_total * 100)]
    assert mails(f"refund-made:{refund.pk}") == 1
    assert held.events.filter(what__endswith=" refunded").count() == 1


def test_a_payment_that_nobody_told_us_of_is_found_once(stripe, held, now):
    a_while_ago = timezone.now() - 2 * payments.QUIET
    payment = pay_by_card(stripe, held, now=a_while_ago, number=NEEDS_AUTHENTICATION)
    assert payment.status == PaymentStatus.INCOMPLETE
    stripe.authenticate(payment, success=True)

    asked = twice_at_once(billing_tasks.ask_after_payments)

    assert sum(asked) == 1
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.PAID
    assert happened(held, "Paid and confirmed") == 1
    assert mails(f"booking-confirmed:{held.pk}") == 2, "one to the buyer, one to the provider"


def test_a_webhook_is_processed_once(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)
    event = {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "data": {"object": {"id": payment.stripe_payment_intent}},
    }
    assert webhooks.store_event(event, now=now)

    done = twice_at_once(billing_tasks.process_webhooks)

    assert sum(done) == 1
    row = WebhookEvent.objects.get()
    assert row.processed_at
    assert row.attempts == 1
    assert happened(held, "Paid and confirmed") == 1
    assert Payment.objects.get().status == PaymentStatus.PAID


def test_sweeps_with_nothing_to_do_do_nothing(running, now):
    every = [
        bookings_tasks.cancel_unpaid_holds,
        bookings_tasks.start_bookings,
        bookings_tasks.end_bookings,
        bookings_tasks.cancel_undelivered,
        billing_tasks.process_webhooks,
        billing_tasks.ask_after_payments,
        billing_tasks.make_refunds,
    ]
    assert [sweep() for sweep in every] == [0] * len(every)


def test_one_booking_that_fails_does_not_keep_the_others_waiting(listing, other_listing, buyer, now, monkeypatch):
    """The first one's access cannot be opened; the second one's can."""
    broken = make_paid(listing, buyer, start=now - 2 * MINUTE, asked=now - HOUR)
    sound = make_paid(other_listing, buyer, start=now - MINUTE, asked=now - HOUR)
    enter_access(sound, now=now)
    Machine.objects.filter(pk=listing.machine_id).update(access_kind=AccessKind.CONTAINER)
    monkeypatch.delitem(KINDS, AccessKind.CONTAINER)

    assert bookings_tasks.start_bookings() == 1

    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.status) == (BookingStatus.PENDING, BookingStatus.ACTIVE)
    assert happened(broken, "Started") == 0, "nothing half-done"


def test_one_mail_that_cannot_be_written_does_not_keep_the_others_waiting(buyer, other_buyer, now):
    write_mail(user=buyer, key="broken", subject="Broken", paragraphs=["No server takes such a subject."])
    OutgoingMail.objects.update(subject="Two\nlines")
    write_mail(user=other_buyer, key="sound", subject="Sound", paragraphs=["Text."])

    assert accounts_tasks.send_mails() == 1

    assert [message.subject for message in mail.outbox] == ["Sound"]
    broken = OutgoingMail.objects.get(key="broken")
    assert broken.sent_at is None
    assert broken.attempts == 1
    assert broken.error
    assert broken.next_attempt_at > timezone.now()


def test_a_line_break_in_a_name_does_not_get_into_a_subject(buyer, now):
    write_mail(user=buyer, key="named", subject="Held for you: two\r\nlines", paragraphs=["Text."])

    assert accounts_tasks.send_mails() == 1

    assert [message.subject for message in mail.outbox] == ["Held for you: two lines"]
