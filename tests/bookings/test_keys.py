"""Which SSH keys are let in: chosen for a booking, added while it runs, and an organization's."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import OutgoingMail, SSHKey
from accounts.permissions import NotAllowed
from accounts.services.ssh_keys import add_shared_key, remove_shared_key
from accounts.ssh import BadKey
from bookings.errors import BookingError, NotYours
from bookings.models import Booking, KeyChoice, let_in
from bookings.services.keys import add_key_to, choose_keys
from bookings.services.provision import provision_booking
from bookings.services.run import end_booking, start_booking
from machines.models import Work, WorkKind, WorkState
from tests.handing_over import KEY, OTHER_KEY, automatic, begin, give_key, hand_over, with_agent
from tests.organizations import book, leave, make_member, make_organization, make_organization_details
from tests.people import DAY, HOUR, make_paid, make_running, mark_paid, minute

pytestmark = pytest.mark.django_db

THIRD_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGj4oyb5GkhT8TPG85DUyhkJjwGAJGX8r9tyjGQtvry2"


@pytest.fixture
def agent(machine):
    return with_agent(automatic(machine))


@pytest.fixture
def keys(buyer, now) -> list[SSHKey]:
    return [give_key(buyer, now=now), give_key(buyer, now=now, text=OTHER_KEY, ago=9 * DAY)]


@pytest.fixture
def begun(agent, keys, listing, buyer, now) -> Booking:
    return begin(listing, buyer, start=minute(now) - HOUR)


@pytest.fixture
def organization(organization_administrator, member):
    organization = make_organization(organization_administrator)
    make_organization_details(organization)
    make_member(organization, member)
    return organization


@pytest.fixture
def of_organization(agent, organization, member, listing, now) -> Booking:
    """The member's, for the organization, began an hour ago on a machine with an agent; nobody had a key."""
    membership = organization.memberships.get(user=member)
    start = minute(now) - HOUR
    booking = mark_paid(book(listing, membership, start - HOUR, start=start), now=start - HOUR)
    assert start_booking(booking_id=booking.pk, now=start)
    booking.refresh_from_db()
    return booking


def follow(booking: Booking, now) -> bool:
    """What the sweep does of it."""
    return provision_booking(booking_id=booking.pk, now=now)


def given(booking: Booking) -> list[list[str]]:
    works = Work.objects.filter(booking_id=booking.pk, kind=WorkKind.PROVISION).order_by("created_at", "pk")
    return [work.payload["keys"] for work in works]


# Chosen for a booking -------------------------------------------------------------------------------------


def test_all_keys_are_let_in_until_some_are_chosen(begun, keys, buyer, now):
    assert given(begun) == [[KEY, OTHER_KEY]]
    choose_keys(booking_id=begun.pk, by=buyer, keys=[keys[1].pk], now=now)
    assert given(begun)[-1] == [OTHER_KEY]
    assert not follow(begun, now), "it was asked for at once, and once"
    assert begun.events.filter(what="1 SSH key is let in now", actor=buyer).exists()
    give_key(buyer, now=now, text=THIRD_KEY, ago=timedelta(0))
    assert not follow(begun, now), "what is chosen stays chosen"
    choose_keys(booking_id=begun.pk, by=buyer, keys=None, now=now)
    assert given(begun)[-1] == [KEY, OTHER_KEY, THIRD_KEY]
    assert not KeyChoice.objects.exists()


def test_a_choice_before_the_start_holds_from_the_start_on(agent, keys, paid, buyer, now):
    choose_keys(booking_id=paid.pk, by=buyer, keys=[keys[0].pk], now=now)
    assert start_booking(booking_id=paid.pk, now=paid.start)
    assert given(paid) == [[KEY]]


def test_a_chosen_key_that_is_removed_from_the_account_lets_nobody_in(begun, keys, buyer, now):
    choose_keys(booking_id=begun.pk, by=buyer, keys=[keys[0].pk], now=now)
    keys[0].delete()
    assert [follow(begun, now), follow(begun, now)] == [True, False]
    assert Work.objects.filter(booking_id=begun.pk, kind=WorkKind.REVOKE).count() == 1
    assert not begun.keys_let_in().exists()


def test_a_key_is_added_to_a_booking_that_runs(begun, agent, keys, buyer, now):
    hand_over(agent, now=begun.start + timedelta(seconds=5))
    choose_keys(booking_id=begun.pk, by=buyer, keys=[keys[0].pk], now=now)
    added = add_key_to(booking_id=begun.pk, by=buyer, text=f"{THIRD_KEY} bea@new", name="", now=now)
    assert (added.name, added.user) == ("bea@new", buyer)
    assert set(given(begun)[-1]) == {KEY, THIRD_KEY}
    with pytest.raises(BadKey, match="already"):
        add_key_to(booking_id=begun.pk, by=buyer, text=THIRD_KEY, name="", now=now)


def test_what_cannot_be_chosen(begun, keys, buyer, other_buyer, now):
    theirs = give_key(other_buyer, now=now, text=THIRD_KEY)
    for chosen, words in (([], "at least one"), ([keys[0].pk, theirs.pk], "not in your account")):
        with pytest.raises(BookingError, match=words) as caught:
            choose_keys(booking_id=begun.pk, by=buyer, keys=chosen, now=now)
        assert caught.value.field == "keys"
    with pytest.raises(NotYours):
        choose_keys(booking_id=begun.pk, by=other_buyer, keys=[theirs.pk], now=now)
    assert end_booking(booking_id=begun.pk, now=begun.end)
    with pytest.raises(BookingError, match="over"):
        choose_keys(booking_id=begun.pk, by=buyer, keys=[keys[0].pk], now=begun.end)
    assert not KeyChoice.objects.exists()


def test_choosing_late_gains_no_time(agent, listing, buyer, keys, now):
    """Nobody could be let in until a moment ago: that the machine has not let anybody in since the start is not its fault."""
    start = minute(now) - 2 * HOUR
    booking = make_paid(listing, buyer, start=start, asked=start - HOUR)
    choose_keys(booking_id=booking.pk, by=buyer, keys=[keys[0].pk], now=start - HOUR)
    keys[0].delete()
    assert start_booking(booking_id=booking.pk, now=start)
    choose_keys(booking_id=booking.pk, by=buyer, keys=[keys[1].pk], now=now)
    hand_over(agent, now=now + timedelta(seconds=20))
    booking.refresh_from_db()
    assert booking.late_minutes == 0


def test_of_a_machine_without_an_agent_the_provider_is_told(listing, buyer, provider, keys, now):
    running = make_running(listing, buyer, start=now - HOUR)
    choose_keys(booking_id=running.pk, by=buyer, keys=[keys[0].pk], now=now)
    mail = OutgoingMail.objects.get(key__startswith=f"keys-changed:{running.pk}")
    assert mail.user == provider
    choose_keys(booking_id=running.pk, by=buyer, keys=[keys[0].pk], now=now + HOUR)
    assert OutgoingMail.objects.filter(key__startswith="keys-changed").count() == 1


# The page -------------------------------------------------------------------------------------------------


def test_the_page_shows_who_is_let_in_and_changes_it(client, begun, keys, buyer):
    client.force_login(buyer)
    page = client.get(f"/bookings/{begun.pk}/").text
    assert all(key.fingerprint in page for key in keys)
    path = reverse("booking_keys", args=[begun.pk])
    assert path in page
    assert client.get(path).status_code == 200
    assert client.post(path, {"which": "some", "keys": [keys[0].pk]}).status_code == 302
    page = client.get(f"/bookings/{begun.pk}/").text
    assert keys[1].fingerprint not in page
    assert client.post(path, {"which": "some"}).status_code == 422
    assert client.post(path, {"nothing": "that fits"}).status_code == 422
    assert client.post(path, {"which": "all"}).status_code == 302
    added = client.post(reverse("booking_key_add", args=[begun.pk]), {"public_key": THIRD_KEY, "name": "new"})
    assert added.status_code == 302
    assert given(begun)[-1] == [KEY, OTHER_KEY, THIRD_KEY]


def test_another_ones_key_in_the_form_is_none(client, begun, keys, buyer, other_buyer, now):
    theirs = give_key(other_buyer, now=now, text=THIRD_KEY)
    client.force_login(buyer)
    answer = client.post(reverse("booking_keys", args=[begun.pk]), {"which": "some", "keys": [theirs.pk]})
    assert answer.status_code == 422
    assert "not in your account" in answer.text


def test_a_key_that_will_not_do_is_said_where_it_was_typed(client, begun, keys, buyer):
    client.force_login(buyer)
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----"
    answer = client.post(reverse("booking_key_add", args=[begun.pk]), {"public_key": private, "name": "x"})
    assert answer.status_code == 422
    assert "compromised" in answer.text
    assert "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU" not in answer.text


def test_others_do_not_choose(client, begun, keys, other_buyer, provider):
    for user in (other_buyer, provider):
        client.force_login(user)
        assert client.get(reverse("booking_keys", args=[begun.pk])).status_code == 404
        assert client.post(reverse("booking_key_add", args=[begun.pk]), {"public_key": THIRD_KEY}).status_code == 404


# An organization's ----------------------------------------------------------------------------------------


def test_an_organizations_key_is_let_in_on_its_bookings_beside_the_buyers(
    of_organization, agent, organization, organization_administrator, member, now
):
    shared = add_shared_key(organization=organization, by=organization_administrator, text=KEY, now=now)
    assert [follow(of_organization, now), follow(of_organization, now)] == [True, False]
    assert given(of_organization) == [[KEY]]
    give_key(member, now=now, text=OTHER_KEY)
    assert [follow(of_organization, now), follow(of_organization, now)] == [True, False]
    assert given(of_organization)[-1] == [OTHER_KEY, KEY], "in the order in which they were added"
    hand_over(agent, now=now)
    remove_shared_key(organization=organization, by=organization_administrator, key_id=shared.pk)
    assert [follow(of_organization, now), follow(of_organization, now)] == [True, False]
    assert given(of_organization)[-1] == [OTHER_KEY]


def test_a_key_that_both_have_is_given_once(of_organization, organization, organization_administrator, member, now):
    give_key(member, now=now)
    add_shared_key(organization=organization, by=organization_administrator, text=KEY, now=now)
    assert follow(of_organization, now)
    assert given(of_organization) == [[KEY]]


def test_it_is_let_in_whatever_the_buyer_chooses(
    of_organization, organization, organization_administrator, member, now
):
    add_shared_key(organization=organization, by=organization_administrator, text=KEY, now=now)
    own = give_key(member, now=now, text=OTHER_KEY)
    choose_keys(booking_id=of_organization.pk, by=member, keys=[own.pk], now=now)
    assert follow(of_organization, now)
    assert given(of_organization)[-1] == [OTHER_KEY, KEY]
    choose_keys(booking_id=of_organization.pk, by=member, keys=[], now=now)
    assert given(of_organization)[-1] == [KEY]


def test_whoever_does_not_book_for_it_any_more_lets_nobody_in_on_its_bookings(
    client, of_organization, organization, member, now
):
    own = give_key(member, now=now)
    leave(organization.memberships.get(user=member), at=now)
    with pytest.raises(BookingError, match="do not belong to this organization any more"):
        choose_keys(booking_id=of_organization.pk, by=member, keys=[own.pk], now=now)
    client.force_login(member)
    answer = client.post(reverse("booking_key_add", args=[of_organization.pk]), {"public_key": THIRD_KEY, "name": "x"})
    assert answer.status_code == 422
    assert "You do not belong to this organization any more." in answer.text
    assert list(member.ssh_keys.all()) == [own]


def test_on_bookings_of_their_own_and_of_others_it_is_not(
    begun, keys, organization, organization_administrator, buyer, now
):
    make_member(organization, buyer)
    add_shared_key(organization=organization, by=organization_administrator, text=THIRD_KEY, now=now)
    assert not follow(begun, now)
    assert given(begun) == [[KEY, OTHER_KEY]]


def test_a_booking_without_an_organization_never_gets_keys_of_strangers(begun, keys, other_buyer, now):
    """An organization that is none matches none: not every key that has none."""
    give_key(other_buyer, now=now, text=THIRD_KEY)
    found = let_in(booking=begun.pk, buyer=begun.buyer_id, organization=None)
    assert list(found) == keys
    assert not follow(begun, now)


def test_who_may_change_them(organization, organization_administrator, member, buyer, now):
    for user in (member, buyer):
        with pytest.raises(NotAllowed):
            add_shared_key(organization=organization, by=user, text=KEY, now=now)
    key = add_shared_key(organization=organization, by=organization_administrator, text=KEY, now=now)
    with pytest.raises(BadKey, match="already"):
        add_shared_key(organization=organization, by=organization_administrator, text=KEY, now=now)
    with pytest.raises(NotAllowed):
        remove_shared_key(organization=organization, by=member, key_id=key.pk)
    assert remove_shared_key(organization=organization, by=organization_administrator, key_id=key.pk) == key
    assert remove_shared_key(organization=organization, by=organization_administrator, key_id=key.pk) is None


def test_its_administrators_are_told_also_who_added_it(organization, organization_administrator, buyer, now):
    make_member(organization, buyer, "administrator")
    key = add_shared_key(organization=organization, by=organization_administrator, text=KEY, name="deploy", now=now)
    told = {mail.user: mail.text for mail in OutgoingMail.objects.filter(key=f"shared-key:{key.pk}")}
    assert set(told) == {buyer, organization_administrator}
    assert "You added the key “deploy”" in told[organization_administrator]
    assert "change your password" in told[organization_administrator]
    assert "If nobody of you knows it, remove it." in told[buyer]


def test_a_key_is_a_persons_or_an_organizations(buyer, organization):
    values = {"name": "x", "public_key": "x", "key_type": "x", "fingerprint": "x"}
    for owner in ({}, {"user": buyer, "organization": organization}):
        with pytest.raises(IntegrityError, match="ssh_keys_of_one"), transaction.atomic():
            SSHKey.objects.create(**values, **owner)


def test_the_page_of_an_organizations_keys(client, organization, organization_administrator, member, stranger):
    path = reverse("organization_keys", args=[organization.pk])
    client.force_login(organization_administrator)
    assert client.post(path, {"public_key": KEY, "name": "deploy"}).status_code == 302
    key = organization.ssh_keys.get()
    assert (key.name, key.added_by, key.user) == ("deploy", organization_administrator, None)
    assert key.fingerprint in client.get(path).text
    assert "already" in client.post(path, {"public_key": KEY}).text
    remove = reverse("organization_key_delete", args=[organization.pk, key.pk])
    for user, status in ((member, 403), (stranger, 404)):
        client.force_login(user)
        assert [client.get(path).status_code, client.post(remove).status_code] == [status, status]
    client.force_login(organization_administrator)
    other = make_organization(organization_administrator, "Other")
    assert client.post(reverse("organization_key_delete", args=[other.pk, key.pk])).status_code == 404
    assert client.post(remove).status_code == 302
    assert not SSHKey.objects.exists()


def test_a_buyer_without_a_key_of_their_own_is_let_in_by_the_organizations(
    client, of_organization, agent, organization, organization_administrator, member, now
):
    client.force_login(member)
    page = client.get(f"/bookings/{of_organization.pk}/").text
    assert "Add your SSH key." in page
    add_shared_key(organization=organization, by=organization_administrator, text=KEY, name="deploy", now=now)
    assert "Add your SSH key." not in client.get(f"/bookings/{of_organization.pk}/").text
    follow(of_organization, now)
    hand_over(agent, now=now)
    of_organization.refresh_from_db()
    assert of_organization.late_minutes == 0, "before there was a key nobody was late"
    assert Work.objects.filter(booking_id=of_organization.pk, state=WorkState.DONE).count() == 1
