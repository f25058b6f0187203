"""Showing again who one is: what asks, how long it is remembered, with what, and that nothing typed is lost."""

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.urls import reverse

from accounts.models import User
from tests.people import PASSWORD
from tests.signing_in import add_app, code_now, confirm, mailed_code, sign_in, step_up

pytestmark = pytest.mark.django_db

ASK = "/accounts/reauthenticate/"
#: Pages of django-allauth that ask when they are opened.
ON_OPENING = [
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_generate_recovery_codes",
    "account_set_password",
]


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def passwordless(db) -> User:
    """Signs in through an organization alone: no password, no second factor."""
    user = User.objects.create(email="sso@example.com", roles=["buyer"])
    user.set_unusable_password()
    user.save(update_fields=["password"])
    return confirm(user)


@pytest.mark.parametrize("route", ON_OPENING[:-1])
def test_it_is_asked_and_remembered_for_a_while(client, buyer, route):
    client.force_login(confirm(buyer))
    page = reverse(route)
    asked = client.get(page)
    assert asked["Location"].startswith(f"{ASK}?next=")
    assert client.post(asked["Location"], {"password": PASSWORD, "next": page})["Location"] == page
    assert client.get(page).status_code == 200
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
    step_up(client, seconds_ago=9 * 60)
    assert client.get(page).status_code == 200
    step_up(client, seconds_ago=11 * 60)
    assert client.get(page)["Location"].startswith(ASK)


def test_having_signed_in_a_moment_ago_is_not_enough(client, buyer):
    sign_in(client, confirm(buyer))
    assert client.get(reverse("mfa_activate_totp"))["Location"].startswith(ASK)


def test_a_wrong_password_shows_nothing(client, buyer):
    client.force_login(confirm(buyer))
    answer = client.post(ASK, {"password": "wrong", "next": reverse("mfa_activate_totp")})
    assert "That is not your password." in answer.text
    assert client.get(reverse("mfa_activate_totp"))["Location"].startswith(ASK)


def test_what_was_posted_is_done_afterwards(client, buyer):
    client.force_login(confirm(buyer))
    page = reverse("account_email")
    assert client.get(page).status_code == 200
    asked = client.post(page, {"action_add": "", "email": "new@example.com"})
    assert asked["Location"].startswith(ASK)
    answer = client.post(asked["Location"], {"password": PASSWORD, "next": page})
    assert answer["Location"] == reverse("account_email_verification_sent")
    assert mailed_code("new@example.com")


def test_what_somebody_else_posted_is_not_done_by_a_link(client, buyer):
    """The page to go on to has to be the one that was asked for."""
    client.force_login(confirm(buyer))
    client.post(reverse("account_email"), {"action_add": "", "email": "new@example.com"})
    assert client.post(ASK, {"password": PASSWORD, "next": "https://example.org/"})["Location"] == "/"
    assert not EmailAddress.objects.filter(email="new@example.com").exists()


def test_a_code_will_do_as_well(client, buyer):
    add_app(confirm(buyer))
    client.force_login(buyer)
    page = reverse("mfa_deactivate_totp")
    asked = client.get(page)
    assert reverse("mfa_reauthenticate") in client.get(asked["Location"]).text
    answer = client.post(reverse("mfa_reauthenticate"), {"code": code_now(), "next": page})
    assert answer["Location"] == page
    assert client.get(page).status_code == 200


@pytest.mark.parametrize("route", ON_OPENING)
def test_who_has_neither_password_nor_second_factor_gets_a_code_by_mail(client, passwordless, route):
    client.force_login(passwordless)
    page = reverse(route)
    asked = client.get(page)["Location"]
    assert asked.startswith(reverse("step_up_by_mail"))
    assert client.post(asked, {"send": ""}).status_code == 302
    code = mailed_code(passwordless.email)
    assert client.post(asked, {"code": code.lower().replace("-", " "), "next": page})["Location"] == page
    assert client.get(page).status_code == 200
    step_up(client, seconds_ago=11 * 60)
    client.get(page)
    assert "not the code" in client.post(asked, {"code": code, "next": page}).text


def test_a_mailed_code_cannot_be_guessed(client, passwordless):
    client.force_login(passwordless)
    asked = client.get(reverse("mfa_activate_totp"))["Location"]
    client.post(asked, {"send": ""})
    for _ in range(3):
        assert "not the code" in client.post(asked, {"code": "AAAA-BBBB"}).text
    assert "not the code" in client.post(asked, {"code": mailed_code(passwordless.email)}).text


def test_who_has_a_password_is_not_asked_by_mail(client, buyer):
    client.force_login(buyer)
    page = f"{reverse('step_up_by_mail')}?next=/"
    assert client.get(page)["Location"].startswith(ASK)
    assert client.post(page, {"send": ""})["Location"].startswith(ASK)
