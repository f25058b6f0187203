"""The pages for what goes wrong belong to the site, and say what is so."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from marketplace.views import forbidden, not_understood

pytestmark = pytest.mark.django_db


def test_a_form_without_its_token_gets_a_page_of_the_site(buyer):
    client = Client(enforce_csrf_checks=True)
    for sign_in in (False, True):
        if sign_in:
            client.force_login(buyer)
        response = client.post("/accounts/login/", {})
        assert response.status_code == 403
        html = response.content.decode()
        assert "This form is no longer valid" in html
        assert 'class="bar"' in html
        assert ("Your bookings" in html) == sign_in


def test_a_request_that_cannot_be_read_gets_a_page_of_the_site(client, buyer, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    client.force_login(buyer)
    response = client.post("/accounts/login/", {f"field{n}": "x" for n in range(9)})
    assert response.status_code == 400
    html = response.content.decode()
    assert "This cannot be read" in html
    assert "Sign out" in html


def test_a_request_for_another_host_gets_it_too(client, settings):
    settings.ALLOWED_HOSTS = ["marketplace.example"]
    response = client.get("/", headers={"host": "other.example"})
    assert response.status_code == 400
    assert "This cannot be read" in response.content.decode()


def test_it_needs_nothing_of_the_request():
    response = not_understood(RequestFactory().get("/"), Exception())
    assert response.status_code == 400
    assert 'class="bar"' in response.content.decode()


@pytest.mark.parametrize("who", [None, "buyer"])
def test_only_who_is_signed_in_is_told_so(request, rf, who):
    asked = rf.get("/somewhere/")
    asked.user = request.getfixturevalue(who) if who else AnonymousUser()
    html = forbidden(asked, Exception()).content.decode()
    assert ("You are signed in" in html) == bool(who)
    assert ("sign in first" in html) == (not who)


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({}, "Wait a minute, then try again."),
        ({"retry_after": 60}, "Try again in 60 seconds."),
        ({"message": "Too often. Wait a minute, then try again.", "retry_after": 60}, "Wait a minute, then try again."),
    ],
)
def test_how_long_to_wait_is_said_once(context, says):
    html = render_to_string("429.html", context)
    assert html.count(says) == 1
    assert html.count("try again") + html.count("Try again") == 1
