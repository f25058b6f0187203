"""A booking's page for those who look after the organization that it is for: to read, and nothing of the buyer's own."""

import json

import pytest

from accounts.models import Membership, OrganizationRole, Scope
from accounts.services.ssh_keys import add_key
from accounts.services.tokens import make_token
from bookings.models import Booking
from tests.agents import erase, make_agent, make_agent_over
from tests.organizations import book, book_for, leave, make_member, make_organization
from tests.people import DAY, HOUR, enter_access, make_user, record_wipe

pytestmark = pytest.mark.django_db

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@laptop"
#: What is the buyer's alone: how to log in, the key, the card. Which keys they are administrators see.
OWN = ("ssh -p", "rsm-", "SHA256:", "AAAAC3", "someone@laptop", "4242")


@pytest.fixture
def booking(colleague, institute, offer, now) -> Booking:
    """Running, of a colleague, who has been let in."""
    add_key(user=colleague.user, text=KEY, name="someone@laptop")
    booking = book_for(institute, colleague.user, offer, start=now - HOUR, asked=now - 2 * HOUR, cost_centre="KST-7")
    enter_access(booking, now=now)
    Booking.objects.filter(pk=booking.pk).update(status="active", started_at=booking.start)
    booking.refresh_from_db()
    return booking


def somebody(institute, role: str) -> Membership:
    return make_member(institute, make_user(f"{role}@institute.example"), role)


@pytest.mark.parametrize(
    ("role", "answer", "history", "invoices"),
    [("administrator", 200, 200, True), ("billing", 200, 404, True), ("viewer", 200, 404, False),
     ("member", 404, 404, False)],
)  # fmt: skip
def test_as_far_as_the_role_goes(client, institute, booking, role, answer, history, invoices):
    member = somebody(institute, role)
    client.force_login(member.user)
    page = client.get(f"/bookings/{booking.pk}/")
    assert page.status_code == answer
    assert client.get(f"/bookings/{booking.pk}/history/").status_code == history
    if answer == 200:
        assert "KST-7" in page.text
        assert booking.buyer.known_as in page.text
        assert f"/organizations/{institute.pk}/bookings/" in page.text
        assert ("/billing/invoices/" in page.text) == invoices
        assert ("/history/" in page.text) == (history == 200)
        # Who is let in is an administrator's to see, too: not the key itself, nor how to log in.
        seen = {"SHA256:", "someone@laptop"} if role == "administrator" else set()
        assert {words for words in OWN if words in page.text} == seen
    # Nothing of what the buyer decides.
    for act in ("cancel", "extend", "end", "keys", "leave", "access", "wipe"):
        assert client.get(f"/bookings/{booking.pk}/{act}/").status_code == 404
        assert f"/bookings/{booking.pk}/{act}/" not in page.text


def test_the_buyer_sees_all_of_it(client, booking):
    client.force_login(booking.buyer)
    page = client.get(f"/bookings/{booking.pk}/").text
    assert [words for words in OWN if words not in page and words not in ("AAAAC3", "someone@laptop")] == []


def test_the_list_leads_to_each(client, institute, booking):
    client.force_login(somebody(institute, "viewer").user)
    assert f'href="/bookings/{booking.pk}/"' in client.get(f"/organizations/{institute.pk}/bookings/").text


def test_the_record_says_nothing_of_how_to_log_in(client, institute, booking):
    client.force_login(institute.owner)
    lines = json.loads("".join(map(bytes.decode, client.get(f"/bookings/{booking.pk}/history/?as=json"))))
    kinds = {line["kind"] for line in lines}
    assert {"bookings.booking", "bookings.charge", "billing.payment"} <= kinds
    assert "bookings.access" not in kinds
    client.force_login(booking.buyer)
    lines = json.loads("".join(map(bytes.decode, client.get(f"/bookings/{booking.pk}/history/?as=json"))))
    assert "bookings.access" in {line["kind"] for line in lines}


def test_only_of_the_own_organization_and_only_while_one_belongs_to_it(client, institute, booking, listing, now):
    page = f"/bookings/{booking.pk}/"
    other = make_organization(make_user("boss@elsewhere.example"), "Elsewhere")
    client.force_login(other.owner)
    assert client.get(page).status_code == 404
    viewer = somebody(institute, "viewer")
    client.force_login(viewer.user)
    assert client.get(page).status_code == 200
    leave(viewer, at=now)
    assert client.get(page).status_code == 404


def test_what_a_member_books_for_themselves_is_their_own(client, institute, colleague, booking):
    Booking.objects.filter(pk=booking.pk).update(organization=None)
    client.force_login(institute.owner)
    assert client.get(f"/bookings/{booking.pk}/").status_code == 404


@pytest.mark.parametrize(("role", "decides"), [("administrator", True), ("billing", False)])
def test_one_that_waits_leads_whoever_decides_to_the_decision(client, institute, offer, colleague, now, role, decides):
    institute.approval_above = 5
    institute.save(update_fields=["approval_above"])
    approval = book(offer, colleague, now, start=now + 2 * DAY, reason="A deadline.").approval
    client.force_login(somebody(institute, role).user)
    page = client.get(f"/bookings/{approval.booking_id}/").text
    assert "Waiting for an administrator" in page
    assert (f"/organizations/{institute.pk}/approvals/{approval.pk}/" in page) == decides


def test_the_proof_of_the_erasure_is_the_organizations_too(client, institute, colleague, offer, listing, now):
    """For people, and for a program that has a token which acts for it."""
    by_hand = book_for(institute, colleague.user, offer, start=now - 5 * HOUR, asked=now - DAY)
    Booking.objects.filter(pk=by_hand.pk).update(status="active", started_at=by_hand.start, wipe_opened_at=by_hand.end)
    by_hand.refresh_from_db()
    wipe = record_wipe(by_hand, now=now)[0]
    agent = make_agent(listing.machine, status="offline")
    signed = make_agent_over(listing, colleague.user, agent, end=now - HOUR)
    erase(agent, now=now)
    Booking.objects.filter(pk=signed.pk).update(organization=institute)
    boss = institute.owner
    paths = [
        f"/bookings/{by_hand.pk}/wipes/{wipe.pk}/evidence/",
        f"/bookings/{signed.pk}/certificate/",
        f"/bookings/{signed.pk}/evidence/{signed.evidence.get().pk}/logs/",
    ]
    _token, secret = make_token(
        user=boss, organization=institute, name="Archive", scopes=[Scope.BOOKINGS_READ], days=7, now=now
    )
    for path in paths:
        assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        client.force_login(boss)
        assert client.get(path).status_code == 200
        client.logout()
    Membership.objects.filter(user=boss).update(role=OrganizationRole.MEMBER)
    for path in paths:
        assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 404
