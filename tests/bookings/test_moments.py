"""A moment stays the same moment: on a first visit, after signing in, and at whoever opens the address.

Where clocks change, the dates are those of changes that are known: what is read is compared, not the calendar.
"""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from bookings.forms import WindowForm, WipeForm
from bookings.models import Booking, DataWipe
from bookings.moments import MomentField, in_zone, zone_name, zone_named
from bookings.search import search
from tests.people import DAY, HOUR, make_hold

BERLIN, SYDNEY, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Sydney"), ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def typed(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def links(html: str, path: str) -> list[str]:
    return [unescape(href) for href in re.findall(rf'href="({path}[^"]*)"', html)]


def boxes(html: str, form: str = "quote") -> dict[str, str]:
    """The window and the zone as they stand in a form."""
    inside = html[html.index(f'id="{form}"') :]
    tags = {name: tag for tag, name in re.findall(r'(<input[^>]*name="(start|end|tz)"[^>]*>)', inside)[::-1]}
    return {name: re.search(r'value="([^"]*)"', tag)[1] for name, tag in tags.items() if "value=" in tag}


@pytest.fixture
def start(now) -> datetime:
    return now.replace(minute=0, second=0) + 2 * DAY


@pytest.fixture
def url(listing) -> str:
    return f"/listings/{listing.pk}/"


# Reading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T01:00", datetime(2026, 11, 21, 0, tzinfo=UTC)),  # as a box sends it: in the form's zone
        ("2026-11-21 01:00:00", datetime(2026, 11, 21, 0, tzinfo=UTC)),
        ("2026-11-21T01:00:00+00:00", datetime(2026, 11, 21, 1, tzinfo=UTC)),
        ("2026-11-21T01:00Z", datetime(2026, 11, 21, 1, tzinfo=UTC)),
        ("2026-11-21T01:00:00-05:00", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        ("2026-11-21T01:00:00 05:30", datetime(2026, 11, 20, 19, 30, tzinfo=UTC)),  # a “+” that was not escaped
    ],
)
def test_an_offset_wins_over_the_forms_zone(text, expected):
    field = MomentField()
    field.typed_in = BERLIN
    assert field.clean(text) == expected


@pytest.mark.parametrize("text", ["x", "2026-02-30T00:00", "2026-11-21T25:00", "11/21/2026 10:00", "\x00", "9" * 5000])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValidationError):
        MomentField().clean(text)


@pytest.mark.parametrize("name", ["", None, "Mars/Olympus", "../../etc/passwd", "\x00", "a" * 9999, "/UTC", ["UTC"]])
def test_a_zone_that_is_none_is_not_used(name):
    assert zone_named(name) is None
    form = WindowForm({"start": "2026-11-21T01:00", "end": "2026-11-21T02:00", "tz": name})
    assert form.fields["start"].clean("2026-11-21T01:00") == datetime(2026, 11, 21, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Etc/GMT+5", "Asia/Calcutta"])
def test_a_zones_name_is_read_as_that_zone(name):
    zone = zone_named(name)
    assert zone_named(zone_name(zone)) is zone
    with timezone.override(zone):
        assert WindowForm().zone_name == name


def test_an_hour_that_comes_twice_is_the_first_of_the_two():
    assert in_zone(datetime(2027, 4, 4, 2, 30), SYDNEY).astimezone(UTC) == datetime(2027, 4, 3, 15, 30, tzinfo=UTC)  # noqa: DTZ001


@pytest.mark.parametrize(("zone", "text"), [(SYDNEY, "2026-10-04T02:30"), (BERLIN, "2027-03-28T02:00")])
def test_an_hour_that_does_not_come_is_refused_in_our_own_words(zone, text):
    form = WindowForm({"start": text, "end": "2027-05-01T00:00", "tz": zone.key})
    assert not form.is_valid()
    assert form.errors["start"] == [
        f"There is no {text[11:]} on that day in {zone.key}: clocks go forward over it. Choose another time."
    ]


@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    reader=st.sampled_from([BERLIN, SYDNEY, NEW_YORK, ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Chatham")]),
    writer=st.sampled_from([BERLIN, SYDNEY, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
)
def test_what_a_form_shows_means_what_it_was_given(moment, reader, writer):
    """Whoever sends a form back unchanged asks for what was asked for, also in the hours in which clocks change."""
    moment = moment.replace(second=0, microsecond=0)
    with timezone.override(reader):
        shown = WindowForm({"start": moment.astimezone(writer).isoformat(), "end": "2027-01-01T00:00:00Z"})
        sent = {"start": shown["start"].value(), "end": shown["end"].value(), "tz": shown.zone_name}
    with timezone.override(writer):  # signed in meanwhile, with another zone in the profile
        read = WindowForm(sent)
        assert datetime.fromisoformat(read.as_query()["start"]) == moment
    with timezone.override(reader):
        offered = WindowForm(initial={"start": moment, "end": moment})
        sent = {"start": offered["start"].value(), "end": offered["end"].value(), "tz": offered.zone_name}
        assert datetime.fromisoformat(WindowForm(sent).as_query()["start"]) == moment


def test_what_cannot_be_read_stays_as_it_was_typed():
    form = WindowForm({"start": "tomorrow", "end": "2027-03-28T02:30", "tz": "Europe/Berlin"})
    assert form["start"].value() == "tomorrow"
    assert form["end"].value() == "2027-03-28T02:30"
    assert form.as_query() == {"start": "tomorrow", "end": "2027-03-28T02:30", "tz": "Europe/Berlin"}


# On the pages ---------------------------------------------------------------------------------------------

pages = pytest.mark.django_db


@pages
def test_what_the_first_page_says_in_utc_its_links_mean_everywhere(client, listing):
    home = client.get("/")
    wish = home.context["search"].wish
    html = home.content.decode()
    client.cookies["timezone"] = "America/New_York"
    (everything,) = [link for link in links(html, "/listings/") if "sort=tflops" in link]
    assert client.get(everything).context["search"].wish == wish
    (row,) = links(html, f"/listings/{listing.pk}/")
    page = client.get(row)
    assert (page.context["start"], page.context["end"]) == (wish.start, wish.end)


@pages
def test_home_offers_a_whole_day_also_where_clocks_change_in_it(client, listing, monkeypatch):
    client.cookies["timezone"] = "Europe/Berlin"
    monkeypatch.setattr(timezone, "now", lambda: datetime(2027, 3, 27, 20, 12, tzinfo=UTC))
    assert client.get("/").context["search"].duration == DAY


@pages
def test_hold_it_on_a_page_of_a_first_visit_holds_what_it_shows(client, url, buyer, start):
    """Written in UTC; by the time the button is pressed, the browser has told its zone."""
    html = client.get(url, {"start": typed(start, UTC), "end": typed(start + 3 * HOUR, UTC)}).content.decode()
    asked = boxes(html)
    assert asked == {"start": typed(start, UTC), "end": typed(start + 3 * HOUR, UTC), "tz": "UTC"}
    client.force_login(buyer)
    client.cookies["timezone"] = "Asia/Tokyo"
    assert client.post(f"{url}book/", asked).status_code == 302
    booking = Booking.objects.get()
    assert (booking.start, booking.end) == (start, start + 3 * HOUR)


@pages
def test_signing_in_with_another_zone_in_the_profile_keeps_the_window(client, url, buyer, start):
    client.cookies["timezone"] = "Europe/Berlin"
    asked = {"start": typed(start, BERLIN), "end": typed(start + 3 * HOUR, BERLIN), "tz": "Europe/Berlin"}
    login = client.post(f"{url}book/", asked)["Location"]
    back = parse_qs(urlsplit(login).query)["next"][0]
    buyer.timezone = "America/New_York"
    buyer.save(update_fields=["timezone"])
    client.force_login(buyer)
    page = client.get(back)
    assert (page.context["start"], page.context["end"]) == (start, start + 3 * HOUR)
    assert boxes(page.content.decode()) == {
        "start": typed(start, NEW_YORK), "end": typed(start + 3 * HOUR, NEW_YORK), "tz": "America/New_York",
    }  # fmt: skip


@pages
def test_an_address_of_a_search_means_the_same_to_whoever_opens_it(client, listing, start):
    asked = {"start": typed(start, BERLIN), "end": typed(start + DAY, BERLIN), "tz": "Europe/Berlin", "sort": "newest"}
    for zone in ("Asia/Tokyo", "America/New_York", ""):
        client.cookies["timezone"] = zone
        response = client.get("/listings/", asked)
        wish = response.context["search"].wish
        assert (wish.start, wish.end) == (start, start + DAY)
        html = response.content.decode()
        reader = ZoneInfo(zone or "UTC")
        assert boxes(html, "question") == {
            "start": typed(start, reader), "end": typed(start + DAY, reader), "tz": zone or "UTC",
        }  # fmt: skip
        (row,) = links(html, f"/listings/{listing.pk}/")
        assert client.get(row).context["start"] == start


@pages
def test_the_quote_follows_the_forms_zone(client, url, start):
    client.cookies["timezone"] = "Asia/Tokyo"
    asked = {"start": typed(start, BERLIN), "end": typed(start + HOUR, BERLIN), "tz": "Europe/Berlin"}
    response = client.get(f"{url}quote/", asked, headers={"HX-Request": "true"})
    assert (response.context["start"], response.context["end"]) == (start, start + HOUR)
    assert boxes(response.content.decode())["tz"] == "Asia/Tokyo"


@pages
def test_a_zone_alone_is_no_window(client, url):
    assert client.get(url, {"tz": "Europe/Berlin"}).context["form"].errors == {}


@pages
@pytest.mark.parametrize("profile", ["", "Asia/Tokyo"])
def test_only_forms_in_the_browsers_zone_may_be_turned_by_the_browser(client, url, buyer, profile):
    buyer.timezone = profile
    buyer.save(update_fields=["timezone"])
    client.force_login(buyer)
    assert ("data-browsers" in client.get(url).content.decode()) == (not profile)


def second_half_past_two(now: datetime) -> datetime:
    """The next night in which Sydney's clocks go back: 02:30, the second time."""
    at = now.replace(minute=30, second=0)
    while not (at.astimezone(SYDNEY).fold and at.astimezone(SYDNEY).hour == 2):
        at += HOUR
    return at


@pages
def test_offers_in_the_hour_that_comes_twice_can_be_taken(client, listing, url, buyer, other_buyer, now):
    """Both halves past two are on offer, and each is the one that it says."""
    type(listing).objects.filter(pk=listing.pk).update(max_ahead_days=365)
    listing.max_ahead_days = 365
    second = second_half_past_two(now)
    for free_from in (second - HOUR, second):
        Booking.objects.update(status="canceled", canceled_at=now)
        # Taken until half an hour, the turnaround, before.
        make_hold(listing, other_buyer, start=free_from - 50 * HOUR, hours=49.5, asked=now)
        client.force_login(buyer)
        client.cookies["timezone"] = "Australia/Sydney"
        asked = {"start": (free_from - HOUR).isoformat(), "end": (free_from + HOUR).isoformat()}
        page = client.get(url, asked)
        html = page.content.decode()
        assert "may be ambiguous" not in html
        place = [offer[0] for offer in page.context["instead"]].index(free_from) + 1
        take = html[html.index(f'<form id="take-{place}"') :]
        fields = dict(re.findall(r'name="(start|end)" value="([^"]*)"', take[: take.index("</form>")]))
        assert client.post(f"{url}book/", fields).status_code == 302
        assert Booking.objects.get(buyer=buyer, status="pending").start == free_from


@pages
def test_a_typed_hour_that_comes_twice_is_taken_as_the_first(client, listing, url, buyer, now):
    type(listing).objects.filter(pk=listing.pk).update(max_ahead_days=365)
    second = second_half_past_two(now)
    client.force_login(buyer)
    asked = {"start": typed(second, SYDNEY), "end": typed(second + 3 * HOUR, SYDNEY), "tz": "Australia/Sydney"}
    assert client.post(f"{url}book/", asked).status_code == 302
    assert Booking.objects.get().start == second - HOUR


@pages
def test_an_hour_that_does_not_come_is_said_at_the_field(client, listing, now):
    at = now.replace(minute=0, second=0)
    while at.astimezone(BERLIN).utcoffset() >= (at + HOUR).astimezone(BERLIN).utcoffset():
        at += HOUR
    missing = f"{at.astimezone(BERLIN):%Y-%m-%d}T02:30"
    asked = {"start": missing, "end": typed(at + DAY, BERLIN), "tz": "Europe/Berlin"}
    response = client.get(f"/listings/{listing.pk}/quote/", asked, headers={"HX-Request": "true"})
    assert "There is no 02:30 on that day" in response.context["form"].errors["start"][0]
    assert f'value="{missing}"' in response.content.decode()
    login = client.post(f"/listings/{listing.pk}/book/", asked)["Location"]
    back = urlsplit(parse_qs(urlsplit(login).query)["next"][0])
    assert parse_qs(back.query)["start"] == [missing], "kept, and as what it was typed"
    assert parse_qs(back.query)["tz"] == ["Europe/Berlin"]
    found = client.get("/listings/", asked).context["search"]
    assert any("There is no 02:30 on that day" in sentence for sentence in found.ignored)


@pages
def test_a_wipe_is_recorded_when_the_form_says(client, over, now):
    provider = over.machine.provider
    provider.timezone = "America/New_York"
    provider.save(update_fields=["timezone"])
    client.force_login(provider)
    page = client.get(f"/bookings/{over.pk}/wipe/").content.decode()
    assert '<input type="hidden" name="tz" value="America/New_York">' in page
    done = over.end + 5 * MINUTE
    asked = {
        "methods": ["session_termination"], "status": "success", "executed_at": typed(done, SYDNEY),
        "tz": "Australia/Sydney", "evidence": SimpleUploadedFile("wipe.log", b"done\n"),
    }  # fmt: skip
    assert client.post(f"/bookings/{over.pk}/wipe/", asked).status_code == 302
    assert DataWipe.objects.get().timestamp == done


def test_the_wipe_form_begins_now_with_success():
    with timezone.override(SYDNEY):
        form = WipeForm()
        assert form["status"].value() == "success"
        assert in_zone(datetime.fromisoformat(form["executed_at"].value()), SYDNEY) <= timezone.now()


@pages
def test_a_search_reads_the_zone_of_its_form(listing, start):
    asked = QueryDict(urlencode({"start": typed(start, SYDNEY), "days": "2", "tz": "Australia/Sydney"}))
    assert search(asked, now=timezone.now()).wish.start == start
