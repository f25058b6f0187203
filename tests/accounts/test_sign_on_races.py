"""What comes from a provider, and what else happens in that moment. In pairs: without the lock, and with it."""

import threading
from functools import partial

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import connection

from accounts.models import Membership, SignOnOutcome, SignOnUse, SingleSignOn, User
from accounts.services import admittance, sign_on_news, single_sign_on
from accounts.services.sign_on_refusals import SignInRefused
from accounts.sso.asserted import Asserted
from tests.accounts.test_membership_races import together
from tests.organizations import make_member, make_organization
from tests.people import make_user
from tests.racing import at_once, until
from tests.single_sign_on import DOMAIN, approve, connect_oidc

pytestmark = pytest.mark.django_db(transaction=True)


# The same person for the first time, twice ----------------------------------------------------------------


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
    assert sum(isinstance(result, SignInRefused) for result in results) == 1
    assert User.objects.filter(email=f"ada@{DOMAIN}").count() == 1


def test_with_the_lock_both_come_in_as_the_same_person(came_twice):
    one, other = came_twice()
    assert one.user_id == other.user_id
    assert Membership.objects.filter(user=one.user_id).count() == 1


# The provider is removed while it shows who somebody is ---------------------------------------------------


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture
def shown_while_it_is_removed(buyer, now, monkeypatch):
    """The removal has begun, and ends once the other one is done, or waits for it."""
    organization = make_organization(buyer)
    approve(organization, now=now)
    believed = connect_oidc(organization)
    ada = make_user(f"ada@{DOMAIN}", "buyer")
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    make_member(organization, ada)
    SocialAccount.objects.create(user=ada, provider=believed.provider_id, uid="ada")
    said = Asserted(uid="ada", email=ada.email, authenticated_at=now.timestamp())
    begun, done, removed = threading.Event(), threading.Event(), sign_on_news.removed

    def before_it_ends(*args, **more):
        removed(*args, **more)
        begun.set()
        until(lambda: done.is_set() or _somebody_waits(), "the other one")

    def show_again():
        begun.wait(30)
        try:
            admittance.confirm_again(sign_on=believed, said=said, user=ada, began=now.timestamp(), now=now)
        finally:
            done.set()

    monkeypatch.setattr(sign_on_news, "removed", before_it_ends)
    remove = partial(single_sign_on.remove_sign_on, organization=organization, by=buyer, now=now)
    return partial(at_once, [remove, show_again])


def test_without_the_lock_a_provider_shows_who_somebody_is_while_it_is_removed(shown_while_it_is_removed, monkeypatch):
    monkeypatch.setattr(admittance, "_locked", lambda sign_on: sign_on)
    assert shown_while_it_is_removed() == [None, None]
    assert SignOnUse.objects.get().outcome == SignOnOutcome.CONFIRMED


def test_with_the_lock_it_does_not(shown_while_it_is_removed):
    removed, refused = shown_while_it_is_removed()
    assert removed is None
    assert isinstance(refused, SignInRefused)
    assert SignOnUse.objects.get().outcome == SignOnOutcome.REFUSED
