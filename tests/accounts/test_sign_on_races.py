"""Somebody comes from the provider for the first time, twice at once. In a pair: without the lock, and with it."""

from functools import partial

import pytest

from accounts.models import Membership, SingleSignOn, User
from accounts.services import admittance
from accounts.sso.asserted import Asserted
from tests.accounts.test_membership_races import together
from tests.organizations import make_organization
from tests.racing import at_once
from tests.single_sign_on import DOMAIN, approve, connect_oidc

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def came_twice(buyer, now):
    organization = make_organization(buyer)
    approve(organization, now=now)
    connect_oidc(organization)

    def come():
        sign_on = SingleSignOn.objects.select_related("organization").get()
        said = Asserted(uid="ada", email=f"ada@{DOMAIN}", name="Ada")
        return admittance.admit(sign_on=sign_on, said=said, signed_in=None, now=now)

    return partial(at_once, [come, come])


def test_without_the_lock_the_second_one_is_turned_away(came_twice, monkeypatch):
    monkeypatch.setattr(admittance, "_locked", lambda sign_on: sign_on)
    monkeypatch.setattr(admittance, "_known", together(admittance._known))
    results = came_twice()
    assert sum(isinstance(result, admittance.SignInRefused) for result in results) == 1
    assert User.objects.filter(email=f"ada@{DOMAIN}").count() == 1


def test_with_the_lock_both_come_in_as_the_same_person(came_twice):
    one, other = came_twice()
    assert one.user_id == other.user_id
    assert Membership.objects.filter(user=one.user_id).count() == 1
