"""An erasure that fails is tried again with growing pauses; then a person is told, and the machine stays shut."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Notification, OutgoingMail
from bookings import tasks
from bookings.errors import BookingError, NotYours
from bookings.models import Booking, ErasureCertificate, WipeEvidence, WipeStatus
from bookings.services import erasure, run
from machines.models import Work, WorkKind, WorkState
from tests.agents import erase, make_agent, make_agent_over, take, wipe_of
from tests.people import HOUR, make_paid

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
PAUSES = [30, 60, 120, 240]


@pytest.fixture
def agent(machine):
    return make_agent(machine)


@pytest.fixture
def over(listing, buyer, agent, now) -> Booking:
    return make_agent_over(listing, buyer, agent, end=now - 10 * MINUTE)


def wipes() -> list[Work]:
    return list(Work.objects.filter(kind=WorkKind.WIPE).order_by("created_at", "pk"))


def fail(agent, *, now) -> Work:
    work = wipe_of(agent, now=now)
    take(
        work, agent.failing(work, "home_directory_purge", now=now), now=now, status="failed", error="Disk is read-only."
    )
    return work


def fail_always(agent, *, now):
    """Until nothing is asked for any more. Returns the moment after the last try."""
    for _ in range(20):
        due = Work.objects.filter(kind=WorkKind.WIPE).open().order_by("not_before").first()
        if due is None:
            return now
        now = max(now, due.not_before)
        fail(agent, now=now)
        now += timedelta(seconds=1)
    raise AssertionError("it never ends")


def test_a_failed_wipe_is_tried_again_with_growing_pauses(over, agent, now, settings):
    assert settings.MARKETPLACE_WIPE_ATTEMPTS == 5
    at = now
    for pause in PAUSES:
        fail(agent, now=at)
        newest = wipes()[-1]
        assert newest.state == WorkState.WAITING
        assert newest.not_before - at == timedelta(seconds=pause)
        at = newest.not_before
    fail(agent, now=at)
    assert len(wipes()) == 5
    assert {work.state for work in wipes()} == {WorkState.FAILED}
    assert len({work.nonce for work in wipes()}) == 5
    assert [work.key.rsplit(":", 1)[1] for work in wipes()] == ["1", "2", "3", "4", "5"]


def test_evidence_of_a_try_that_failed_is_kept_with_the_step_that_did(over, agent, now):
    fail(agent, now=now)
    row = WipeEvidence.objects.get()
    assert not row.is_complete
    assert over.wipes.get(method="home_directory_purge").status == WipeStatus.FAILED
    assert over.wipes.filter(status=WipeStatus.SUCCESS).count() == 4
    told = [event.what for event in over.events.all()][-3:]
    assert told == [
        "Home and scratch purged: failed",
        "The machine signed evidence of its erasure",
        "Not erased yet: it is tried again by itself",
    ]
    assert "Disk is read-only. Next try in 30 seconds." in over.events.last().detail


def test_the_retry_that_succeeds_completes_the_booking(over, agent, other_buyer, now):
    following = make_paid(over.listing, other_buyer, start=over.blocked_until, asked=now - 12 * HOUR)
    fail(agent, now=now)
    over.refresh_from_db()
    assert over.wiped_at is None
    assert not run.start_booking(booking_id=following.pk, now=following.start)
    erase(agent, now=now + MINUTE)
    over.refresh_from_db()
    assert over.wiped_at == now + MINUTE
    assert ErasureCertificate.objects.get().evidence.get().is_complete
    assert not OutgoingMail.objects.filter(key__startswith="wipe-gave-up").exists()


def test_a_failure_without_evidence_is_tried_again_too(over, agent, now):
    work = wipe_of(agent, now=now)
    assert take(work, {}, now=now, status="failed", error="The agent met something unforeseen.") is None
    assert not WipeEvidence.objects.exists()
    assert wipes()[-1].not_before == now + timedelta(seconds=30)
    assert "something unforeseen" in over.events.last().detail


def test_after_the_last_try_people_are_told_once_and_the_quarantine_stays(over, agent, administrator, other_buyer, now):
    following = make_paid(over.listing, other_buyer, start=over.blocked_until, asked=now - 12 * HOUR)
    fail_always(agent, now=now)
    for user in (over.machine.provider, administrator):
        assert OutgoingMail.objects.filter(user=user, key__startswith=f"wipe-gave-up:{over.pk}").count() == 1
        told = Notification.objects.get(user=user, key__startswith="wipe-gave-up")
        assert told.link == f"/bookings/{over.pk}/"
        assert "Disk is read-only." in told.text
    assert not Notification.objects.filter(user=over.buyer, key__startswith="wipe-gave-up").exists()
    over.refresh_from_db()
    assert over.is_awaiting_wipe
    assert not run.start_booking(booking_id=following.pk, now=following.start)
    assert over.events.last().what == "Not erased: somebody has to see to the machine"


def test_where_an_agent_never_answers_people_are_told_once_when_the_turnaround_is_over(over, agent, administrator, now):
    for minutes in range(0, 60, 10):
        wipe_of(agent, now=now + timedelta(minutes=minutes))  # handed out again and again, never reported
    early = over.blocked_until - timedelta(seconds=1)
    assert not erasure.tell_of_overdue(booking_id=over.pk, now=early)
    for _ in range(2):
        erasure.tell_of_overdue(booking_id=over.pk, now=over.blocked_until)
    for user in (over.machine.provider, administrator):
        assert OutgoingMail.objects.filter(user=user, key__startswith=f"wipe-gave-up:{over.pk}").count() == 1
    assert over.events.last().what == erasure.SEE_TO_IT
    over.refresh_from_db()
    assert over.is_awaiting_wipe
    erase(agent, now=now + HOUR)
    assert not erasure.overdue(now=now + HOUR).exists()


def test_the_sweep_looks_for_erasures_that_are_overdue(over):
    Booking.objects.filter(pk=over.pk).update(blocked_until=over.end)
    tasks.end_bookings()
    tasks.end_bookings()
    assert [event.what for event in over.events.all()].count(erasure.SEE_TO_IT) == 1


@pytest.mark.parametrize("who", ["provider", "administrator"])
def test_a_person_has_it_tried_again_and_it_goes_on_by_itself_from_there(over, agent, cast, now, who):
    person = getattr(cast, who)
    at = fail_always(agent, now=now) + HOUR
    erasure.retry_wipe(booking_id=over.pk, by=person, now=at)
    assert (wipes()[-1].created_by, wipes()[-1].not_before) == (person, at)
    assert over.events.last().what == "The erasure is tried again"
    with pytest.raises(BookingError, match="asked already"):
        erasure.retry_wipe(booking_id=over.pk, by=person, now=at)

    fail_always(agent, now=at)
    assert len(wipes()) == 10
    assert OutgoingMail.objects.filter(user=cast.provider, key__startswith="wipe-gave-up").count() == 2

    erasure.retry_wipe(booking_id=over.pk, by=person, now=at + HOUR)
    erase(agent, now=at + HOUR)
    over.refresh_from_db()
    assert over.is_completed


def test_a_person_who_does_not_want_to_wait_for_the_pause_need_not(over, agent, provider, now):
    fail(agent, now=now)
    erasure.retry_wipe(booking_id=over.pk, by=provider, now=now)
    assert [work.not_before for work in wipes()][-1] == now
    assert len(wipes()) == 2
    erase(agent, now=now)


@pytest.mark.parametrize("who", ["buyer", "other_provider", "stranger"])
def test_nobody_else_has_it_tried_again(over, cast, now, who):
    with pytest.raises(NotYours):
        erasure.retry_wipe(booking_id=over.pk, by=getattr(cast, who), now=now)


def test_there_is_nothing_to_try_again_once_it_is_erased(over, agent, provider, now):
    erase(agent, now=now)
    with pytest.raises(BookingError, match="no erasure"):
        erasure.retry_wipe(booking_id=over.pk, by=provider, now=now)


def test_where_nobody_is_there_to_erase_it_people_are_told(over, agent, provider, administrator, now):
    Work.objects.filter(kind=WorkKind.WIPE).delete()
    agent.row.revoked_at = now
    agent.row.save(update_fields=["revoked_at"])
    assert erasure.ask_for_wipe(over, now=now) == []
    assert Notification.objects.filter(user__in=[provider, administrator], key__startswith="wipe-gave-up").count() == 2
    with pytest.raises(BookingError, match="Enroll it again"):
        erasure.retry_wipe(booking_id=over.pk, by=provider, now=now)


def test_the_button_is_there_when_it_helps(client, over, agent, provider, buyer, now):
    retry = reverse("booking_wipe_retry", args=[over.pk])

    def page() -> str:
        return client.get(f"/bookings/{over.pk}/").content.decode()

    client.force_login(provider)
    assert retry not in page()
    wipe_of(agent, now=now)
    assert "The machine is at it" in page()
    assert retry not in page()
    take(wipes()[-1], {}, now=now, status="failed", error="No.")
    assert retry in page()
    assert client.post(retry, follow=True).redirect_chain == [(f"/bookings/{over.pk}/", 302)]
    assert retry not in page()

    fail(agent, now=now + MINUTE)
    client.force_login(buyer)
    assert retry not in page()
    assert client.post(retry).status_code == 404
