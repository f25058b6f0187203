"""Into the administration there is one door: the site's own sign-in, with its limits."""

from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.urls import reverse

from accounts.models import User
from tests.people import PASSWORD
from tests.signing_in import mailed_code

pytestmark = pytest.mark.django_db

INDEX = "/admin/"
LISTINGS = "/admin/machines/listing/?status__exact=active"


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def confirmed(administrator):
    EmailAddress.objects.create(user=administrator, email=administrator.email, verified=True, primary=True)
    return administrator


def test_no_password_is_taken_at_the_administrations_own_address(client, confirmed):
    for number in range(12):
        guess = {"username": confirmed.email, "password": f"guess-{number}", "next": INDEX}
        response = client.post(reverse("admin:login"), guess)
        assert urlsplit(response["Location"]).path == reverse("account_login")
    client.post(reverse("admin:login"), {"username": confirmed.email, "password": PASSWORD, "next": INDEX})
    assert client.get(INDEX).status_code == 302


def test_guessing_is_slowed_down_and_then_the_right_one_does_not_get_in_either(client, confirmed):
    address = f"{reverse('account_login')}?next={INDEX}"
    answers = [client.post(address, {"login": confirmed.email, "password": f"guess-{n}"}) for n in range(12)]
    assert "too many" in answers[-1].text.lower()
    client.post(address, {"login": confirmed.email, "password": PASSWORD})
    assert client.get(INDEX).status_code == 302


@pytest.mark.parametrize("page", [INDEX, LISTINGS])
def test_an_administrator_comes_in_through_the_sites_sign_in(client, confirmed, page):
    response = client.get(page, follow=True)
    (sign_in, _) = response.redirect_chain[-1]
    assert urlsplit(sign_in).path == reverse("account_login")
    assert parse_qs(urlsplit(sign_in).query)["next"] == [page]
    response = client.post(sign_in, {"login": confirmed.email, "password": PASSWORD})
    assert response["Location"] == page
    assert client.get(page).status_code == 200


def test_who_is_signed_in_is_asked_for_nothing(client, confirmed):
    client.force_login(confirmed)
    for method in (client.get, client.post):
        assert method(reverse("admin:login"))["Location"] == INDEX
        assert method(f"{reverse('admin:login')}?next={LISTINGS}")["Location"] == LISTINGS
        assert method(f"{reverse('admin:login')}?next=https://example.org/")["Location"] == INDEX


def test_one_made_on_the_command_line_confirms_the_address_first(client):
    User.objects.create_superuser("root@example.com", PASSWORD)
    response = client.post(
        f"{reverse('account_login')}?next={INDEX}", {"login": "root@example.com", "password": PASSWORD}
    )
    assert response["Location"] == reverse("account_email_verification_sent")
    client.post(response["Location"], {"code": mailed_code("root@example.com")})
    assert client.get(INDEX).status_code == 200


def test_others_are_told_that_it_is_not_for_them(client, buyer):
    client.force_login(buyer)
    assert client.get(INDEX, follow=True).status_code == 403
    assert client.post(reverse("admin:login"), {"username": "x", "password": "y"}).status_code == 403
