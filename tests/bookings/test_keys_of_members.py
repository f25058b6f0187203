"""Whoever may not book for an organization any more is not let in on its bookings: at once, and until they may again."""

from datetime import timedelta

import pytest

from accounts.models import Membership, Organization, OutgoingMail
from accounts.services.memberships import change_role, join, leave_organization, remove_member
from accounts.services.organizations import locked_organization
from accounts.services.ssh_keys import add_shared_key
from billing.models import Refund
from bookings import tasks
from bookings.let_in import lacked_a_key, was_never_let_in
from bookings.models import Booking
from bookings.services.end_early import why_not_end
from bookings.services.keys import COUNT_NO_MORE
from bookings.services.provision import provision_booking
from bookings.services.run import end_booking, start_booking
from machines.models import AccessKind, Machine, Work, WorkKind
from tests.handing_over import KEY, OTHER_KEY, automatic, begin, fail, give_key, hand_over, report, take, with_agent
from tests.organizations import book_for, make_member, make_organization, make_organization_details
from tests.people import HOUR, enter_access, make_user, minute

pytestmark = pytest.mark.django_db

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return with_agent(automatic(machine))


@pytest.fixture
def boss(organization_administrator):
    return organization_administrator


@pytest.fixture
def institute(boss) -> Organization:
    institute = make_organization(boss)
    make_organization_details(institute)
    return institute


@pytest.fixture
def colleague(institute, member, now) -> Membership:
    """Has belonged to it for a while, and has a key."""
    give_key(member, now=now)
    return make_member(institute, member, joined_at=now - timedelta(days=30))


@pytest.fixture
def coming(institute, colleague, agent, listing, now) -> Booking:
    """Of the colleague, for the institute: paid, and to begin an hour ago."""
    start = minute(now) - HOUR
    return book_for(institute, colleague.user, listing, start=start, asked=start - HOUR)


@pytest.fixture
def running(coming, agent) -> Booking:
    """The same, begun and handed over."""
    started(coming)
    hand_over(agent, now=coming.start + 5 * SECOND)
    return Booking.objects.get(pk=coming.pk)


def started(booking: Booking) -> Booking:
    assert start_booking(booking_id=booking.pk, now=booking.start)
    booking.refresh_from_db()
    return booking


def leave(colleague, boss, now):
    leave_organization(organization=colleague.organization, user=colleague.user, now=now)


def remove(colleague, boss, now):
    remove_member(membership=colleague, by=boss, now=now)


def lower(colleague, boss, now):
    change_role(membership=colleague, role="viewer", by=boss, now=now)


def come_back(colleague, boss, now):
    colleague.refresh_from_db()
    if colleague.is_current:
        change_role(membership=colleague, role="member", by=boss, now=now)
    else:
        join(organization=locked_organization(colleague.organization_id), user=colleague.user, role="member", now=now)


def asked(booking: Booking) -> list[tuple[str, list[str]]]:
    """What its agent was asked for, in order."""
    works = Work.objects.filter(booking_id=booking.pk).order_by("created_at", "pk")
    return [(work.kind, work.payload.get("keys", [])) for work in works]


def told(booking: Booking, what: str) -> list[str]:
    return [mail.user.email for mail in OutgoingMail.objects.filter(key__startswith=f"{what}:{booking.pk}")]


# At once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("go", [leave, remove, lower])
def test_on_a_booking_that_runs_the_agent_takes_their_keys_away_and_puts_them_back(
    go, running, agent, colleague, boss, now
):
    go(colleague, boss, now)
    assert asked(running) == [(WorkKind.PROVISION, [KEY]), (WorkKind.REVOKE, [])], "without a sweep"
    line = running.events.get(what="0 SSH keys are let in now")
    assert (line.detail, line.actor) == (COUNT_NO_MORE, colleague.user if go is leave else boss)
    assert told(running, "shut-out") == [colleague.user.email]
    assert told(running, "nobody-let-in") == [boss.email]
    report(agent, take(agent, now=now), {"locked": True}, now=now)
    assert running.events.filter(what="Locked: nobody is let in").exists()
    assert tasks.provision_bookings() == 0

    come_back(colleague, boss, now + HOUR)
    assert asked(running)[2:] == [(WorkKind.PROVISION, [KEY])]
    assert tasks.provision_bookings() == 0


def test_keys_of_the_organization_stay(running, institute, colleague, boss, now):
    add_shared_key(organization=institute, by=boss, text=OTHER_KEY, now=now)
    assert provision_booking(booking_id=running.pk, now=now)
    remove(colleague, boss, now)
    assert [keys for _kind, keys in asked(running)] == [[KEY], [KEY, OTHER_KEY], [OTHER_KEY]]
    assert told(running, "nobody-let-in") == []


def test_a_role_that_books_as_well_changes_nothing(running, colleague, boss, now):
    change_role(membership=colleague, role="administrator", by=boss, now=now)
    change_role(membership=colleague, role="member", by=boss, now=now)
    assert len(asked(running)) == 1
    colleague.refresh_from_db()
    assert colleague.booking_changed_at is None


def test_what_they_booked_for_themselves_or_for_another_organization_is_not_touched(
    agent, listing, institute, colleague, boss, other_buyer, now
):
    other = make_organization(other_buyer, "Another")
    make_organization_details(other)
    make_member(other, colleague.user, joined_at=colleague.joined_at)
    theirs = begin(listing, colleague.user, start=minute(now) - HOUR, hours=2)
    for_other = book_for(other, colleague.user, listing, start=minute(now) + 5 * HOUR, asked=now - HOUR)
    remove(colleague, boss, now)
    assert asked(theirs) == [(WorkKind.PROVISION, [KEY])]
    assert for_other.keys_let_in().exists()
    assert tasks.provision_bookings() == 0


def test_without_an_agent_the_provider_is_told(machine, coming, colleague, provider, boss, now):
    Machine.objects.filter(pk=machine.pk).update(access_kind=AccessKind.MANUAL)
    coming.machine.refresh_from_db()
    enter_access(coming, now=coming.start - MINUTE)
    started(coming)
    remove(colleague, boss, now)
    assert told(coming, "keys-changed") == [provider.email]


# That nobody is let in is not the machine's doing -----------------------------------------------------


def refunded() -> list:
    return list(Refund.objects.values_list("amount", flat=True))


def test_one_that_begins_meanwhile_lets_nobody_in_and_is_paid_for(coming, colleague, boss):
    remove(colleague, boss, coming.start - MINUTE)
    started(coming)
    assert asked(coming) == []
    assert told(coming, "nobody-let-in") == [boss.email]
    assert told(coming, "key-needed") == []
    assert not was_never_let_in(coming, now=coming.start + HOUR)
    assert end_booking(booking_id=coming.pk, now=coming.end)
    assert coming.events.filter(what="Over, never entered: there was no SSH key").exists()
    assert refunded() == []


def test_without_an_agent_neither(machine, coming, colleague, boss):
    Machine.objects.filter(pk=machine.pk).update(access_kind=AccessKind.MANUAL)
    lower(colleague, boss, coming.start - MINUTE)
    started(coming)
    assert told(coming, "nobody-let-in") == [boss.email]
    assert end_booking(booking_id=coming.pk, now=coming.end)
    assert refunded() == []


@pytest.mark.parametrize(("after", "is_paid_for"), [(2 * MINUTE, True), (HOUR, False)])
def test_where_the_machine_had_failed_before_it_depends_on_how_long(after, is_paid_for, coming, agent, colleague, boss):
    """An agent that could not let them in for a quarter of an hour would not have later."""
    started(coming)
    fail(agent, now=coming.start + MINUTE)
    remove(colleague, boss, coming.start + after)
    assert end_booking(booking_id=coming.pk, now=coming.end)
    assert refunded() == ([] if is_paid_for else [coming.price_total])


@pytest.mark.parametrize("go", [remove, lower])
def test_whoever_comes_back_late_gains_no_time_by_it(go, coming, agent, colleague, boss):
    go(colleague, boss, coming.start - MINUTE)
    started(coming)
    back = coming.start + 40 * MINUTE
    come_back(colleague, boss, back)
    assert not was_never_let_in(coming, now=back + 14 * MINUTE)
    assert "being let in just now" in why_not_end(coming, now=back + 14 * MINUTE)
    assert was_never_let_in(coming, now=back + 15 * MINUTE), "from then on it is the machine's doing"
    hand_over(agent, now=back + 30 * SECOND)
    coming.refresh_from_db()
    assert coming.late_minutes == 0


def test_nor_does_who_was_away_for_a_while(coming, agent, colleague, boss):
    """The first time nobody was handed over either, but for so short that it was nobody's fault."""
    started(coming)
    remove(colleague, boss, coming.start + 5 * SECOND)
    back = coming.start + HOUR
    come_back(colleague, boss, back)
    hand_over(agent, now=back + 30 * SECOND)
    coming.refresh_from_db()
    assert coming.late_minutes == 0


def test_nor_does_who_comes_back_in_the_last_minutes(coming, colleague, boss):
    remove(colleague, boss, coming.start - MINUTE)
    started(coming)
    come_back(colleague, boss, coming.end - MINUTE)
    assert lacked_a_key(coming)
    assert end_booking(booking_id=coming.pk, now=coming.end)
    assert refunded() == []


# The page ---------------------------------------------------------------------------------------------


def test_an_administrator_sees_who_is_let_in_and_others_do_not(client, running, institute, colleague, boss, now):
    shared = add_shared_key(organization=institute, by=boss, text=OTHER_KEY, name="deploy", now=now)
    own = colleague.user.ssh_keys.get()
    viewer = make_member(institute, make_user("viewer@institute.example"), "viewer")
    for user, sees in ((boss, True), (viewer.user, False)):
        client.force_login(user)
        page = client.get(f"/bookings/{running.pk}/").text
        assert ("Who is let in" in page) == (own.fingerprint in page) == (shared.fingerprint in page) == sees
        assert "Choose or add keys" not in page
        assert own.public_key not in page
    remove(colleague, boss, now)
    client.force_login(boss)
    page = client.get(f"/bookings/{running.pk}/").text
    assert own.fingerprint not in page
    assert f"{colleague.user.known_as} does not book for {institute} any more." in page
    assert f"/organizations/{institute.pk}/keys/" in page


def test_the_person_reads_why_and_no_command_to_log_in_with(client, running, institute, colleague, boss, provider, now):
    client.force_login(colleague.user)
    assert running.access.command in client.get(f"/bookings/{running.pk}/").text
    lower(colleague, boss, now)
    page = client.get(f"/bookings/{running.pk}/").text
    assert f"You do not book for {institute} any more." in page
    assert running.access.command not in page
    assert "Choose or add keys" not in page
    assert "Add your SSH key." not in page
    assert f"You do not book for {institute} any more." in client.get(f"/bookings/{running.pk}/keys/").text
    client.force_login(provider)
    page = client.get(f"/bookings/{running.pk}/").text
    assert "Nobody is let in" in page
    assert "Who is let in" not in page
