"""The browse page: whatever stands in its address it answers, says what it left out, and keeps the rest."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import transaction
from django.http import QueryDict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bookings.filters import ListingFilter
from bookings.search import search
from machines.models import Listing, ListingStatus
from tests.people import DAY, HOUR, make_benchmark, make_listing, make_machine, minute

pytestmark = pytest.mark.django_db

URL = "/listings/"
MINUTE = timedelta(minutes=1)
PARAMETERS = [*ListingFilter.base_filters, "page", "tz"]


def rows(response) -> int:
    return response.content.decode().count('class="listing-row')


def ignored(response) -> list[str]:
    """The sentences of the note about what was left out."""
    return [unescape(sentence) for sentence in response.context["search"].ignored]


# Nonsense -----------------------------------------------------------------------------------------------

NUMBERS = ["nan", "-nan", "inf", "-inf", "1e999", "-1e999", "1e-999", "1e-99999", "1e400", "9" * 400, "9" * 5000]
NUMBERS += ["-1", "0", "-0", "0x10", "1_000", "１２", "1,5", "1.5", "٣", "99.99999999999999999999"]
DATES = ["0001-01-01T00:00", "9999-12-31T23:59", "9999-12-31T23:59:59.999999", "9999-12-31T23:59-14:00"]
DATES += ["0001-01-01T00:00+14:00", "2026-02-30T00:00", "2026-13-01", "10000-01-01T00:00", "2026-11-22T25:00", "now"]
WORDS = ["' OR 1=1 --", "%", "_", "\\", "\x00", "a\x00b", "\ud800", "<script>", "🖥️", "../../etc/passwd"]
NONSENSE = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(categories=["Cc", "Cs", "Nd", "Zs"]), max_size=10),
    st.sampled_from(NUMBERS + DATES + WORDS),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
)


def encoded(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="surrogatepass")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(st.sampled_from(PARAMETERS), NONSENSE), min_size=1, max_size=6))
@example([("start", "2099-12-31T23:59"), ("days", "90")])
@example([("start", "9999-12-31T23:59"), ("days", "90")])
@example([("start", "9999-12-31T23:59:30"), ("end", "9999-12-31T23:59:59")])
@example([("price_max", "1e-99999")])
@example([("price_max", "0." + "0" * 16400 + "1")])
@example([("days", "1e-999")])
@example([("days", "NaN")])
@example([("within", "365"), ("days", "90")])
def test_nothing_that_can_be_typed_breaks_the_page(client, listing, pairs):
    with transaction.atomic():
        response = client.get(f"{URL}?{encoded(pairs)}")
    assert response.status_code == 200


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin", "../x", "\x00", "é"])
@pytest.mark.parametrize("start", ["0001-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00+14:00"])
def test_the_ends_of_time_are_too_far_away_in_every_zone(client, listing, zone, start):
    client.cookies["timezone"] = zone
    response = client.get(URL, {"start": start, "end": start, "days": 1})
    assert response.status_code == 200
    assert len(ignored(response)) == 1
    assert rows(response) == 1


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"page", "q", "cpu", "tz"}))
def test_what_makes_no_sense_is_left_out_and_named(client, listing, name):
    response = client.get(URL, {name: "nonsense<b>"})
    assert response.status_code == 200
    (sentence,) = ignored(response)
    assert "nonsense<b>" in sentence
    html = response.content.decode()
    assert "Left out of your search." in html
    assert "nonsense&lt;b&gt;" in html
    assert "nonsense<b>" not in html
    assert rows(response) == 1  # the rest of the search goes on


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-1", "x", "9" * 400])
@pytest.mark.parametrize("name", ["gpu_count", "vram_gb", "ram_gb", "disk_gb", "price_max", "days", "reliability"])
def test_numbers_that_are_none_are_left_out(client, listing, name, value):
    response = client.get(URL, {name: value})
    assert len(ignored(response)) == 1
    assert rows(response) == 1


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (1, 0, "ends before it starts"),
        (1, 1, "ends before it starts"),
        (-2, 1, "has passed"),
        (1, 800, "too far away"),
        (1, 400, "longer than a year"),
        (1, None, "both when it starts and when it ends"),
        (None, 1, "both when it starts and when it ends"),
    ],
)
def test_a_window_that_cannot_be_is_left_out_with_the_reason(client, listing, now, start, end, says):
    asked = {
        name: f"{now + days * DAY:%Y-%m-%dT%H:%M}"
        for name, days in (("start", start), ("end", end))
        if days is not None
    }
    response = client.get(URL, asked)
    (sentence,) = ignored(response)
    assert says in sentence
    assert rows(response) == 1


def test_a_search_for_just_now_begins_now_and_says_so(client, listing, now):
    """The results are read, reloaded and shared a while after they were asked for."""
    asked = {"start": (now - 20 * MINUTE).isoformat(), "end": (now + 5 * HOUR).isoformat()}
    response = client.get(URL, asked)
    (sentence,) = ignored(response)
    assert "has passed, so the window begins" in sentence
    (row,) = response.context["rows"]
    assert timedelta() <= row.start - now < 2 * MINUTE
    assert row.end == response.context["search"].wish.end == minute(now + 5 * HOUR + MINUTE - timedelta(seconds=1))
    link = unescape(re.search(r'<h3><a href="([^"]*)"', response.content.decode())[1])
    assert "has passed" not in client.get(link).content.decode()


def test_a_search_for_this_very_minute_is_left_as_it_is(now):
    first = minute(now)
    found = search(QueryDict(urlencode({"start": first.isoformat(), "end": (first + HOUR).isoformat()})), now=now)
    assert found.ignored == []
    assert found.wish.start == first


@pytest.mark.parametrize(("start", "end"), [(-61 * MINUTE, HOUR), (-30 * MINUTE, -MINUTE), (-30 * MINUTE, MINUTE * 0)])
def test_a_window_that_is_over_or_began_long_ago_is_left_out(client, listing, now, start, end):
    response = client.get(URL, {"start": (now + start).isoformat(), "end": (now + end).isoformat()})
    (sentence,) = ignored(response)
    assert "has passed" in sentence
    assert response.context["search"].duration is None


def test_a_window_within_one_minute_is_none(client, listing, now):
    moment = f"{now + DAY:%Y-%m-%dT%H:%M}"
    response = client.get(URL, {"start": f"{moment}:10", "end": f"{moment}:20"})
    assert response.status_code == 200
    assert len(ignored(response)) == 1


def test_percent_escapes_that_are_not_utf_8(client, listing):
    assert client.get(f"{URL}?q=%ff%fe&gpu=%c3%28&sort=%80&start=%ff&page=%ff").status_code == 200


def test_a_parameter_given_twice_counts_once(client, listing):
    response = client.get(f"{URL}?gpu_count=8&gpu_count=1&sort=price&sort=newest&start=&start=&country=DE&country=FR")
    assert response.status_code == 200
    assert ignored(response) == []
    assert rows(response) == 1


# Pages ----------------------------------------------------------------------------------------------------


@pytest.fixture
def many(machine, now) -> list[Listing]:
    machines = [machine] + [make_machine(machine.provider, f"gpu-{n}") for n in range(2, 51)]
    return [make_listing(machine, price_hour=n + 1) for n, machine in enumerate(machines)]


ODD_PAGES = {"0": 3, "-1": 3, "4": 3, str(10**9): 3, "9" * 5000: 1, "abc": 1, "": 1, "1.5": 1, "\x00": 1, "last": 1}


@pytest.mark.parametrize(("page", "shows"), [("1", 1), ("2", 2), ("3", 3), *ODD_PAGES.items()])
def test_every_page_number_leads_to_a_page(client, many, page, shows):
    response = client.get(URL, {"page": page})
    assert response.status_code == 200
    assert response.context["page"].number == shows
    assert rows(response) == (10 if shows == 3 else 20)
    said = [f"Page “{page[:20]}”: there are 3 pages. This is page {shows}."] if page in ODD_PAGES and page else []
    assert ignored(response) == said


def test_the_pages_keep_the_search_and_together_show_everything_once(client, many):
    asked = {"q": "h100", "country": ["DE", "FR"], "sort": "newest", "page": "2"}
    html = client.get(f"{URL}?{urlencode(asked, doseq=True)}").content.decode()
    nav = html[html.index('<nav class="pagination"') :]
    links = [unescape(href) for href in re.findall(r'href="(\?[^"]*)"', nav)]
    assert links
    for link in links:
        query = parse_qs(urlsplit(link).query)
        page = query.pop("page", ["1"])
        assert page[0] in {"1", "2", "3"}
        assert query == {"q": ["h100"], "country": ["DE", "FR"], "sort": ["newest"]}

    seen = []
    for page in (1, 2, 3):
        response = client.get(URL, {"q": "h100", "sort": "reliability", "page": page})  # all equal
        seen += [row.listing.pk for row in response.context["rows"]]
    assert sorted(seen) == sorted(listing.pk for listing in many)


def test_the_window_goes_along_to_the_listing(client, listing, now):
    start = (now + DAY).replace(minute=0, second=0)
    response = client.get(URL, {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + DAY:%Y-%m-%dT%H:%M}"})
    window = urlencode({"start": start.isoformat(), "end": (start + DAY).isoformat()}).replace("&", "&amp;")
    link = f"/listings/{listing.pk}/?{window}"
    assert link in response.content.decode()
    detail = client.get(unescape(link))
    assert detail.context["quote"].total == listing.price_day


def test_what_was_typed_is_in_the_form_again(client, listing):
    html = client.get(URL, {"q": 'H100 "SXM"', "gpu_count": "2", "cpu": "EPYC", "sort": "newest"}).content.decode()
    assert 'value="H100 &quot;SXM&quot;"' in html
    assert re.search(r'name="gpu_count"[^>]*value="2"|value="2"[^>]*name="gpu_count"', html)
    assert '<option value="newest" selected>' in html


def test_finding_nothing_says_what_to_do(client, listing):
    response = client.get(URL, {"gpu_count": 5000})
    html = response.content.decode()
    assert rows(response) == 0
    assert "Nothing fits all of that" in html
    assert "Leave out a filter" in html
    assert f'href="{URL}"' in html


def test_an_empty_marketplace_has_a_front_page(client, db):
    assert client.get("/").status_code == 200
    assert client.get(URL).status_code == 200


# Fragments --------------------------------------------------------------------------------------------------


def test_htmx_gets_the_results_alone(client, listing):
    page = client.get(URL)
    assert "<html" in page.content.decode()
    fragment = client.get(URL, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "<form" not in fragment
    assert "listing-row" in fragment


def test_going_back_in_htmxs_history_gets_the_page(client, listing):
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get(URL, headers=headers).content.decode()


def test_a_browsers_cache_keeps_page_and_fragment_apart(client, listing):
    """Going back to an address that htmx pushed must not show the fragment that it last fetched from there."""
    assert "HX-Request" in client.get(URL)["Vary"]
    assert "HX-Request" in client.get(URL, headers={"HX-Request": "true"})["Vary"]


def test_what_is_not_yet_verified_is_marked(client, provider, administrator, now):
    machine = make_machine(provider)
    listing = make_listing(machine, status=ListingStatus.PAUSED)
    assert rows(client.get(URL)) == 0
    html = client.get(URL, {"verified": "any"}).content.decode()
    assert "not yet verified" in html
    make_benchmark(machine, by=administrator, now=now)
    Listing.objects.filter(pk=listing.pk).update(status=ListingStatus.ACTIVE)
    html = client.get(URL).content.decode()
    assert "Also not yet verified" in html
    assert "cannot be booked yet" not in html


def test_a_flexible_search_outlines_the_soonest_window(client, listing, now):
    response = client.get(URL, {"days": "2", "within": "7"})
    (row,) = response.context["rows"]
    assert row.end - row.start == 2 * DAY
    assert row.start - now < timedelta(minutes=2)
    assert row.price == 2 * listing.price_day


def test_the_search_form_of_the_home_page_can_be_sent_as_it_is(client):
    """Every field that was left at "any" is none, and nothing is said about it."""
    html = client.get("/").content.decode()
    form = html[html.index('<form class="question"') : html.index("</form>", html.index('<form class="question"'))]
    names = set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', form))
    assert {"start", "end", "gpu_count", "price_max"} <= names
    response = client.get("/listings/", dict.fromkeys(names | {"gpu"}, ""))
    assert response.status_code == 200
    assert "Left out of your search" not in response.content.decode()
