"""Bookings that an organization's administrator has to agree to."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from accounts.models import Notification, Organization, OutgoingMail, Project
from accounts.permissions import NotAllowed
from billing.errors import PaymentError
from billing.services import payments
from billing.services.cards import Means
from bookings.errors import BookingError
from bookings.models import Approval, Booking
from bookings.services import approvals
from bookings.services.approvals import approve, decline
from bookings.services.cancel import cancel_booking
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.extend import request_extension
from bookings.services.purposes import SHORTEST_WAIT, waits_until
from bookings.tasks import cancel_unpaid_holds
from tests.bookings.test_budgets import budget_of
from tests.organizations import book, leave, make_member, make_project
from tests.people import DAY, HOUR, mark_paid
from tests.racing import at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def careful(institute) -> None:
    institute.approval_above = Decimal(5)
    institute.save(update_fields=["approval_above"])


@pytest.fixture
def asked(offer, colleague, now) -> Approval:
    """8 EUR in three days, for somebody whom others know as their institution."""
    colleague.user.organization_name = "Institute of Computing"
    colleague.user.save(update_fields=["organization_name"])
    return book(offer, colleague, now, start=now + 3 * DAY, reason="The deadline is on Friday.").approval


def fresh(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def test_what_costs_more_than_the_limit_waits_and_administrators_are_told(asked, institute, colleague, now):
    booking = fresh(asked.booking)
    assert booking.awaits_approval
    assert booking.state_label == "Waiting for approval"
    assert booking.hold_expires_at == asked.expires_at == now + 24 * HOUR
    mail = OutgoingMail.objects.get(user=institute.owner, key=f"approval-asked:{asked.pk}")
    page = f"/organizations/{institute.pk}/approvals/{asked.pk}/"
    for text in (mail.text, mail.html):
        assert "The deadline is on Friday." in text
        assert page in text
    notice = Notification.objects.get(user=institute.owner, key=f"approval-asked:{asked.pk}")
    assert notice.link == page
    assert notice.title == "Bea Buyer asks for €8.00"
    assert "UTC" in notice.text
    assert not OutgoingMail.objects.filter(user=colleague.user, key__startswith="booking-requested").exists()


def test_what_costs_no_more_needs_nobody(offer, colleague, now):
    assert not book(offer, colleague, now, hours=2).awaits_approval


def test_an_administrator_needs_nobody(offer, institute, administrator, now):
    chief = make_member(institute, administrator, "administrator")
    assert not book(offer, chief, now).awaits_approval


def test_a_reason_is_needed(offer, colleague, now):
    with pytest.raises(BookingError, match="Say why") as refused:
        book(offer, colleague, now, reason="  ")
    assert refused.value.field == "reason"
    assert not Booking.objects.exists()


def test_a_listing_that_is_not_held_for_approvals_is_not(offer, colleague, now):
    offer.approval_hours = 0
    offer.save(update_fields=["approval_hours"])
    with pytest.raises(BookingError, match="not held"):
        book(offer, colleague, now, reason="Please.")
    assert not Booking.objects.exists()


@pytest.mark.parametrize(
    ("hours", "ahead", "waits"),
    [
        (24, 100 * HOUR, 24 * HOUR),
        (24, 10 * HOUR, 5 * HOUR),
        (2, 10 * HOUR, 2 * HOUR),
        (24, timedelta(0), SHORTEST_WAIT),
        (24, 20 * MINUTE, SHORTEST_WAIT),
    ],
)
def test_it_waits_as_long_as_the_listing_allows_and_half_the_time_to_the_start(now, hours, ahead, waits):
    assert waits_until(approval_hours=hours, start=now + ahead, now=now) == now + waits


def test_nobody_pays_what_is_not_approved(asked, colleague, now):
    charge = asked.booking.charges.get()
    means = Means("cus_1", "pm_1", "Visa 4242")
    with pytest.raises(PaymentError):
        payments.pay(charge=charge, payer=colleague.user, means=lambda: means, now=now)


def test_whoever_has_left_is_not_approved_and_pays_nothing_that_they_hold(asked, offer, colleague, institute, now):
    held = book(offer, colleague, now, hours=2, start=now + 5 * DAY)
    leave(colleague, at=now)
    with pytest.raises(BookingError, match="Bea Buyer does not book for Institute of Computing any more"):
        approve(approval_id=asked.pk, by=institute.owner, now=now)
    means = Means("cus_1", "pm_1", "Visa 4242")
    with pytest.raises(PaymentError, match="does not book for"):
        payments.begin(charge_id=held.charges.get().pk, payer=colleague.user, means=means, now=now)


@pytest.fixture
def for_a_grant(offer, colleague, institute, now) -> Approval:
    """8 EUR in three days, for a project with as much, whose grant ends the day after."""
    project = make_project(institute, grant_ends_on=(now + 4 * DAY).date())
    budget_of(institute, now, "8", project=project)
    return book(offer, colleague, now, start=now + 3 * DAY, reason="Please.", project=project).approval


CHANGES = {
    "grant": ({"grant_ends_on": date(2026, 1, 1)}, {}, "", "The grant of this project ends on"),
    "archived": ({"archived_at": datetime(2026, 1, 1, tzinfo=UTC)}, {}, "", "This project is not open any more"),
    "policy": ({"grant_ends_on": None}, {"needs_grant": True}, "", "asks for a project whose grant has an end"),
    "budget": ({}, {}, "7", r"This costs €8\.00\. .* €7\.00 is left"),
    "as it was": ({}, {}, "8", ""),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("is_approved", [False, True])
def test_what_the_organization_allows_counts_when_it_is_approved_and_again_when_it_is_paid(
    for_a_grant, institute, colleague, now, what, is_approved
):
    project, policy, budget, refused = CHANGES[what]
    booking = for_a_grant.booking
    decide = partial(approve, approval_id=for_a_grant.pk, by=institute.owner, now=now)
    if is_approved:
        decide()
    Project.objects.update(**project)
    if policy:
        Organization.objects.filter(pk=institute.pk).update(**policy)
    if budget:
        budget_of(institute, now, budget, project=booking.project)
    charge, means = booking.charges.get(), Means("cus_1", "pm_1", "Visa 4242")
    if is_approved:
        decide = partial(payments.begin, charge_id=charge.pk, payer=colleague.user, means=means, now=now)
    if not refused:
        decide()
    else:
        with pytest.raises((BookingError, PaymentError), match=refused):
            decide()
    if is_approved:
        outcome = confirm_charge(charge_id=charge.pk, now=now)
        assert outcome == (Confirmation.TOO_LATE if refused else Confirmation.CONFIRMED)
    else:
        for_a_grant.refresh_from_db()
        assert for_a_grant.is_waiting == bool(refused)


def test_approved_it_can_be_paid_as_long_as_it_was_held(asked, institute, colleague, now):
    approve(approval_id=asked.pk, by=institute.owner, answer="Good luck.", now=now + HOUR)
    booking = fresh(asked.booking)
    assert booking.is_payable(now=now + HOUR)
    assert booking.hold_expires_at == now + 24 * HOUR
    mail = OutgoingMail.objects.get(user=colleague.user, key=f"approval-approved:{asked.pk}")
    assert "Good luck." in mail.text
    assert f"/bookings/{booking.pk}/pay/" in mail.text
    assert mark_paid(booking, now=now + HOUR).is_confirmed


def test_approved_at_the_last_moment_there_is_still_time_to_pay(asked, institute, now):
    late = asked.expires_at - MINUTE
    approve(approval_id=asked.pk, by=institute.owner, now=late)
    assert fresh(asked.booking).hold_expires_at == late + 15 * MINUTE


def test_declined_the_window_is_free_again_and_the_member_reads_why(
    asked, institute, colleague, other_buyer, offer, now
):
    with pytest.raises(BookingError, match="Say why"):
        decline(approval_id=asked.pk, by=institute.owner, answer=" ", now=now)
    decline(approval_id=asked.pk, by=institute.owner, answer="Use our own server.", now=now)
    assert fresh(asked.booking).is_canceled
    told = OutgoingMail.objects.get(user=colleague.user, key=f"approval-declined:{asked.pk}")
    assert "Use our own server." in told.text
    assert book(offer, colleague, now, start=now + 3 * DAY, hours=1)


def test_not_decided_in_time_it_lapses_with_its_hold(asked, institute, now):
    cancel_unpaid_holds()
    assert not fresh(asked.booking).is_canceled
    Booking.objects.update(hold_expires_at=now - MINUTE)
    Approval.objects.update(expires_at=now - MINUTE)
    cancel_unpaid_holds()
    asked.refresh_from_db()
    assert asked.status == "expired"
    assert fresh(asked.booking).events.filter(what__icontains="not approved in time").exists()
    for decide in (approve, partial(decline, answer="No.")):
        with pytest.raises(BookingError, match="decided already"):
            decide(approval_id=asked.pk, by=institute.owner, now=now)


def test_past_its_time_it_is_not_approved_even_where_no_sweep_has_been(asked, institute, now):
    with pytest.raises(BookingError, match="not decided in time"):
        approve(approval_id=asked.pk, by=institute.owner, now=asked.expires_at)


def test_the_member_withdraws_it(asked, colleague, now):
    cancel_booking(booking_id=asked.booking_id, by=colleague.user, now=now)
    asked.refresh_from_db()
    assert asked.status == "withdrawn"


@pytest.mark.parametrize("role", ["member", "viewer", "billing", None])
def test_nobody_else_decides(asked, provider, institute, now, role):
    if role:
        make_member(institute, provider, role)
    for decide in (approve, partial(decline, answer="No.")):
        with pytest.raises(NotAllowed):
            decide(approval_id=asked.pk, by=provider, now=now)
    asked.refresh_from_db()
    assert asked.is_waiting


def test_twice_is_quiet(asked, institute, now):
    for _ in range(2):
        approve(approval_id=asked.pk, by=institute.owner, now=now)
    assert OutgoingMail.objects.filter(key=f"approval-approved:{asked.pk}").count() == 1


def test_a_small_booking_does_not_grow_past_the_limit(offer, colleague, now):
    booking = mark_paid(book(offer, colleague, now, hours=2), now=now)
    with pytest.raises(BookingError, match="has to agree"):
        request_extension(booking_id=booking.pk, by=colleague.user, new_end=booking.end + HOUR, now=now)


def test_within_the_begun_hour_an_approved_booking_goes_on_for_nothing(offer, colleague, institute, now):
    asked = book(offer, colleague, now, hours=3.5, reason="Please.").approval
    approve(approval_id=asked.pk, by=institute.owner, now=now)
    mark_paid(asked.booking, now=now)
    budget_of(institute, now, "1")  # less than is used already
    booking = fresh(asked.booking)
    assert request_extension(
        booking_id=booking.pk, by=colleague.user, new_end=booking.end + 30 * MINUTE, now=now, expected_total=Decimal(0)
    ).is_paid
    with pytest.raises(BookingError, match="has to agree"):
        request_extension(booking_id=booking.pk, by=colleague.user, new_end=booking.end + HOUR, now=now)


# Two administrators at once ---------------------------------------------------------------------------------


def both(asked, institute, administrator, now) -> list[object]:
    make_member(institute, administrator, "administrator")
    return at_once(
        [
            partial(approve, approval_id=asked.pk, by=institute.owner, now=now),
            partial(decline, approval_id=asked.pk, by=administrator, answer="No.", now=now),
        ]
    )


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does(asked, institute, administrator, now):
    results = both(asked, institute, administrator, now)
    assert sorted(isinstance(result, Approval) for result in results) == [False, True], results
    asked.refresh_from_db()
    assert fresh(asked.booking).is_canceled == (asked.status == "declined")


@pytest.mark.django_db(transaction=True)
def test_without_the_locks_both_think_that_they_did(asked, institute, administrator, now, monkeypatch):
    together, decided = threading.Barrier(2), approvals._decide

    def when_both_are_there(*given, **about):
        together.wait(30)
        decided(*given, **about)

    def unlocked(approval_id, *, by):
        return Approval.objects.select_related("booking__machine__provider", "booking__buyer", "organization").get(
            pk=approval_id
        )

    monkeypatch.setattr(approvals, "_decide", when_both_are_there)
    monkeypatch.setattr(approvals, "_taken", unlocked)
    results = both(asked, institute, administrator, now)
    assert all(isinstance(result, Approval) for result in results), results
