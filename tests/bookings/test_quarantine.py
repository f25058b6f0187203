"""Nobody meets another buyer's data: after a booking nothing starts on a machine that was not shown to be clean."""

import hashlib
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import OutgoingMail
from billing.models import Refund, RefundReason
from bookings import tasks
from bookings.errors import BookingError, NotYours
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, WipeMethod, WipeStatus
from bookings.services import cancel, handover, run
from tests.people import DAY, HOUR, enter_access, make_listing, make_over, make_paid, make_running, minute, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
STEPS = list(WipeMethod.values)


@pytest.fixture
def over(listing, buyer, now) -> Booking:
    """Ended two hours ago, not wiped."""
    return make_over(listing, buyer, end=now - 2 * HOUR)


@pytest.fixture
def waiting(over, other_buyer, now) -> Booking:
    """The next one: paid, should have begun an hour ago, lasts two hours more."""
    return make_paid(over.listing, other_buyer, start=minute(now) - HOUR, hours=3, asked=now - 12 * HOUR)


def status_of(booking: Booking) -> str:
    booking.refresh_from_db()
    return booking.status


def test_the_next_booking_does_not_start_on_a_machine_that_is_not_clean(waiting, now):
    assert not run.start_booking(booking_id=waiting.pk, now=now)
    assert tasks.start_bookings() == 0
    assert status_of(waiting) == BookingStatus.PENDING
    assert list(Booking.objects.kept_waiting(now=now)) == [waiting]


def test_not_before_the_last_step_has_succeeded(over, waiting, now):
    for done, step in enumerate(STEPS, start=1):
        assert tasks.start_bookings() == 0, f"after {done - 1} of {len(STEPS)} steps"
        record_wipe(over, now=now, methods=[step])

    assert status_of(over) == BookingStatus.COMPLETED
    assert over.wiped_at == over.completed_at == now
    assert tasks.start_bookings() == 1
    assert status_of(waiting) == BookingStatus.ACTIVE
    assert not Booking.objects.awaiting_wipe().exists()


@pytest.mark.parametrize("status", [WipeStatus.FAILED, WipeStatus.PARTIAL])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_failed_keeps_the_quarantine_until_its_retry_succeeds(over, waiting, now, step, status):
    record_wipe(over, now=now, methods=[other for other in STEPS if other != step])
    record_wipe(over, now=now, methods=[step], status=status)
    assert status_of(over) == BookingStatus.ACTIVE
    assert not run.start_booking(booking_id=waiting.pk, now=now)

    later = now + MINUTE
    record_wipe(over, now=later, methods=[step])

    assert status_of(over) == BookingStatus.COMPLETED
    assert run.start_booking(booking_id=waiting.pk, now=later)
    assert over.wipes.filter(method=step).count() == 2, "the retry is a row of its own"


def test_a_step_that_is_found_wanting_afterwards_brings_the_quarantine_on(over, waiting, now):
    """The newest record of a step counts: a success that turned out to be none does not stand."""
    record_wipe(over, now=now, methods=STEPS[:-1])
    record_wipe(over, now=now + MINUTE, methods=[STEPS[0]], status=WipeStatus.FAILED)
    record_wipe(over, now=now + 2 * MINUTE, methods=[STEPS[-1]])
    assert status_of(over) == BookingStatus.ACTIVE
    assert not run.start_booking(booking_id=waiting.pk, now=now + 2 * MINUTE)


def test_a_booking_does_not_start_while_the_one_before_has_not_ended(listing, buyer, other_buyer, now):
    """No sweep came by to end it: the machine is not clean all the same."""
    make_running(listing, buyer, start=now - 6 * HOUR)
    following = make_paid(listing, other_buyer, start=now - HOUR, asked=now - 10 * HOUR)
    assert not run.start_booking(booking_id=following.pk, now=now)


def test_a_sweep_that_was_held_up_starts_nothing_beside_a_later_booking(listing, buyer, other_buyer, now):
    missed = make_paid(listing, buyer, start=minute(now) - 5 * HOUR, hours=1, asked=now - 12 * HOUR)
    later = make_paid(listing, other_buyer, start=missed.blocked_until, hours=1, asked=now - 12 * HOUR)
    assert run.start_booking(booking_id=later.pk, now=later.start)
    assert not run.start_booking(booking_id=missed.pk, now=missed.start)  # its now is long ago


def test_a_booking_of_another_machine_is_not_kept_waiting(over, other_listing, other_buyer, now):
    elsewhere = make_paid(other_listing, other_buyer, start=now - HOUR, asked=now - 10 * HOUR)
    assert run.start_booking(booking_id=elsewhere.pk, now=now)


def test_another_listing_of_the_machine_is_in_quarantine_too(over, other_buyer, now):
    second = make_listing(over.machine)
    booking = make_paid(second, other_buyer, start=now - HOUR, asked=now - 10 * HOUR)
    assert not run.start_booking(booking_id=booking.pk, now=now)


def test_who_is_kept_waiting_may_leave_with_everything(waiting, other_buyer, now):
    cancel.cancel_booking(booking_id=waiting.pk, by=other_buyer, now=now)

    (refund,) = Refund.objects.filter(payment__booking=waiting)
    assert refund.amount == waiting.price_total
    assert status_of(waiting) == BookingStatus.CANCELED


def test_who_is_kept_waiting_to_the_end_gets_everything_back_unasked(waiting):
    after = waiting.end
    assert not cancel.cancel_undelivered(booking_id=waiting.pk, now=after - MINUTE)

    assert cancel.cancel_undelivered(booking_id=waiting.pk, now=after)

    assert not cancel.cancel_undelivered(booking_id=waiting.pk, now=after)
    (refund,) = Refund.objects.filter(payment__booking=waiting)
    assert (refund.amount, refund.reason) == (waiting.price_total, RefundReason.NOT_DELIVERED)
    assert status_of(waiting) == BookingStatus.CANCELED
    assert OutgoingMail.objects.filter(key=f"booking-canceled:{waiting.pk}").count() == 2


def test_a_booking_that_is_over_is_not_started_even_on_a_clean_machine(listing, buyer, now):
    booking = make_paid(listing, buyer, start=now - 5 * HOUR, hours=4, asked=now - 6 * HOUR)
    assert not run.start_booking(booking_id=booking.pk, now=now)


def test_an_unpaid_booking_never_starts(listing, buyer, held, now):
    assert not run.start_booking(booking_id=held.pk, now=held.start)


# A machine that was never handed over -----------------------------------------------------------------


def test_a_machine_nobody_was_let_into_has_nothing_to_wipe_and_everything_comes_back(listing, buyer, other_buyer, now):
    booking = make_running(listing, buyer, start=now - 5 * HOUR, access=False)
    following = make_paid(listing, other_buyer, start=booking.blocked_until, asked=now - 10 * HOUR)

    assert run.end_booking(booking_id=booking.pk, now=booking.end)

    assert status_of(booking) == BookingStatus.COMPLETED
    (refund,) = Refund.objects.filter(payment__booking=booking)
    assert (refund.amount, refund.reason) == (booking.price_total, RefundReason.NOT_DELIVERED)
    assert run.start_booking(booking_id=following.pk, now=following.start)


# What a provider may record ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["buyer", "other_provider", "administrator", "stranger"])
def test_only_the_provider_lets_in_and_records_the_wipe(cast, over, now, who):
    person = getattr(cast, who)
    evidence = SimpleUploadedFile("log", b"done")
    with pytest.raises(NotYours):
        handover.record_wipe(
            booking_id=over.pk,
            by=person,
            methods=STEPS,
            status="success",
            executed_at=now,
            evidence=evidence,
            wipe_note="",
            now=now,
        )
    with pytest.raises(NotYours):
        handover.record_access(
            booking_id=over.pk,
            by=person,
            host="h",
            port=22,
            username="u",
            host_key_fingerprint="",
            access_note="",
            now=now,
        )
    assert not over.wipes.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"methods": []}, "methods"),
        ({"executed_at": timedelta(seconds=1)}, "executed_at"),
        ({"executed_at": -2 * HOUR - MINUTE}, "executed_at"),
        ({"evidence": b""}, "evidence"),
        ({"evidence": b"x" * (handover.MAX_EVIDENCE_BYTES + 1)}, "evidence"),
    ],
    ids=["no steps", "in the future", "before the end", "empty evidence", "evidence too large"],
)
def test_a_record_that_does_not_fit_is_refused_in_its_field(over, now, change, field):
    with pytest.raises(BookingError) as caught:
        handover.record_wipe(
            booking_id=over.pk,
            by=over.machine.provider,
            methods=change.get("methods", STEPS),
            status="success",
            executed_at=now + change.get("executed_at", timedelta(0)),
            evidence=SimpleUploadedFile("log", change.get("evidence", b"done")),
            wipe_note="",
            now=now,
        )
    assert caught.value.field == field
    assert not over.wipes.exists()


@pytest.mark.parametrize("state", ["held", "paid", "running"])
def test_a_wipe_cannot_be_recorded_before_the_end(request, state, now):
    with pytest.raises(BookingError, match="no wipe to record"):
        record_wipe(request.getfixturevalue(state), now=now + 10 * DAY)


def test_a_wipe_cannot_be_recorded_again_afterwards(over, now):
    record_wipe(over, now=now)
    with pytest.raises(BookingError, match="no wipe to record"):
        record_wipe(over, now=now)


def test_evidence_is_kept_with_its_hash_and_name(over, now):
    wipes = record_wipe(over, now=now)
    assert len(wipes) == len(STEPS)
    for wipe in wipes:
        with wipe.evidence.open() as file:
            assert file.read() == b"userdel: done\n"
        assert wipe.evidence_sha256 == hashlib.sha256(b"userdel: done\n").hexdigest()
        assert wipe.evidence_name == "wipe.log"
        assert str(over.machine_id) in wipe.evidence.name


# Access -----------------------------------------------------------------------------------------------


def test_access_may_be_entered_before_the_start_and_corrected_while_it_runs(paid, now):
    enter_access(paid, now=now)
    assert run.start_booking(booking_id=paid.pk, now=paid.start)
    enter_access(paid, now=paid.start + MINUTE)
    assert [event.what for event in paid.events.all()][-3:] == ["Access entered", "Started", "Access corrected"]
    told = OutgoingMail.objects.filter(user=paid.buyer, key__startswith=f"access-ready:{paid.pk}")
    assert told.count() == 2


@pytest.mark.parametrize("state", ["held", "over", "completed"])
def test_access_is_not_entered_for_a_booking_that_is_unpaid_or_over(request, state, now):
    with pytest.raises(BookingError, match="paid and not over"):
        enter_access(request.getfixturevalue(state), now=now)


def test_access_entered_after_the_end_is_refused(listing, buyer, now):
    """Else a machine that was never handed over could be made to look as if it had been."""
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    with pytest.raises(BookingError, match="not over"):
        enter_access(booking, now=booking.end)
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    booking.refresh_from_db()
    assert booking.is_completed
    assert Refund.objects.get(payment__booking=booking).amount == booking.price_total


def test_evidence_is_stored_once_for_all_the_steps_it_shows_and_not_at_all_when_they_are_refused(over, now, settings):
    def stored() -> list[str]:
        return sorted(str(path) for path in (settings.MEDIA_ROOT / "wipes" / f"{over.machine_id}").glob("*"))

    record_wipe(over, now=now, methods=STEPS)
    assert len(stored()) == 1
    assert {row.evidence.name for row in over.wipes.all()} == {f"wipes/{over.machine_id}/{stored()[0].rsplit('/')[-1]}"}
    with pytest.raises(BookingError):
        record_wipe(over, now=now, methods=[WipeMethod.USER])
    assert len(stored()) == 1


def test_a_disputed_booking_ends_and_keeps_the_machine_until_it_is_erased(running, now):
    Booking.objects.filter(pk=running.pk).update(status=BookingStatus.DISPUTED)
    following = make_paid(running.listing, running.buyer, start=running.blocked_until, hours=2, asked=now)
    assert run.end_booking(booking_id=running.pk, now=running.end)
    assert not run.start_booking(booking_id=following.pk, now=following.start)
