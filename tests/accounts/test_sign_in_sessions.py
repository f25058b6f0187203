"""Where somebody is signed in, and signing that out."""

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.urls import reverse

from accounts.middleware import SEEN
from tests.signing_in import confirm, sign_in, step_up

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
LIST = "/accounts/sessions/"


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def devices(client, buyer):
    """The desk and the telephone of one person."""
    telephone = type(client)(headers={"user-agent": SAFARI})
    desk = type(client)(headers={"user-agent": FIREFOX})
    confirm(buyer)
    sign_in(telephone, buyer), sign_in(desk, buyer)
    return desk, telephone


def is_in(client) -> bool:
    return client.get(reverse("profile")).status_code == 200


def test_the_list_names_each_device_its_address_and_since_when(devices):
    desk, _ = devices
    page = desk.get(LIST).text
    assert "Firefox 133 on Linux" in page
    assert "Mobile Safari 18 on iOS" in page
    assert "127.0.0.1" in page
    assert page.count("this one") == 1


def test_signing_out_all_others_ends_them(devices):
    desk, telephone = devices
    asked = desk.post(LIST)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert is_in(telephone)
    step_up(desk)
    desk.post(LIST)
    assert is_in(desk)
    assert not is_in(telephone)
    assert UserSession.objects.count() == 1


def test_one_device_is_signed_out_alone(devices, client, buyer):
    desk, telephone = devices
    third = type(client)(headers={"user-agent": "curl/8.5"})
    sign_in(third, buyer)
    row = UserSession.objects.get(user_agent=SAFARI)
    step_up(desk)
    assert desk.post(reverse("session_end", args=[row.pk]))["Location"] == LIST
    assert [is_in(desk), is_in(telephone), is_in(third)] == [True, False, True]


def test_nobody_signs_out_others(devices, client, other_buyer):
    _, telephone = devices
    client.force_login(other_buyer)
    step_up(client)
    row = UserSession.objects.get(user_agent=SAFARI)
    assert client.post(reverse("session_end", args=[row.pk])).status_code == 404
    assert is_in(telephone)


def test_when_it_was_last_used_is_written_down_every_few_minutes(devices, django_assert_num_queries):
    desk, _ = devices
    at = UserSession.objects.get(user_agent=FIREFOX).last_seen_at
    desk.get(reverse("profile"))
    assert UserSession.objects.get(user_agent=FIREFOX).last_seen_at == at
    session = desk.session
    session[SEEN] -= 301
    session.save()
    desk.get(reverse("profile"), headers={"user-agent": FIREFOX.replace("133", "134")})
    row = UserSession.objects.get(user_agent__contains="Firefox/134")
    assert row.last_seen_at > at


def test_a_session_that_is_over_is_not_listed(devices, client):
    desk, telephone = devices
    telephone.post(reverse("account_logout"))
    assert "Safari" not in desk.get(LIST).text
