"""Making an organization, editing it, its policy and billing details, and giving it another owner."""

from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import BillingDetails, Notification, OrganizationRole, OutgoingMail, Role
from accounts.permissions import NotAllowed
from accounts.services.billing_details import save_organization_details
from accounts.services.memberships import change_role, leave_organization
from accounts.services.organizations import (
    OrganizationError,
    Policy,
    create_organization,
    edit_organization,
    set_policy,
    transfer_ownership,
)
from accounts.services.projects import (
    ProjectError,
    add_cost_centre,
    add_project,
    archive_cost_centre,
    archive_project,
    edit_project,
    restore_cost_centre,
    restore_project,
)
from billing.earnings import Choice, totals
from billing.earnings import bookings as earned_bookings
from billing.services import payouts
from common.errors import MarketplaceError
from common.rates import TooManyRequests
from machines.models import Machine
from tests.earning import EARNED, make_due, make_iban
from tests.organizations import make_cost_centre, make_member, make_organization, make_project
from tests.people import make_listing, make_machine, verify

pytestmark = pytest.mark.django_db

CHOICE = Choice()
EVERYBODY_ELSE = [OrganizationRole.BILLING, OrganizationRole.MEMBER, OrganizationRole.VIEWER]


@pytest.fixture
def organization(buyer):
    return make_organization(buyer)


def roles_of(user):
    user.refresh_from_db()
    return set(user.roles)


# Making and editing -----------------------------------------------------------------------------------


def test_whoever_makes_one_is_its_administrator_and_owner(buyer, now):
    made = create_organization(by=buyer, name="Fjord Lab", kind="university", country="NO", now=now)
    assert (made.owner, made.created_by, made.created_at) == (buyer, buyer, now)
    (membership,) = made.memberships.all()
    assert (membership.user, membership.role, membership.joined_at) == (buyer, OrganizationRole.ADMINISTRATOR, now)
    assert roles_of(buyer) == {Role.BUYER, Role.ORGANIZATIONAL_ADMINISTRATOR}


def test_nobody_makes_them_by_the_dozen(buyer, now, settings):
    settings.MARKETPLACE_ORGANIZATION_RATE = "2/day"
    for name in ("One", "Two"):
        create_organization(by=buyer, name=name, kind="other", country="DE", now=now)
    with pytest.raises(TooManyRequests):
        create_organization(by=buyer, name="Three", kind="other", country="DE", now=now)


def test_an_administrator_renames_it_and_says_what_bookings_need(buyer, organization):
    edit_organization(organization=organization, by=buyer, name="Fjord AS", kind="company", country="NO")
    policy = Policy(needs_project=True, needs_grant=True, approval_above=Decimal("250.00"))
    set_policy(organization=organization, by=buyer, policy=policy)
    organization.refresh_from_db()
    assert (organization.name, organization.kind, organization.country.code) == ("Fjord AS", "company", "NO")
    assert organization.needs_project
    assert organization.needs_grant
    assert not organization.needs_cost_centre
    assert organization.approval_above == 250


@pytest.mark.parametrize("role", EVERYBODY_ELSE)
def test_only_an_administrator_changes_it(organization, other_buyer, role, now):
    make_member(organization, other_buyer, role)
    project = make_project(organization)
    for attempt in (
        lambda: edit_organization(organization=organization, by=other_buyer, name="Mine", kind="other", country="DE"),
        lambda: set_policy(organization=organization, by=other_buyer, policy=Policy()),
        lambda: transfer_ownership(organization=organization, by=other_buyer, to=other_buyer, now=now),
        lambda: add_project(organization=organization, by=other_buyer, name="P", grant="", grant_ends_on=None, now=now),
        lambda: edit_project(project=project, by=other_buyer, name="P", grant="", grant_ends_on=None),
        lambda: archive_project(project=project, by=other_buyer, now=now),
        lambda: restore_project(project=project, by=other_buyer),
    ):
        with pytest.raises(NotAllowed, match="This needs another: administrator"):
            attempt()


def test_billing_keeps_details_and_cost_centres_and_a_member_does_not(organization, other_buyer, stranger, now):
    make_member(organization, other_buyer, OrganizationRole.BILLING)
    make_member(organization, stranger, OrganizationRole.MEMBER)
    details = BillingDetails(
        kind="business", name="Fjord AS", street="Gata 1", postal_code="0150", city="Oslo", country="NO"
    )
    first = save_organization_details(organization=organization, by=other_buyer, details=details)
    details.city = "Bergen"
    again = save_organization_details(organization=organization, by=other_buyer, details=details)
    assert first.pk == again.pk
    assert (again.organization, again.user, again.city) == (organization, None, "Bergen")
    assert again.email == organization.owner.email
    centre = add_cost_centre(organization=organization, by=other_buyer, code="4711", name="Physics")
    archive_cost_centre(cost_centre=centre, by=other_buyer, now=now)
    restore_cost_centre(cost_centre=centre, by=other_buyer)
    for attempt in (
        lambda: save_organization_details(organization=organization, by=stranger, details=details),
        lambda: add_cost_centre(organization=organization, by=stranger, code="1", name=""),
        lambda: archive_cost_centre(cost_centre=centre, by=stranger, now=now),
    ):
        with pytest.raises(NotAllowed):
            attempt()


# Projects and cost centres ----------------------------------------------------------------------------


def test_a_project_is_added_renamed_archived_and_taken_out_again(buyer, organization, now):
    day = now.date()
    project = add_project(organization=organization, by=buyer, name="A", grant="G-1", grant_ends_on=day, now=now)
    assert (project.name, project.grant, project.grant_ends_on, project.created_at) == ("A", "G-1", day, now)
    edit_project(project=project, by=buyer, name="B", grant="", grant_ends_on=None)
    archive_project(project=project, by=buyer, now=now)
    archived = archive_project(project=project, by=buyer, now=timezone.now())
    assert archived.archived_at == now, "the first time counts"
    assert not restore_project(project=project, by=buyer).is_archived
    project.refresh_from_db()
    assert (project.name, project.grant, project.grant_ends_on) == ("B", "", None)


def test_a_name_is_given_once_in_an_organization_and_said_where_it_is(buyer, organization, now):
    make_project(organization, "Folding", archived_at=now)
    make_project(make_organization(buyer, "Another"), "Elsewhere")
    new = {"organization": organization, "by": buyer, "grant": "", "grant_ends_on": None, "now": now}
    with pytest.raises(ProjectError, match=r"“folding” already. It may be archived") as refused:
        add_project(name="folding", **new)
    assert refused.value.field == "name"
    other = add_project(name="Elsewhere", **new)
    with pytest.raises(ProjectError, match="already"):
        edit_project(project=other, by=buyer, name="FOLDING", grant="", grant_ends_on=None)
    make_cost_centre(organization, "4711a")
    with pytest.raises(ProjectError, match="“4711A” already"):
        add_cost_centre(organization=organization, by=buyer, code="4711A", name="")


# Another owner ----------------------------------------------------------------------------------------


@pytest.fixture
def heir(organization, other_buyer):
    """Another administrator of it."""
    make_member(organization, other_buyer, OrganizationRole.ADMINISTRATOR)
    return other_buyer


def test_ownership_goes_to_another_administrator_who_is_told(organization, buyer, heir, now):
    transfer_ownership(organization=organization, by=buyer, to=heir, now=now)
    transfer_ownership(organization=organization, by=buyer, to=heir, now=now)  # twice is quiet
    organization.refresh_from_db()
    assert organization.owner == heir
    assert OutgoingMail.objects.get(user=heir).subject == "You own Institute of Computing now"
    assert "Bea Buyer made Olaf Other its owner" in OutgoingMail.objects.get(user=heir).text
    assert Notification.objects.filter(user=heir).count() == 1
    assert not OutgoingMail.objects.filter(user=buyer).exists(), "who did it knows"


@pytest.mark.parametrize("role", EVERYBODY_ELSE)
def test_only_an_administrator_becomes_the_owner(organization, buyer, other_buyer, role, now):
    make_member(organization, other_buyer, role)
    with pytest.raises(OrganizationError, match=r"Olaf Other is not an administrator of it. Change their role first"):
        transfer_ownership(organization=organization, by=buyer, to=other_buyer, now=now)


def test_an_outsider_does_not_become_the_owner(organization, buyer, stranger, now):
    with pytest.raises(OrganizationError):
        transfer_ownership(organization=organization, by=buyer, to=stranger, now=now)


def test_the_owner_goes_only_after_somebody_else_owns_it(organization, buyer, heir, now):
    with pytest.raises(OrganizationError, match="You own this organization"):
        leave_organization(organization=organization, user=buyer, now=now)
    mine = organization.memberships.get(user=buyer)
    with pytest.raises(OrganizationError, match="Bea Buyer owns this organization"):
        change_role(membership=mine, role=OrganizationRole.VIEWER, by=heir, now=now)
    transfer_ownership(organization=organization, by=buyer, to=heir, now=now)
    leave_organization(organization=organization, user=buyer, now=now)
    assert roles_of(buyer) == {Role.BUYER}


def test_its_machines_go_to_the_new_owner_and_nobody_elses_do(organization, buyer, heir, administrator, provider, now):
    its = make_machine(buyer, "its", organization=organization)
    private = make_machine(buyer, "private")
    theirs = make_machine(provider, "theirs")
    with pytest.raises(MarketplaceError, match=r"whoever provides machines is verified. Olaf Other is not yet"):
        transfer_ownership(organization=organization, by=buyer, to=heir, now=now)
    organization.refresh_from_db()
    assert organization.owner == buyer, "nothing has changed"
    verify(heir, by=administrator, now=now)
    transfer_ownership(organization=organization, by=buyer, to=heir, now=now)
    owners = dict(Machine.objects.values_list("pk", "provider"))
    assert owners == {its.pk: heir.pk, private.pk: buyer.pk, theirs.pk: provider.pk}
    assert Role.PROVIDER in roles_of(heir)


def test_what_was_earned_before_is_paid_to_the_earlier_owner(organization, buyer, heir, stranger, administrator, now):
    """What the ledger credited to one account is paid out to that account; later earnings are the new owner's."""
    for owner in (buyer, heir):
        verify(owner, by=administrator, now=now)
        make_iban(owner, now=now)
    listing = make_listing(make_machine(buyer, "its", organization=organization))
    before = make_due(listing, stranger, now=now, days=10)
    transfer_ownership(organization=organization, by=buyer, to=heir, now=now)
    listing.refresh_from_db()
    after = make_due(make_listing(Machine.objects.get(pk=listing.machine_id)), stranger, now=now)
    assert [row.pk for row in earned_bookings(buyer, CHOICE)] == [before.pk]
    assert [row.pk for row in earned_bookings(heir, CHOICE)] == [after.pk]
    assert [total.due for total in totals(buyer, CHOICE, now=now)] == [EARNED]
    assert payouts.schedule_payouts(now=now) == 2
    lines = {payout.provider: [line.booking for line in payout.lines.all()] for payout in buyer.payouts.all()}
    assert lines == {buyer: [before]}
    assert [line.booking for line in heir.payouts.get().lines.all()] == [after]
    assert payouts.schedule_payouts(now=now) == 0


def test_nobody_takes_an_organization_from_its_owner(organization, buyer, heir, now):
    """Its machines and what they earn would go along. Once the owner's account is closed, another administrator may."""
    with pytest.raises(NotAllowed, match=r"Bea Buyer owns this organization\. Only the owner can hand it on"):
        transfer_ownership(organization=organization, by=heir, to=heir, now=now)
    buyer.is_active = False
    buyer.save(update_fields=["is_active"])
    transfer_ownership(organization=organization, by=heir, to=heir, now=now)
    organization.refresh_from_db()
    assert organization.owner == heir
