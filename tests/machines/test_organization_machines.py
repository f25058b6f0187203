"""The machines of an organization: who sees them, and that its owner says which they are."""

import pytest

from accounts.models import OrganizationRole
from machines.models import Machine
from machines.services.errors import MachineError
from machines.services.ownership import give_to_organization, take_from_organization
from tests.organizations import make_member, make_organization
from tests.people import make_listing, make_machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def institute(provider):
    """Owned by a provider."""
    return make_organization(provider)


@pytest.fixture
def address(institute) -> str:
    return f"/organizations/{institute.pk}/machines/"


def test_they_are_listed_to_those_who_may_see_them(client, institute, address, provider, other_provider, other_buyer):
    """The owner is led to each, others to what is on offer."""
    ours = make_machine(provider, "ours", organization=institute)
    listing = make_listing(make_machine(provider, "on-offer", organization=institute))
    make_machine(provider, "own")
    make_machine(other_provider, "theirs")
    make_member(institute, other_buyer, OrganizationRole.VIEWER)
    client.force_login(other_buyer)
    page = client.get(address)
    assert {machine.name for machine, _ in page.context["rows"]} == {"ours", "on-offer"}
    assert f"/machines/{ours.pk}/" not in page.text
    assert f"/listings/{listing.pk}/" in page.text
    assert "Which of yours they are" not in page.text
    client.force_login(provider)
    assert f"/machines/{ours.pk}/" in client.get(address).text


def test_the_owner_makes_a_machine_the_organizations_and_takes_it_back(client, institute, address, provider):
    machine = make_machine(provider, "ours")
    client.force_login(provider)
    for do, owner in (("give", institute), ("take", None)):
        assert client.post(address, {"do": do, f"{do}-machine": machine.pk}).status_code == 302
        assert Machine.objects.get(pk=machine.pk).organization == owner
    assert client.post(address, {"do": "take", "take-machine": machine.pk}).status_code == 422


def test_machines_of_others_and_of_other_organizations_are_not_given(
    client, institute, address, provider, other_provider, administrator
):
    theirs = make_machine(other_provider, "theirs")
    elsewhere = make_machine(provider, "elsewhere", organization=make_organization(administrator, "Another"))
    client.force_login(provider)
    for machine in (theirs, elsewhere):
        assert client.post(address, {"do": "give", "give-machine": machine.pk}).status_code == 422
        with pytest.raises(MachineError, match="Choose another"):
            give_to_organization(machine_id=machine.pk, organization=institute, by=provider)
        with pytest.raises(MachineError, match="Choose another"):
            take_from_organization(machine_id=machine.pk, organization=institute, by=provider)


def test_who_is_no_longer_the_owner_gives_nothing(client, institute, address, provider, other_provider):
    machine = make_machine(provider, "ours")
    make_member(institute, other_provider, OrganizationRole.ADMINISTRATOR)
    institute.owner = other_provider
    institute.save(update_fields=["owner"])
    client.force_login(provider)
    assert client.post(address, {"do": "give", "give-machine": machine.pk}).status_code == 403
    with pytest.raises(MachineError, match="Only the owner"):
        give_to_organization(machine_id=machine.pk, organization=institute, by=provider)
    assert Machine.objects.get(pk=machine.pk).organization is None
