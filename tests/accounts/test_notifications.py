"""What people are told in the page: once, to them alone, until they say that they have read it."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Notification
from accounts.services.notifications import notify, read_all
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

URL = "/accounts/notifications/"
MINUTE = timedelta(minutes=1)


def tell(user, number, now, **more):
    notify(user=user, key=f"event:{number}", title=f"Event {number}", now=now, **more)


def test_the_same_event_is_told_once(buyer, other_buyer, now):
    for _ in range(2):
        tell(buyer, 1, now)
    tell(other_buyer, 1, now)
    assert buyer.notifications.count() == 1
    assert other_buyer.notifications.count() == 1


@pytest.mark.django_db(transaction=True)
def test_told_by_two_at_once_it_is_told_once(buyer, now):
    twice_at_once(partial(tell, buyer, 1, now))
    assert buyer.notifications.count() == 1


def test_long_words_are_cut_and_lines_joined(buyer, now):
    notify(user=buyer, key="k", title="a\nb" + "x" * 400, text="y" * 900, now=now)
    told = buyer.notifications.get()
    assert told.title.startswith("a b")
    assert (len(told.title), len(told.text)) == (200, 500)


def test_the_page_shows_ones_own_newest_first(client, buyer, other_buyer, now):
    tell(buyer, 1, now - MINUTE, text="Long ago", link="/bookings/")
    tell(buyer, 2, now, tone=Notification.Tone.BAD)
    tell(other_buyer, 3, now)
    client.force_login(buyer)
    html = client.get(URL).content.decode()
    assert html.index("Event 2") < html.index("Event 1")
    assert "Event 3" not in html
    assert '<a href="/bookings/">Event 1</a>' in html


def test_the_bell_counts_what_is_not_read(client, buyer, now):
    client.force_login(buyer)
    assert "Notifications</span>" in client.get("/").content.decode()
    for number in range(3):
        tell(buyer, number, now)
    assert "Notifications, 3 not read</span>" in client.get("/").content.decode()
    read_all(user=buyer, until=now, now=now)
    assert "Notifications</span>" in client.get("/").content.decode()


def test_the_bell_does_not_count_further_than_it_shows(client, buyer, now):
    for number in range(120):
        tell(buyer, number, now)
    client.force_login(buyer)
    assert "99+" in client.get("/").content.decode()


def test_nobody_signed_in_nothing_asked(client, db):
    client.get("/how-it-works/")
    with CaptureQueriesContext(connection) as queries:
        html = client.get("/how-it-works/").content.decode()
    assert "bell" not in html
    assert not [query for query in queries if "notifications" in query["sql"]]


def test_what_comes_while_one_reads_stays_new(client, buyer, now):
    tell(buyer, 1, now - MINUTE)
    client.force_login(buyer)
    seen = now - timedelta(seconds=30)
    tell(buyer, 2, now)
    response = client.post(f"{URL}read/", {"until": seen.isoformat()})
    assert response["Location"] == URL
    assert list(buyer.notifications.unread().values_list("key", flat=True)) == ["event:2"]


@pytest.mark.parametrize("until", ["", "nonsense", "2026-13-45T00:00:00Z", "2026-11-21T03:00:00"])
def test_without_a_moment_everything_is_read(client, buyer, now, until):
    tell(buyer, 1, now)
    client.force_login(buyer)
    client.post(f"{URL}read/", {"until": until})
    assert not buyer.notifications.unread().exists()


def test_reading_is_ones_own_and_twice_is_quiet(client, buyer, other_buyer, now):
    tell(buyer, 1, now)
    tell(other_buyer, 1, now)
    client.force_login(buyer)
    for _ in range(2):
        client.post(f"{URL}read/", {"until": now.isoformat()})
    assert other_buyer.notifications.unread().count() == 1
    assert client.get(f"{URL}read/").status_code == 405


def test_looking_alone_marks_nothing(client, buyer, now):
    tell(buyer, 1, now)
    client.force_login(buyer)
    client.get(URL)
    assert buyer.notifications.unread().count() == 1


def test_what_was_told_is_text_and_never_markup(client, buyer, now):
    notify(user=buyer, key="k", title="<script>alert(1)</script>", text="<b>", now=now)
    client.force_login(buyer)
    html = client.get(URL).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html
