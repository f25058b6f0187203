"""What two do to an organization at the same moment. In pairs: without the lock of its row, and with it."""

import threading
from functools import partial

import pytest
from django.db import connection

from accounts.models import Invitation, Membership, Organization, OrganizationRole, Role, Scope
from accounts.permissions import membership_of
from accounts.services import deletions, invitations, memberships, organizations, tokens
from accounts.services.invitations import InvitationOver, accept_invitation
from accounts.services.organizations import OrganizationError
from tests.accounts.test_invitations import make_invitation
from tests.organizations import confirm_address, make_member, make_organization
from tests.people import DAY, make_user
from tests.racing import at_once, until

pytestmark = pytest.mark.django_db(transaction=True)


def without_the_lock(pk) -> Organization:
    return Organization.objects.get(pk=pk)


def together(function, there=None):
    """``function``, but whoever has called it waits until both have: nobody has committed when the other looks."""
    there = there or threading.Barrier(2)

    def called(*args, **more):
        result = function(*args, **more)
        there.wait(30)
        return result

    return called


# Two administrators who remove each other ---------------------------------------------------------------


@pytest.fixture
def two(buyer, other_buyer, stranger) -> list[Membership]:
    """Two administrators, of an organization whose owner left it to them."""
    organization = make_organization(stranger)
    both = [make_member(organization, user, OrganizationRole.ADMINISTRATOR) for user in (buyer, other_buyer)]
    Membership.objects.filter(user=stranger).delete()
    return both


def remove_each_other(two, now):
    one, other = two
    return at_once(
        [
            partial(memberships.remove_member, membership=one, by=other.user, now=now),
            partial(memberships.remove_member, membership=other, by=one.user, now=now),
        ]
    )


def test_without_the_lock_nobody_is_left(two, now, monkeypatch):
    monkeypatch.setattr(memberships, "locked_organization", without_the_lock)
    monkeypatch.setattr(
        memberships, "_require_another_administrator", together(memberships._require_another_administrator)
    )
    assert all(isinstance(result, Membership) for result in remove_each_other(two, now))
    assert not Membership.objects.administrators().exists()


def test_with_it_one_administrator_is_left(two, now):
    results = remove_each_other(two, now)
    assert sum(isinstance(result, Membership) for result in results) == 1
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, memberships.NotAllowed), "whoever was quicker has removed the other"
    (left,) = Membership.objects.administrators()
    left.user.refresh_from_db()
    assert Role.ORGANIZATIONAL_ADMINISTRATOR in left.user.roles


def test_two_who_leave_at_once_leave_one(two, now):
    organization = two[0].organization
    results = at_once(
        partial(memberships.leave_organization, organization=organization, user=row.user, now=now) for row in two
    )
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, OrganizationError)
    assert Membership.objects.administrators().count() == 1


# An organization that is handed to somebody whose account is deleted ------------------------------------


@pytest.fixture
def handed_on(buyer, other_buyer, now):
    """Both at once: the account of its other administrator is deleted, and its owner makes them its owner."""
    organization = make_organization(buyer)
    make_member(organization, other_buyer, OrganizationRole.ADMINISTRATOR)
    deletions.ask_for_deletion(user=other_buyer, by=other_buyer, now=now - 14 * DAY)

    def both():
        hand_on = partial(
            organizations.transfer_ownership, organization=organization, by=buyer, to=other_buyer, now=now
        )
        results = at_once([partial(deletions.delete_due, now=now), hand_on])
        organization.refresh_from_db()
        return results, organization.owner

    return both


def test_without_its_lock_it_is_a_deleted_accounts(handed_on, other_buyer, monkeypatch):
    there = threading.Barrier(2)
    monkeypatch.setattr(deletions, "locked_organization", without_the_lock)
    monkeypatch.setattr(deletions.privacy, "obstacles", together(deletions.privacy.obstacles, there))
    monkeypatch.setattr(organizations.news, "transferred", together(organizations.news.transferred, there))
    (deleted, _handed_on), owner = handed_on()
    assert deleted == 1
    assert owner == other_buyer
    assert not owner.is_active


def test_with_it_the_later_one_sees_the_earlier(handed_on, buyer, other_buyer):
    (deleted, result), owner = handed_on()
    assert owner.is_active
    if deleted:
        assert isinstance(result, OrganizationError)
        assert owner == buyer
    else:
        assert owner == other_buyer


# One invitation, accepted twice at once ------------------------------------------------------------------


@pytest.fixture
def invitation(buyer, now) -> Invitation:
    return make_invitation(make_organization(buyer), "shared@institute.example", by=buyer, now=now)


@pytest.fixture
def rivals(invitation):
    """Two people who have both confirmed the address, which only happens where it changed hands. One is quicker."""
    both = [make_user(f"rival-{number}@example.com") for number in range(2)]
    confirm_address(both[0], invitation.email)
    return both


def accept_at_once(invitation, users, now):
    return at_once(partial(accept_invitation, invitation=invitation, user=user, now=now) for user in users)


def test_without_the_lock_an_invitation_is_used_twice(invitation, rivals, now, monkeypatch):
    monkeypatch.setattr(invitations, "locked_organization", without_the_lock)
    monkeypatch.setattr(Invitation.objects, "select_for_update", lambda **_: Invitation.objects.all())
    monkeypatch.setattr(invitations, "why_not_invited", lambda *_: "")
    monkeypatch.setattr(invitations, "why_over", together(invitations.why_over))
    assert all(isinstance(result, Membership) for result in accept_at_once(invitation, rivals, now))
    assert Membership.objects.filter(user__in=rivals).count() == 2


def test_with_it_the_second_is_told_that_it_has_been_used(invitation, rivals, now, monkeypatch):
    monkeypatch.setattr(invitations, "why_not_invited", lambda *_: "")
    results = accept_at_once(invitation, rivals, now)
    (joined,) = [result for result in results if isinstance(result, Membership)]
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, InvitationOver)
    assert "has been used" in refused.message
    invitation.refresh_from_db()
    assert invitation.accepted_by == joined.user
    assert Membership.objects.filter(user__in=rivals).count() == 1


def test_two_clicks_of_one_person_make_one_membership(invitation, rivals, now):
    person = rivals[0]
    results = accept_at_once(invitation, [person, person], now)
    assert results[0] == results[1]
    assert Membership.objects.filter(user=person).count() == 1


# A token that is made while its person is removed ---------------------------------------------------------


@pytest.fixture
def token_made(buyer, other_buyer, now, monkeypatch):
    """Makes one, and has found that its person belongs to the organization, when they are removed from it."""
    organization, looked, gone = make_organization(buyer), threading.Event(), threading.Event()
    membership = make_member(organization, other_buyer)

    def make(has_to_wait):
        def slowly(user, row):
            found = membership_of(user, row)
            looked.set()
            until(has_to_wait or gone.is_set, "the removal")
            return found

        def remove():
            assert looked.wait(30)
            memberships.remove_member(membership=membership, by=buyer, now=now)
            gone.set()

        asked = {"name": "Archive", "scopes": [Scope.BILLING_READ], "days": 7, "now": now}
        monkeypatch.setattr(tokens, "membership_of", slowly)
        (made, _secret), _removed = at_once(
            [partial(tokens.make_token, user=other_buyer, organization=organization, **asked), remove]
        )
        made.refresh_from_db()
        return made

    return make


def test_without_the_lock_a_token_would_come_back_with_whoever_was_removed(token_made, monkeypatch):
    monkeypatch.setattr(tokens, "locked_organization", without_the_lock)
    assert not token_made(has_to_wait=None).is_revoked


def test_with_it_the_token_ends_with_the_membership(token_made):
    def somebody_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return cursor.fetchone() is not None

    assert token_made(has_to_wait=somebody_waits).is_revoked
