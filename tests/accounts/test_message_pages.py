"""What people are told, what they choose to be told, and the link that stops mails: the pages."""

from datetime import time, timedelta

import pytest

from accounts import unsubscribing
from accounts.event_kinds import EventKind
from accounts.models import MailWish, MessagePreferences, Notification
from accounts.services import notifications
from accounts.services.notifications import notify
from accounts.services.telling import preferences_of
from tests.organizations import make_member, make_organization

pytestmark = pytest.mark.django_db

LIST = "/accounts/notifications/"
SETTINGS = f"{LIST}settings/"


# The list -------------------------------------------------------------------------------------------------


@pytest.fixture
def told(buyer, now):
    notify(user=buyer, key="1", title="Booked", event=EventKind.ACCESS, now=now)
    notify(user=buyer, key="2", title="Paid", event=EventKind.PLAN, now=now)
    return {row.key: row for row in buyer.notifications.all()}


def test_the_list_is_filtered_by_what_it_is_about(client, buyer, told):
    client.force_login(buyer)
    html = client.get(LIST, {"group": "money"}).text
    assert "Paid" in html
    assert "Booked" not in html
    assert "You were told nothing of this kind" in client.get(LIST, {"group": "account"}).text
    assert "Booked" in client.get(LIST, {"group": "nonsense"}).text


def test_one_is_marked_as_read_and_the_other_stays_new(client, buyer, told):
    client.force_login(buyer)
    answer = client.post(f"{LIST}{told['1'].pk}/read/", {"next": f"{LIST}?group=bookings"})
    assert answer["Location"] == f"{LIST}?group=bookings"
    assert [row.key for row in buyer.notifications.unread()] == ["2"]


@pytest.mark.parametrize("next", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:x"])
def test_nobody_is_sent_elsewhere(client, buyer, told, next):
    client.force_login(buyer)
    assert client.post(f"{LIST}{told['1'].pk}/read/", {"next": next})["Location"] == LIST


def test_what_is_kept_outlives_the_tidying(client, buyer, told, now, settings):
    client.force_login(buyer)
    client.post(f"{LIST}{told['1'].pk}/keep/")
    assert "Booked" in client.get(LIST, {"group": "kept"}).text
    later = now + timedelta(days=settings.MARKETPLACE_NOTIFICATION_DAYS + 1)
    assert notifications.tidy(now=now) == 0
    assert notifications.tidy(now=later) == 1
    client.post(f"{LIST}{told['1'].pk}/keep/", {"keep": "no"})
    assert notifications.tidy(now=later) == 1
    assert not Notification.objects.exists()


def test_other_peoples_are_not_there(client, other_buyer, told):
    client.force_login(other_buyer)
    for page in ("read", "keep"):
        assert client.post(f"{LIST}{told['1'].pk}/{page}/").status_code == 404


# The preferences ------------------------------------------------------------------------------------------


def form_of(page):
    """What the page's form would send as it is."""
    form = page.context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_saving_the_page_as_it_is_changes_nothing(client, buyer):
    client.force_login(buyer)
    page = client.get(SETTINGS)
    assert client.post(SETTINGS, form_of(page)).status_code == 302
    row = MessagePreferences.objects.get(user=buyer)
    assert (row.page, row.mail, row.digest, row.quiet_from) == ({}, {}, "off", None)


def test_what_is_chosen_is_kept_and_shown(client, buyer):
    client.force_login(buyer)
    typed = form_of(client.get(SETTINGS)) | {
        "digest": "daily", "quiet_from": "22:00", "quiet_until": "07:00",
        "mail_booking.changed": "digest", "mail_booking.ended": "off",
    }  # fmt: skip
    del typed["page_booking.changed"]
    assert client.post(SETTINGS, typed).status_code == 302
    row = preferences_of(buyer)
    assert row.by_mail(EventKind.CHANGED) == MailWish.DIGEST
    assert row.by_mail(EventKind.ENDED) == MailWish.NEVER
    assert not row.in_page(EventKind.CHANGED)
    assert (row.quiet_from, row.quiet_until) == (time(22), time(7))
    assert form_of(client.get(SETTINGS)) | {"quiet_from": "22:00", "quiet_until": "07:00"} == typed


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"quiet_from": "22:00"}, "a beginning and an end"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "another time"),
        ({"quiet_from": "25:99", "quiet_until": "22:00"}, "valid time"),
        ({"digest": "hourly"}, "valid choice"),
        ({"mail_booking.started": "digest"}, "valid choice"),
    ],
)
def test_what_does_not_fit_is_said_and_what_was_typed_stays(client, buyer, wrong, says):
    client.force_login(buyer)
    answer = client.post(SETTINGS, form_of(client.get(SETTINGS)) | wrong)
    assert answer.status_code == 422
    assert says in answer.text
    assert not MessagePreferences.objects.exists()


def test_what_is_always_sent_has_no_switch(client, buyer):
    client.force_login(buyer)
    fields = client.get(SETTINGS).context["form"].fields
    assert "mail_money.unpaid" not in fields
    assert "page_money.unpaid" in fields


def test_people_choose_among_what_can_happen_to_them(client, buyer, provider, administrator, stranger):
    def groups(user):
        client.force_login(user)
        return {group.value for group in client.get(SETTINGS).context["form"].groups}

    assert groups(buyer) == {"bookings", "money", "account"}
    assert "machines" in groups(provider)
    assert "platform" in groups(administrator)
    make_member(make_organization(provider), stranger)
    assert "organization" in groups(stranger)


# The link in a mail ---------------------------------------------------------------------------------------


def path_of(user, what):
    return unsubscribing.link(user, what).removeprefix(unsubscribing.settings.SITE_URL)


def test_looking_at_the_link_changes_nothing_and_its_button_stops_the_mails(client, buyer):
    path = path_of(buyer, "booking.changed")
    page = client.get(path)
    assert "Stop these mails?" in page.text
    assert preferences_of(buyer).by_mail(EventKind.CHANGED) == MailWish.AT_ONCE
    assert "These mails are stopped" in client.post(path).text
    assert preferences_of(buyer).by_mail(EventKind.CHANGED) == MailWish.NEVER


def test_a_mail_program_stops_them_with_one_click(buyer):
    """As RFC 8058 says: no cookie, no token of a form, one POST."""
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(path_of(buyer, "digest"), {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200


@pytest.mark.parametrize("cut", [0, 5, 30])
def test_a_link_that_is_not_whole_says_so(client, buyer, cut):
    path = path_of(buyer, "booking.changed").rstrip("/")
    answer = client.post(f"{path[: len(path) - cut - 1]}/")
    assert answer.status_code == 404
    assert "not whole" in answer.text
    assert not MessagePreferences.objects.exists()
