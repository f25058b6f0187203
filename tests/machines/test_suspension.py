"""Below 98 % a machine takes no new bookings, until it does again. Bookings already made go on."""

import pytest
from django.http import QueryDict

from accounts.models import Notification, OutgoingMail
from bookings.errors import BookingError
from bookings.models import Booking
from bookings.search import search
from bookings.services.request import request_booking
from machines.models import AccessKind, ListedPeriod, Listing, ListingStatus, Machine
from machines.services.benchmarks import reject_benchmark
from machines.services.listings import activate_listing, archive_listing, pause_listing
from machines.services.suspension import suspend_and_lift
from machines.tasks import follow_reliability
from tests.machines.measured import give_agent, listed, silent
from tests.people import DAY, HOUR, make_listing, make_paid, minute

pytestmark = pytest.mark.django_db


def measured(machine: Machine, reliability: float | None) -> None:
    Machine.objects.filter(pk=machine.pk).update(
        reliability=reliability, access_kind=AccessKind.AGENT, provider_agent_status="online"
    )


def said() -> list[str]:
    return [*OutgoingMail.objects.order_by("created_at").values_list("subject", flat=True)]


@pytest.fixture
def suspended(listing: Listing, now) -> Listing:
    measured(listing.machine, 0.97)
    assert suspend_and_lift(now=now) == 1
    return Listing.objects.with_machine().get(pk=listing.pk)


def test_below_98_percent_a_listing_is_suspended_and_its_provider_told(suspended, provider, now):
    assert (suspended.status, suspended.suspended_at) == (ListingStatus.ACTIVE, now)
    assert suspended.suspended_because == "Reliability below 98\N{NO-BREAK SPACE}% over the last 30 days."
    assert said() == ["Suspended: gpu-1"]
    (mail,) = OutgoingMail.objects.all()
    assert mail.user == provider
    assert "97\N{NO-BREAK SPACE}%" in mail.text
    (told,) = Notification.objects.filter(user=provider)
    assert (told.title, told.tone, told.link) == ("Suspended: gpu-1", "warn", f"/machines/{suspended.machine_id}/")


def test_the_next_sweep_says_nothing_new(suspended, now):
    assert suspend_and_lift(now=now + HOUR) == 0
    assert len(said()) == 1


@pytest.mark.parametrize("reliability", [0.98, 1.0, None])
def test_a_machine_that_is_reliable_enough_or_not_measured_is_left_alone(listing, now, reliability):
    measured(listing.machine, reliability)
    assert suspend_and_lift(now=now) == 0


def test_a_machine_that_is_handed_over_by_hand_is_left_alone(listing, now):
    Machine.objects.update(reliability=0.5)
    assert suspend_and_lift(now=now) == 0


def test_it_comes_back_by_itself(suspended, provider, now):
    measured(suspended.machine, 0.981)
    assert suspend_and_lift(now=now + HOUR) == 1
    suspended.refresh_from_db()
    assert (suspended.suspended_at, suspended.suspended_because) == (None, "")
    assert said() == ["Suspended: gpu-1", "On offer again: gpu-1"]
    assert Notification.objects.filter(user=provider).count() == 2
    assert suspended in Listing.objects.active()


def test_what_somebody_else_suspended_is_not_lifted(listing, now):
    measured(listing.machine, 1.0)
    Listing.objects.update(suspended_at=now, suspended_because="The hardware differs from what was listed.")
    assert suspend_and_lift(now=now) == 0
    assert not Listing.objects.active().exists()


def test_a_suspended_listing_takes_no_bookings_and_says_why(client, suspended, buyer, now):
    start = minute(now) + DAY
    with pytest.raises(BookingError, match="takes no new bookings at the moment"):
        request_booking(listing=suspended, buyer=buyer, start=start, end=start + 4 * HOUR, now=now)
    page = client.get(f"/listings/{suspended.pk}/").content.decode()
    assert "No new bookings at the moment." in page
    assert f"/listings/{suspended.pk}/reliability/" in page
    client.force_login(buyer)
    form = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + 4 * HOUR:%Y-%m-%dT%H:%M}"}
    assert client.post(f"/listings/{suspended.pk}/book/", form).status_code == 422
    assert not Booking.objects.exists()


def test_a_suspended_listing_is_not_found(suspended, now):
    for query in ("", "verified=any", "days=1"):
        assert not search(QueryDict(query), now=now).listings.exists()
    assert search(QueryDict(""), now=now).offers[0][-1] == 0


def test_bookings_already_made_go_on(listing, buyer, now):
    paid = make_paid(listing, buyer, start=now + DAY, asked=now)
    measured(listing.machine, 0.9)
    suspend_and_lift(now=now)
    paid.refresh_from_db()
    assert paid.is_confirmed


def test_putting_it_on_offer_says_that_it_takes_no_bookings_yet(client, suspended, provider, now):
    pause_listing(listing=suspended, now=now)
    client.force_login(provider)
    page = client.post(f"/machines/listings/{suspended.pk}/activate/", follow=True).content.decode()
    assert "takes no new bookings yet. Reliability below 98" in page
    assert Listing.objects.get(pk=suspended.pk).is_suspended


def test_a_second_listing_of_an_unreliable_machine_is_no_way_around(suspended, now):
    second = make_listing(suspended.machine, status=ListingStatus.PAUSED)
    second.machine.refresh_from_db()
    assert activate_listing(listing=second, now=now).is_suspended


def test_a_paused_one_comes_back_quietly(suspended, now):
    pause_listing(listing=suspended, now=now)
    measured(suspended.machine, 1.0)
    assert suspend_and_lift(now=now) == 1
    assert Listing.objects.get(pk=suspended.pk).suspended_at is None
    assert said() == ["Suspended: gpu-1"]


def test_the_task_computes_and_then_suspends(listing, now):
    agent = give_agent(listing.machine, since=now - 60 * DAY)
    listed(listing.machine, now - 60 * DAY)
    silent(agent, now - DAY, 900)
    assert follow_reliability() == 1
    assert Listing.objects.get(pk=listing.pk).is_suspended
    assert follow_reliability() == 0


# When it was on offer ---------------------------------------------------------------------------------------


def periods(machine: Machine) -> list[tuple[object, object]]:
    return list(ListedPeriod.objects.filter(machine=machine).values_list("began_at", "ended_at"))


def test_a_period_is_open_while_one_listing_is_active(machine, now):
    one, two = (make_listing(machine, status=ListingStatus.PAUSED) for _ in range(2))
    activate_listing(listing=one, now=now)
    activate_listing(listing=one, now=now + HOUR)
    activate_listing(listing=two, now=now + 2 * HOUR)
    pause_listing(listing=one, now=now + 3 * HOUR)
    assert periods(machine) == [(now, None)]
    archive_listing(listing=two, now=now + 4 * HOUR)
    assert periods(machine) == [(now, now + 4 * HOUR)]
    pause_listing(listing=one, now=now + 5 * HOUR)
    activate_listing(listing=one, now=now + 6 * HOUR)
    assert periods(machine) == [(now, now + 4 * HOUR), (now + 6 * HOUR, None)]


def test_a_benchmark_that_is_rejected_ends_the_period(machine, administrator, now):
    activate_listing(listing=make_listing(machine, status=ListingStatus.PAUSED), now=now)
    reject_benchmark(benchmark=machine.verified_benchmark, by=administrator, now=now + HOUR, reason="Not true.")
    assert periods(machine) == [(now, now + HOUR)]


def test_a_clock_that_went_back_makes_no_period_that_ends_before_it_begins(machine, now):
    listing = make_listing(machine, status=ListingStatus.PAUSED)
    activate_listing(listing=listing, now=now)
    pause_listing(listing=listing, now=now - HOUR)
    assert periods(machine) == [(now, now)]
