"""Members: roles change, people leave and are removed, and one administrator always stays."""

from functools import partial

import pytest

from accounts.models import Membership, Notification, OrganizationRole, OutgoingMail, Role
from accounts.permissions import NotAllowed
from accounts.services.memberships import change_role, leave_organization, remove_member
from accounts.services.organizations import OrganizationError
from common.languages import in_language
from tests.organizations import leave, make_member, make_organization
from tests.people import make_user

ADMINISTRATOR, BILLING, MEMBER, VIEWER = OrganizationRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(buyer):
    return make_organization(buyer)


@pytest.fixture
def mine(organization, buyer) -> Membership:
    """The owner's own."""
    return organization.memberships.get(user=buyer)


@pytest.fixture
def colleague(organization, other_buyer) -> Membership:
    return make_member(organization, other_buyer)


def roles_of(user):
    user.refresh_from_db()
    return set(user.roles)


# Roles ------------------------------------------------------------------------------------------------


def test_a_member_gets_another_role_and_is_told(colleague, buyer, now):
    changed = change_role(membership=colleague, role=VIEWER, by=buyer, now=now)
    change_role(membership=colleague, role=VIEWER, by=buyer, now=now)  # twice is quiet
    assert changed.role == VIEWER
    mail = OutgoingMail.objects.get(user=colleague.user)
    assert mail.subject == "Your role in Institute of Computing is viewer now"
    assert "Bea Buyer changed it. It was member." in mail.text
    assert Notification.objects.get(user=colleague.user).title == mail.subject


def test_each_is_told_in_their_own_language_whoever_does_it(colleague, buyer, now):
    colleague.user.language = "de"
    colleague.user.save(update_fields=["language"])
    with in_language("en"):
        change_role(membership=colleague, role=ADMINISTRATOR, by=buyer, now=now)
    mail = OutgoingMail.objects.get(user=colleague.user)
    assert mail.subject == "Ihre Rolle in Institute of Computing ist jetzt Administrator"
    assert "Geändert von Bea Buyer. Vorher war sie Mitglied." in mail.text
    assert "Organisation öffnen" in mail.text
    assert Notification.objects.get(user=colleague.user).title == mail.subject


def test_an_english_administrator_reads_of_a_german_who_left_in_english(colleague, buyer, now):
    with in_language("de"):
        leave_organization(organization=colleague.organization, user=colleague.user, now=now)
    assert OutgoingMail.objects.get(user=buyer).subject.endswith(" has left Institute of Computing")


def test_the_role_on_the_site_follows_the_memberships(colleague, buyer, other_buyer, now):
    """An Organizational Administrator is whoever is an administrator anywhere."""
    other = make_member(make_organization(buyer, "Another"), other_buyer)
    for membership in (colleague, other):
        change_role(membership=membership, role=ADMINISTRATOR, by=buyer, now=now)
    assert roles_of(other_buyer) == {Role.BUYER, Role.ORGANIZATIONAL_ADMINISTRATOR}
    change_role(membership=colleague, role=BILLING, by=buyer, now=now)
    assert Role.ORGANIZATIONAL_ADMINISTRATOR in roles_of(other_buyer), "still an administrator of the other"
    remove_member(membership=other, by=buyer, now=now)
    assert roles_of(other_buyer) == {Role.BUYER}


@pytest.mark.parametrize("role", [BILLING, MEMBER, VIEWER])
def test_only_administrators_change_and_remove_members(organization, colleague, stranger, role, now):
    make_member(organization, stranger, role)
    for attempt in (
        partial(change_role, membership=colleague, role=ADMINISTRATOR, by=stranger, now=now),
        partial(remove_member, membership=colleague, by=stranger, now=now),
    ):
        with pytest.raises(NotAllowed, match=f"Your role here is {role.label.lower()}"):
            attempt()


def test_whoever_was_removed_while_a_form_was_open_is_told_so(organization, colleague, mine, other_buyer, now):
    make_member(organization, make_user("third@example.com"), ADMINISTRATOR)
    with pytest.raises(NotAllowed, match="You do not belong to this organization any more"):
        change_role(membership=mine, role=VIEWER, by=leave(colleague, at=now).user, now=now)


def test_an_administrator_of_another_organization_has_no_say(colleague, stranger, now):
    make_organization(stranger, "Another")
    with pytest.raises(NotAllowed):
        remove_member(membership=colleague, by=stranger, now=now)


# Leaving and removing ---------------------------------------------------------------------------------


def test_a_removed_member_is_out_and_told(organization, colleague, buyer, now):
    removed = remove_member(membership=colleague, by=buyer, now=now)
    remove_member(membership=colleague, by=buyer, now=now)  # twice is quiet
    assert (removed.left_at, removed.removed_by) == (now, buyer)
    assert not organization.memberships.current().filter(user=colleague.user).exists()
    mail = OutgoingMail.objects.get(user=colleague.user)
    assert mail.subject == "You do not belong to Institute of Computing any more"
    assert "What you booked for it stays its own." in mail.text


def test_whoever_leaves_is_out_and_the_administrators_are_told(organization, colleague, buyer, now):
    left = leave_organization(organization=organization, user=colleague.user, now=now)
    assert (left.left_at, left.removed_by) == (now, None)
    assert OutgoingMail.objects.get(user=buyer).subject == "Olaf Other has left Institute of Computing"
    with pytest.raises(NotAllowed):
        leave_organization(organization=organization, user=colleague.user, now=now)


def test_whoever_was_a_member_can_become_one_again(organization, colleague, buyer, now):
    remove_member(membership=colleague, by=buyer, now=now)
    again = make_member(organization, colleague.user)
    assert again.pk != colleague.pk
    assert organization.memberships.filter(user=colleague.user).count() == 2


def test_nobody_removes_themselves(mine, buyer, colleague, now):
    change_role(membership=colleague, role=ADMINISTRATOR, by=buyer, now=now)
    with pytest.raises(OrganizationError, match=r"This is you. To go, leave the organization"):
        remove_member(membership=mine, by=buyer, now=now)


def test_the_last_administrator_neither_leaves_nor_becomes_less(organization, mine, colleague, buyer, now):
    with pytest.raises(
        OrganizationError, match=r"You are the only administrator.*Make another member an administrator"
    ):
        leave_organization(organization=organization, user=buyer, now=now)
    with pytest.raises(OrganizationError, match="You are the only administrator"):
        change_role(membership=mine, role=VIEWER, by=buyer, now=now)
    mine.refresh_from_db()
    assert mine.is_administrator


def test_an_administrator_whose_account_is_off_does_not_count(organization, colleague, buyer, other_buyer, now):
    change_role(membership=colleague, role=ADMINISTRATOR, by=buyer, now=now)
    organization.owner = other_buyer
    organization.save(update_fields=["owner"])
    other_buyer.is_active = False
    other_buyer.save(update_fields=["is_active"])
    with pytest.raises(OrganizationError, match="You are the only administrator"):
        leave_organization(organization=organization, user=buyer, now=now)
