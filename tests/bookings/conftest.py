"""An institute whose members book, and a machine at a plain price."""

import pytest

from accounts.models import Membership, Organization
from machines.models import Listing
from tests.organizations import make_member, make_organization, make_organization_details
from tests.people import make_listing


@pytest.fixture
def institute(other_buyer) -> Organization:
    """Looked after by ``other_buyer``."""
    organization = make_organization(other_buyer)
    make_organization_details(organization)
    return organization


@pytest.fixture
def colleague(institute, buyer) -> Membership:
    return make_member(institute, buyer)


@pytest.fixture
def offer(machine) -> Listing:
    """2 EUR an hour and nothing else."""
    return make_listing(machine, price_hour=2, price_day=None, price_week=None)
