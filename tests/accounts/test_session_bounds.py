"""A session does not live for ever, changes its key when somebody shows who they are, and leaves nothing behind."""

import time

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings as site
from django.urls import reverse

from accounts.models import SingleSignOn
from accounts.sessions import SIGNED_IN
from tests.organizations import make_organization
from tests.people import PASSWORD
from tests.signing_in import add_app, confirm, sign_in

pytestmark = pytest.mark.django_db


def age(client, seconds: float) -> None:
    """The session began so long ago."""
    session = client.session
    session[SIGNED_IN] = int(time.time() - seconds)
    session.save()


@pytest.mark.parametrize("older", [-60, 60])
def test_it_ends_some_time_after_its_sign_in_however_busy_it_is(client, buyer, older, settings):
    client.force_login(buyer)
    age(client, settings.MARKETPLACE_SESSION_MOST.total_seconds() + older)
    assert client.get(reverse("profile")).status_code == (302 if older > 0 else 200)
    assert ("_auth_user_id" in client.session) == (older < 0)


def test_an_administrators_ends_sooner(client, administrator, settings):
    client.force_login(administrator)
    age(client, settings.MARKETPLACE_ADMIN_SESSION.total_seconds() + 60)
    assert client.get(reverse("profile")).status_code == 302
    assert settings.MARKETPLACE_ADMIN_SESSION < settings.MARKETPLACE_SESSION_MOST


def test_showing_again_who_one_is_changes_its_key_and_the_list_knows_it(client, buyer):
    sign_in(client, confirm(buyer))
    before = client.session.session_key
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    after = client.session.session_key
    assert after != before
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [after]
    client.cookies[site.SESSION_COOKIE_NAME] = before
    assert client.get(reverse("profile")).status_code == 302, "the old key is good for nothing"


def test_what_a_person_is_shown_is_kept_nowhere(client, buyer):
    assert "Cache-Control" not in client.get(reverse("privacy_notice"))
    client.force_login(buyer)
    for route in ("profile", "privacy_notice", "booking_list", "ssh_key_list"):
        assert client.get(reverse(route))["Cache-Control"] == "private, no-store", route


def test_signing_out_has_the_browser_forget_what_it_holds(client, buyer):
    client.force_login(buyer)
    assert "Clear-Site-Data" not in client.get(reverse("profile"))
    assert client.post(reverse("account_logout"))["Clear-Site-Data"] == '"cache", "storage"'


def test_pages_are_not_put_down_in_the_browsers_storage(client):
    assert '"historyCacheSize": 0' in client.get(reverse("home")).text


@pytest.mark.parametrize("has_shown", [False, True])
def test_an_administrator_without_a_second_factor_is_a_person_like_others(
    client, administrator, held, has_shown, settings
):
    """Not only the administration: whatever they see of others, they see after a second factor."""
    settings.MARKETPLACE_ADMIN_MFA = True
    client.force_login(administrator)
    if has_shown:
        factor = add_app(administrator)
        session = client.session
        session["account_authentication_methods_user"] = str(administrator.pk)
        session["account_authentication_methods"] = [{"method": "mfa", "at": time.time(), "id": factor.pk}]
        session.save()
    answer = client.get(reverse("booking_detail", args=[held.pk]))
    assert answer.status_code == (200 if has_shown else 404)


@pytest.mark.parametrize("begun_by", ["cross-site", "same-site"])
def test_another_site_signs_nobody_in_by_their_organizations_provider(client, buyer, begun_by):
    about = {"issuer": "https://id.example.org", "sign_in_url": "https://id.example.org/", "certificates": "none"}
    SingleSignOn.objects.create(organization=make_organization(buyer), slug="institute", kind="saml", **about)
    answer = client.get(reverse("sso_go", args=["institute"]), headers={"sec-fetch-site": begun_by})
    assert answer["Location"] == reverse("sso_entrance", args=["institute"])
