"""The pages of organizations: what each role sees and may, forms that keep what was typed, and for whom one acts."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Invitation, OrganizationRole
from accounts.views import members
from common.ids import uuid7
from tests.organizations import (
    leave,
    make_cost_centre,
    make_member,
    make_organization,
    make_organization_details,
    make_project,
)
from tests.people import DAY, make_machine, make_user

pytestmark = pytest.mark.django_db

ADMINISTRATOR, BILLING, MEMBER, VIEWER = OrganizationRole
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/listings/?gpu=H100"}


@pytest.fixture
def organization(buyer):
    return make_organization(buyer)


@pytest.fixture
def signed_in(client, buyer):
    client.force_login(buyer)
    return client


def address(name, *args):
    return reverse(name, args=[getattr(arg, "pk", arg) for arg in args])


# The list, and making one -----------------------------------------------------------------------------


def test_whoever_books_alone_reads_that_nothing_is_missing(client, stranger):
    client.force_login(stranger)
    page = client.get(address("organization_list")).text
    assert "You book for yourself" in page
    assert "Make an organization" in page
    assert "switcher" not in client.get("/").text


def test_one_is_made_and_acted_for_at_once(signed_in):
    data = {"name": "Fjord Lab", "kind": "university", "country": "NO"}
    page = signed_in.post(address("organization_create"), data, follow=True)
    assert "Fjord Lab is made. You act for it now." in page.text
    assert "Begin here" in page.text
    assert "Invite your colleagues" in page.text
    assert "<b>Fjord Lab</b>" in page.text, "the header says for whom"


def test_a_name_is_no_advertisement_and_what_was_typed_stays(signed_in):
    page = signed_in.post(address("organization_create"), {"name": "Buy at https://x.example", "kind": "other"})
    assert page.status_code == 422
    assert "A name holds no web address" in page.text
    assert "https://x.example" in page.text


# Each role --------------------------------------------------------------------------------------------

TABS = {
    ADMINISTRATOR: {"settings", "billing", "members", "projects"},
    BILLING: {"billing", "members", "projects"},
    MEMBER: {"members", "projects"},
    VIEWER: {"members", "projects"},
}


@pytest.mark.parametrize("role", list(OrganizationRole))
def test_each_role_sees_what_it_may(client, organization, other_buyer, role):
    make_member(organization, other_buyer, role)
    make_project(organization)
    client.force_login(other_buyer)
    page = client.get(address("organization_detail", organization)).text
    assert f"Your role: {role.label.lower()}" in page
    tabs = {
        tab
        for tab in TABS[ADMINISTRATOR]
        if f'href="/organizations/{organization.pk}/{tab}/">' in page.split("</nav>")[1]
    }
    assert tabs == TABS[role]
    members = client.get(address("organization_members", organization)).text
    assert ("Send the invitations" in members) == (role == ADMINISTRATOR)
    projects = client.get(address("organization_projects", organization)).text
    assert ("Add a project" in projects) == (role == ADMINISTRATOR)
    assert ("Add a cost centre" in projects) == (role in (ADMINISTRATOR, BILLING))


def test_a_page_beyond_ones_role_says_whose_it_is(client, organization, other_buyer):
    make_member(organization, other_buyer, VIEWER)
    client.force_login(other_buyer)
    refused = client.get(address("organization_settings", organization))
    assert refused.status_code == 403
    assert "Your role here is viewer. This needs another: administrator." in refused.text


def test_whoever_was_removed_while_a_form_was_open_reads_that(client, organization, other_buyer, now):
    leave(make_member(organization, other_buyer, ADMINISTRATOR), at=now)
    client.force_login(other_buyer)
    refused = client.post(address("organization_settings", organization), {"name": "Mine"})
    assert refused.status_code == 403
    assert "You do not belong to this organization any more." in refused.text


def test_things_of_another_organization_are_not_there(signed_in, organization, stranger):
    """One's own organization in the address opens nothing of somebody else's."""
    other = make_organization(stranger, "Another")
    project, centre = make_project(other), make_cost_centre(other)
    member = other.memberships.get()
    for name, thing in (
        ("project_edit", project),
        ("project_archive", project),
        ("cost_centre_archive", centre),
        ("member_role", member),
        ("member_remove", member),
    ):
        for mine in (organization, other):
            assert signed_in.post(address(name, mine, thing)).status_code == 404, name


# Settings, policy, billing details --------------------------------------------------------------------


def test_settings_and_policy_are_saved_from_one_page(signed_in, organization):
    data = {"name": "Fjord AS", "kind": "company", "country": "NO"}
    assert (
        "The settings are saved."
        in signed_in.post(address("organization_settings", organization), data, follow=True).text
    )
    policy = {"needs_project": "on", "approval_above": "250"}
    page = signed_in.post(address("organization_policy", organization), policy, follow=True).text
    assert "The policy is saved." in page
    organization.refresh_from_db()
    assert (organization.name, organization.needs_project, organization.approval_above) == ("Fjord AS", True, 250)
    overview = signed_in.get(address("organization_detail", organization)).text
    assert "An administrator&#x27;s approval where they cost more than 250.00" in overview


def test_a_wrong_form_keeps_what_was_typed_and_the_header_its_name(signed_in, organization):
    page = signed_in.post(address("organization_settings", organization), {"name": "", "kind": "nonsense"})
    assert page.status_code == 422
    assert "<h1>Institute of Computing</h1>" in page.text
    page = signed_in.post(address("organization_policy", organization), {"approval_above": "-5"})
    assert page.status_code == 422
    assert 'value="-5"' in page.text


DETAILS = {
    "name": "Fjord GmbH",
    "street": "Ringstraße 1",
    "postal_code": "1010",
    "city": "Wien",
    "country": "AT",
    "vat_id": "atu 135 85 627",
}


def test_billing_details_are_a_businesss(signed_in, organization, buyer):
    page = signed_in.post(address("organization_billing", organization), DETAILS, follow=True)
    assert "The billing details are saved." in page.text
    assert "Reverse charge" in page.text
    details = organization.billing_details
    assert (details.kind, details.vat_id, details.name) == ("business", "ATU13585627", "Fjord GmbH")
    assert not hasattr(buyer, "billing_details"), "their own are not touched"


def test_vat_follows_while_one_types(signed_in, organization):
    part = signed_in.get(address("organization_billing", organization), DETAILS, headers=HTMX)
    assert "Reverse charge" in part.text
    assert "<html" not in part.text
    wrong = signed_in.post(address("organization_billing", organization), DETAILS | {"vat_id": "ATU1"})
    assert wrong.status_code == 422
    assert "Ringstraße 1" in wrong.text


# Members ----------------------------------------------------------------------------------------------


def test_colleagues_are_invited_as_they_are_pasted(signed_in, organization):
    tag = uuid7().hex[-8:]
    data = {"emails": f"one-{tag}@x.example, two-{tag}@x.example\nthree-{tag}@x.example", "role": "viewer"}
    page = signed_in.post(address("organization_members", organization), data, follow=True)
    assert "3 invitations are on their way." in page.text
    assert organization.invitations.filter(role="viewer").count() == 3
    wrong = signed_in.post(address("organization_members", organization), {"emails": "no address", "role": "viewer"})
    assert wrong.status_code == 422
    assert "These are no e-mail addresses: no, address" in wrong.text


def test_an_invitation_is_sent_again_and_withdrawn(signed_in, organization, buyer, now):
    row = Invitation.objects.create(
        organization=organization,
        email=f"{uuid7().hex[-8:]}@x.example",
        token_hash="0" * 64,
        invited_by=buyer,
        expires_at=now - DAY,
    )
    assert "expired" in signed_in.get(address("organization_members", organization)).text
    page = signed_in.post(address("invitation_resend", organization, row), follow=True).text
    assert "The link in the old one is good no more." in page
    page = signed_in.post(address("invitation_revoke", organization, row), follow=True).text
    assert f"The invitation of {row.email} is withdrawn." in page
    page = signed_in.post(address("invitation_resend", organization, row), follow=True).text
    assert "This invitation was accepted or revoked meanwhile." in page


def test_a_role_changes_and_a_member_goes(signed_in, organization, other_buyer):
    member = make_member(organization, other_buyer)
    assert "books servers for the organization" in signed_in.get(address("member_role", organization, member)).text
    page = signed_in.post(address("member_role", organization, member), {"role": "billing"}, follow=True).text
    assert "Olaf Other is billing now." in page
    confirm = signed_in.get(address("member_remove", organization, member)).text
    assert "What they booked for it stays its own" in confirm
    page = signed_in.post(address("member_remove", organization, member), follow=True).text
    assert "Olaf Other is removed." in page
    assert signed_in.post(address("member_remove", organization, member)).status_code == 404


def test_the_last_administrator_reads_why_they_stay(signed_in, organization):
    mine = organization.memberships.get()
    for page in (
        signed_in.get(address("member_role", organization, mine)),
        signed_in.get(address("organization_leave", organization)),
    ):
        assert page.status_code == 200
        assert "You are the only administrator" in page.text
    assert signed_in.post(address("organization_leave", organization)).status_code == 409
    assert signed_in.post(address("member_role", organization, mine), {"role": "viewer"}).status_code == 422
    assert signed_in.get(address("member_remove", organization, mine)).status_code == 302


def test_whoever_leaves_acts_for_themselves_again(client, organization, other_buyer):
    make_member(organization, other_buyer)
    client.force_login(other_buyer)
    client.post(address("organization_switch"), {"organization": str(organization.pk)})
    page = client.post(address("organization_leave", organization), follow=True)
    assert "You have left Institute of Computing." in page.text
    assert "organization" not in client.session
    assert not client.session["belongs_somewhere"]


# Another owner ----------------------------------------------------------------------------------------


def test_the_owner_changes_after_showing_again_who_they_are(signed_in, organization, other_buyer):
    assert "There is no other administrator." in signed_in.get(address("organization_transfer", organization)).text
    heir = make_member(organization, other_buyer, ADMINISTRATOR)
    make_machine(organization.owner, organization=organization)
    page = signed_in.get(address("organization_transfer", organization)).text
    assert "The machines go to the new owner" in page
    asked = signed_in.post(address("organization_transfer", organization), {"to": str(heir.pk)})
    assert asked.status_code == 302
    assert "reauthenticate" in asked.headers["Location"]
    organization.refresh_from_db()
    assert organization.owner != other_buyer


def test_only_an_administrator_can_be_chosen(signed_in, organization, other_buyer):
    member = make_member(organization, other_buyer)
    page = signed_in.post(address("organization_transfer", organization), {"to": str(member.pk)})
    assert page.status_code == 422


# Projects and cost centres ----------------------------------------------------------------------------


def test_projects_and_cost_centres_come_and_go(signed_in, organization, now):
    assert "No projects yet" in signed_in.get(address("organization_projects", organization)).text
    data = {"name": "Folding", "grant": "G-1", "grant_ends_on": (now - DAY).date().isoformat()}
    page = signed_in.post(address("project_create", organization), data, follow=True).text
    assert "The project “Folding” is added." in page
    assert "G-1" in page
    assert "over" in page
    assert "It may be archived" in signed_in.post(address("project_create", organization), data).text
    project = organization.projects.get()
    form = signed_in.get(address("project_edit", organization, project)).text
    assert f'value="{data["grant_ends_on"]}"' in form
    signed_in.post(address("project_edit", organization, project), {"name": "Folding 2"})
    page = signed_in.post(address("project_archive", organization, project), follow=True).text
    assert "1 archived project" in page
    page = signed_in.post(address("project_restore", organization, project), follow=True).text
    assert "“Folding 2” can be booked for again" in page
    page = signed_in.post(address("cost_centre_create", organization), {"code": "4711"}, follow=True).text
    assert "The cost centre 4711 is added." in page
    centre = organization.cost_centres.get()
    assert signed_in.post(address("cost_centre_create", organization), {"code": "4711"}).status_code == 422
    page = signed_in.post(address("cost_centre_archive", organization, centre), follow=True).text
    assert "1 archived cost centre" in page
    page = signed_in.post(address("cost_centre_restore", organization, centre), follow=True).text
    assert "4711 can be booked on again" in page


# For whom one acts ------------------------------------------------------------------------------------


def test_the_switcher_lists_ones_organizations_and_comes_back(client, organization, buyer, stranger):
    make_organization(stranger, "Another")
    client.force_login(buyer)
    home = client.get("/").text
    assert f'hx-get="{address("organization_switcher")}"' in home
    assert "<b>Personal</b>" in home
    part = client.get(address("organization_switcher"), headers=HTMX).text
    assert "Institute of Computing" in part
    assert "Another" not in part
    assert 'value="/listings/?gpu=H100"' in part
    switched = client.post(
        address("organization_switch"), {"organization": str(organization.pk), "next": "/listings/?gpu=H100"}
    )
    assert switched.headers["Location"] == "/listings/?gpu=H100"
    assert "<b>Institute of Computing</b>" in client.get("/").text
    client.post(address("organization_switch"), {"next": "/"})
    assert "<b>Personal</b>" in client.get("/").text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_switching_leads_nowhere_else(signed_in, organization, back):
    switched = signed_in.post(address("organization_switch"), {"next": back})
    assert switched.headers["Location"] == address("organization_list")


def test_nobody_acts_for_somebody_elses(signed_in, stranger):
    other = make_organization(stranger, "Another")
    for chosen in (str(other.pk), str(uuid7()), "nonsense"):
        assert signed_in.post(address("organization_switch"), {"organization": chosen}).status_code == 404
    assert "organization" not in signed_in.session


def test_whoever_was_removed_acts_for_themselves_from_the_next_page_on(client, organization, other_buyer, now):
    membership = make_member(organization, other_buyer)
    client.force_login(other_buyer)
    client.post(address("organization_switch"), {"organization": str(organization.pk)})
    assert "<b>Institute of Computing</b>" in client.get("/").text
    leave(membership, at=now)
    assert "Institute of Computing" not in client.get("/").text


def test_the_header_costs_no_query(client, organization, buyer, stranger, django_assert_num_queries):
    """Of people with organizations and without: as many as of anybody who is signed in."""
    client.force_login(stranger)
    client.get("/how-it-works/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/how-it-works/")
    without_any = len(queries)
    client.force_login(buyer)
    client.get("/how-it-works/")
    with django_assert_num_queries(without_any):
        assert "switcher" in client.get("/how-it-works/").text


def test_members_see_the_address_of_nobody_who_has_a_name(client, organization, buyer, other_buyer):
    make_organization_details(organization)
    make_member(organization, other_buyer, VIEWER)
    client.force_login(other_buyer)
    for name in ("organization_detail", "organization_members"):
        assert buyer.email not in client.get(address(name, organization)).text


# A large one -------------------------------------------------------------------------------------------


def test_many_members_are_listed_a_page_at_a_time(signed_in, organization, monkeypatch):
    monkeypatch.setattr(members, "A_PAGE", 2)
    for number in range(2):
        make_member(organization, make_user(f"member-{number}@institute.example"))
    page = address("organization_members", organization)
    assert "member-0@institute.example" in signed_in.get(page).text
    assert "member-1@institute.example" not in signed_in.get(page).text
    assert "member-1@institute.example" in signed_in.get(page, {"page": 2}).text


def test_invitations_have_pages_of_their_own(signed_in, organization, buyer, now, monkeypatch):
    monkeypatch.setattr(members, "A_PAGE", 2)
    for number in range(3):
        organization.invitations.create(
            email=f"new-{number}@institute.example",
            token_hash=f"{number:064}",
            invited_by=buyer,
            invited_at=now - number * DAY,
            expires_at=now + DAY,
        )
    page = address("organization_members", organization)
    first, second = signed_in.get(page).text, signed_in.get(page, {"invited": 2}).text
    assert [f"new-{number}@" in first for number in range(3)] == [True, True, False]
    assert [f"new-{number}@" in second for number in range(3)] == [False, False, True]
    assert "?invited=2#invitations" in first
    assert buyer.email in second, "the members stay where they are"
