"""What time does to verifications: warnings, the end, and requests that nobody goes on with."""

from datetime import timedelta

import pytest
from django.conf import settings

from accounts.models import Notification, OutgoingMail, Verification
from accounts.services.verification_documents import forget_due
from accounts.services.verification_ends import follow
from accounts.services.verifications import ask_for_more, standing_of
from accounts.tasks import follow_verifications
from bookings.errors import BookingError
from bookings.services.request import check_window
from machines.models import UNVERIFIED, Listing, Machine
from machines.services.listings import missing_for_activation
from machines.services.suspension import BECAUSE, suspend_and_lift
from tests.machines.measured import give_agent
from tests.people import DAY, HOUR, make_listing, make_machine, make_paid, minute, verify
from tests.racing import twice_at_once
from tests.verifying import approve, make_draft, make_request

SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


def ends(user, at) -> Verification:
    """Let the person's approval end at that moment."""
    user.verifications.update(valid_until=at)
    return user.verifications.get()


def told(user) -> list[str]:
    return [*OutgoingMail.objects.filter(user=user).order_by("created_at").values_list("key", flat=True)]


# Warnings -------------------------------------------------------------------------------------------------


def test_the_end_is_told_30_and_7_days_ahead_and_when_it_has_come(provider, now):
    row = ends(provider, now + 40 * DAY)
    for days in (0, 9, 10, 11, 32, 33, 34, 39):
        follow(now=now + days * DAY + SECOND)
    assert told(provider) == [f"verification-expires-30:{row.pk}", f"verification-expires-7:{row.pk}"]
    assert provider.is_verified
    follow(now=now + 40 * DAY)
    follow(now=now + 41 * DAY)
    assert told(provider)[2:] == [f"verification-expired:{row.pk}"]
    assert Notification.objects.filter(user=provider).count() == 3


def test_a_sweep_that_was_away_tells_only_of_the_last(provider, now):
    row = ends(provider, now + 2 * DAY)
    assert follow(now=now) == 1
    assert told(provider) == [f"verification-expires-7:{row.pk}"]


def test_who_has_renewed_is_told_nothing(provider, administrator, now):
    old = ends(provider, now + 10 * DAY)
    approve(make_request(provider, now=now), by=administrator, now=now)
    before = told(provider)
    follow(now=now)
    follow(now=now + 11 * DAY)
    assert told(provider) == before
    old.refresh_from_db()
    assert old.expired_at == now + 11 * DAY


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_tell_once(provider, now):
    ends(provider, now - DAY)
    assert sorted(twice_at_once(lambda: follow(now=now)))[-1] == 1
    assert len(told(provider)) == 1


# The end --------------------------------------------------------------------------------------------------


def test_who_has_expired_is_not_verified_even_before_a_sweep_has_been_by(client, provider, listing, now):
    page = f"/listings/{listing.pk}/"
    assert "provider verified" in client.get(page).text
    ends(provider, now - SECOND)
    assert not type(provider).objects.get(pk=provider.pk).is_verified
    assert standing_of(provider, now=now).has_expired
    assert "provider verified" not in client.get(page).text
    assert any("verified provider" in words for words in missing_for_activation(listing))


def test_listings_of_who_has_expired_take_no_new_bookings_and_bookings_go_on(client, provider, listing, buyer, now):
    paid = make_paid(listing, buyer, start=now + DAY, asked=now)
    ends(provider, now - SECOND)
    assert follow_verifications() == 1
    listing = Listing.objects.with_machine().get(pk=listing.pk)
    assert (listing.is_suspended, listing.suspended_because) == (True, UNVERIFIED)
    start = minute(now) + 5 * DAY
    with pytest.raises(BookingError, match="verification has ended"):
        check_window(listing, start, start + 4 * HOUR, now=now)
    paid.refresh_from_db()
    assert paid.is_confirmed
    assert "taken again when it is renewed" in client.get(f"/listings/{listing.pk}/").text
    client.force_login(provider)
    assert "Ask to be verified again" in client.get(f"/machines/{listing.machine_id}/").text
    assert "Your verification has ended" in client.get("/accounts/verification/").text


def test_everything_comes_back_with_the_renewal(provider, listing, administrator, now):
    ends(provider, now - SECOND)
    follow(now=now)
    paused = make_listing(make_machine(provider, "gpu-9"), status="paused")
    approve(make_request(provider, now=now), by=administrator, now=now)
    listing.refresh_from_db()
    paused.refresh_from_db()
    assert (listing.suspended_at, listing.suspended_because) == (None, "")
    assert not paused.is_active


def test_of_two_reasons_the_one_that_is_left_counts(provider, listing, administrator, now):
    give_agent(listing.machine, since=now - 30 * DAY)
    machines = Machine.objects.filter(pk=listing.machine_id)
    machines.update(reliability=0.9)
    suspend_and_lift(now=now)
    ends(provider, now - SECOND)
    follow(now=now)
    listing.refresh_from_db()
    assert listing.suspended_because.startswith(BECAUSE)
    machines.update(reliability=1)
    suspend_and_lift(now=now)
    listing.refresh_from_db()
    assert listing.suspended_because == UNVERIFIED
    machines.update(reliability=0.9)
    approve(make_request(provider, now=now), by=administrator, now=now)
    listing.refresh_from_db()
    assert listing.suspended_because.startswith(BECAUSE)


def test_other_providers_are_left_alone(provider, other_listing, listing, now):
    ends(provider, now - SECOND)
    follow(now=now)
    other_listing.refresh_from_db()
    assert other_listing.is_bookable


# Requests -------------------------------------------------------------------------------------------------

LONG = settings.MARKETPLACE_VERIFICATION_DRAFT + SECOND


def test_a_draft_that_nobody_goes_on_with_goes_with_its_documents(buyer, now):
    make_draft(buyer, now=now)
    assert follow(now=now + LONG - 2 * SECOND) == 0
    assert follow(now=now + LONG) == 1
    assert not buyer.verifications.exists()
    assert forget_due(now=now) == 1


def test_a_question_that_nobody_answers_closes_the_request(buyer, administrator, now):
    row = make_request(buyer, now=now)
    ask_for_more(verification=row, by=administrator, question="The back?", now=now + DAY)
    assert follow(now=now + LONG) == 0
    assert follow(now=now + DAY + LONG) == 1
    row.refresh_from_db()
    assert row.status == Verification.Status.LAPSED
    assert told(buyer)[-1] == f"verification-lapsed:{row.pk}"
    assert make_draft(buyer, now=now + DAY + LONG).is_draft


def test_what_waits_for_an_administrator_is_never_closed(buyer, now):
    row = make_request(buyer, now=now)
    assert follow(now=now + 1000 * DAY) == 0
    row.refresh_from_db()
    assert row.is_pending


def test_a_second_approval_lasts_from_its_own_day_on(provider, administrator, now):
    verify(provider, by=administrator, now=now + DAY)
    assert standing_of(provider, now=now).approval.valid_until == now + DAY + settings.MARKETPLACE_VERIFICATION_VALID
