"""How long what is kept: one table, which the page, the documentation and the settings agree on, and the sweeps obey."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session

from accounts import privacy, tasks
from accounts.models import OutgoingMail, User
from accounts.services import retention
from billing.models import WebhookEvent
from billing.services.forgetting import forget_events
from machines.models import Refusal
from machines.services.refusals import forget_refusals
from tests.organizations import make_organization
from tests.people import make_user

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = timedelta(days=1)


def documented():
    """``{what: (how long, variable)}`` of the table in docs/privacy.md."""
    rows = re.findall(r"^\| (.+?) \| (\d+ \w+) \| `(\w+)` \|$", (ROOT / "docs/privacy.md").read_text(), re.MULTILINE)
    return {what: (how_long, variable) for what, how_long, variable in rows}


def test_the_documentation_says_what_the_table_says():
    said = documented()
    assert {str(row.what): row.how_long for row in privacy.retention()} == {
        what: how_long for what, (how_long, _) in said.items()
    }
    text = "".join(path.read_text() for path in (ROOT / "marketplace/settings").glob("*.py"))
    for row in privacy.retention():
        variable = said[str(row.what)][1]
        assert re.search(rf'^{row.setting} = .*"{variable}"', text, re.MULTILINE), row.setting


@pytest.mark.django_db
def test_the_page_says_what_the_table_says(client):
    page = unescape(client.get("/privacy/").text)
    for row in privacy.retention():
        assert str(row.what) in page
        assert row.how_long in page
    for room in privacy.rooms():
        assert all(str(kept.why) in page for kept in room.kept)


@pytest.mark.django_db
def test_the_page_names_every_cookie_that_is_set(client, buyer):
    page = client.get("/privacy/").text
    client.force_login(buyer)
    client.get("/accounts/profile/")
    client.post("/accounts/privacy/export/")
    for name in {*client.cookies, "timezone", "saml_response"}:
        assert f">{name}</th>" in page


def test_sessions_live_as_long_as_it_says():
    assert timedelta(days=settings.MARKETPLACE_SESSION_DAYS).total_seconds() == settings.SESSION_COOKIE_AGE


@pytest.mark.django_db
def test_old_mails_are_forgotten_sent_or_not(buyer, now, settings):
    for number, days in enumerate((1, settings.MARKETPLACE_MAIL_DAYS + 1, settings.MARKETPLACE_MAIL_DAYS + 2)):
        OutgoingMail.objects.create(
            user=buyer, key=f"k{number}", subject="s", text="t", created_at=now - days * DAY,
            sent_at=None if number == 2 else now,
        )  # fmt: skip
    retention.forget_old(now=now)
    assert list(OutgoingMail.objects.values_list("key", flat=True)) == ["k0"]


@pytest.mark.django_db
def test_sessions_that_are_over_are_forgotten(client, buyer, now):
    client.force_login(buyer)
    alive = client.session.session_key
    Session.objects.create(session_key="over", session_data="x", expire_date=now - DAY)
    for key, ago in (("over", 20), (alive, 20), ("ended", 1)):
        row = UserSession.objects.create(user=buyer, session_key=key, ip="127.0.0.1", user_agent="x")
        UserSession.objects.filter(pk=row.pk).update(last_seen_at=now - ago * DAY)
    assert retention.forget_sessions(now=now) == 2
    assert set(Session.objects.values_list("session_key", flat=True)) == {alive}
    assert set(UserSession.objects.values_list("session_key", flat=True)) == {alive, "ended"}


def signed_up(email, now, *, days=31, verified=False, **fields):
    user = make_user(email, signup_date=now - days * DAY, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=verified)
    return user


@pytest.mark.django_db
def test_accounts_that_nobody_confirmed_or_used_are_deleted(now):
    signed_up("never@example.com", now)
    signed_up("owner@example.com", now)
    stay = {
        signed_up("young@example.com", now, days=29),
        signed_up("confirmed@example.com", now, verified=True),
        signed_up("seen@example.com", now, last_login=now),
        make_user("made-by-an-administrator@example.com", signup_date=now - 99 * DAY),
    }
    owner = User.objects.get(email="owner@example.com")
    make_organization(owner)
    assert retention.forget_unconfirmed(now=now) == 1
    assert retention.forget_unconfirmed(now=now) == 0
    assert set(User.objects.all()) == {*stay, owner}, "what others need stays, as it was"
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"


@pytest.mark.django_db
def test_messages_of_the_processor_are_forgotten_once_they_are_processed(now):
    for number, (days, processed) in enumerate(((91, now), (89, now), (91, None))):
        WebhookEvent.objects.create(
            event_id=f"evt_{number}", type="x", payload={}, received_at=now - days * DAY, processed_at=processed
        )
    assert forget_events(now=now) == 1
    assert set(WebhookEvent.objects.values_list("event_id", flat=True)) == {"evt_1", "evt_2"}


@pytest.mark.django_db
def test_refused_messages_are_forgotten(now):
    for days in (91, 89):
        Refusal.objects.create(code=Refusal.Code.BAD_TIME, at=now - days * DAY)
    assert forget_refusals(now=now) == 1


@pytest.mark.django_db
def test_the_sweeps_find_nothing_in_an_empty_marketplace():
    assert (tasks.forget_old(), tasks.forget_exports(), tasks.delete_accounts(), tasks.make_exports()) == (0, 0, 0, 0)
