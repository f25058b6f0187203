"""How numbers, money and times are written."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from common import formats
from common.formats import NBSP, NOTHING

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
# Which day of the week a date falls on is the point of these tests, so that theirs are fixed, and "now" with them.
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = datetime(2026, 11, 27, 8, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    with timezone.override(BERLIN):
        yield


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("1236"), "EUR", "€1,236.00"),
        (Decimal("0.5"), "USD", "$0.50"),
        (Decimal("-12.30"), "GBP", "−£12.30"),
        (Decimal("1200"), "JPY", "¥1,200"),
        ("7.5", "EUR", "€7.50"),
    ],
)
def test_money_has_its_sign_and_its_minor_units(amount, currency, text):
    assert formats.money(amount, currency) == text


def test_money_follows_the_language():
    with translation.override("de"):
        assert plain(formats.money(Decimal("1236"), "EUR")) == "1.236,00 €"


@pytest.mark.parametrize(
    ("region", "amount", "currency", "text"),
    [
        ("", "1236", "EUR", "€1,236.00"),
        ("US", "1236", "EUR", "€1,236.00"),
        ("DE", "1236", "EUR", "1.236,00 €"),
        ("CH", "1236", "EUR", "€ 1’236.00"),
        ("FR", "1236.5", "EUR", "1 236,50 €"),
        ("DE", "1236", "USD", "1.236,00 US$"),
        ("US", "1236", "USD", "$1,236.00"),
        ("GB", "1236", "GBP", "£1,236.00"),
        ("CH", "1236", "GBP", "£ 1’236.00"),
        ("JP", "1236", "JPY", "¥1,236"),
        ("DE", "1236", "JPY", "1.236 JP¥"),
        ("GB", "1236", "JPY", "JP¥1,236"),
        ("XX", "1236", "EUR", "€1,236.00"),
    ],
)
def test_money_follows_the_region(region, amount, currency, text):
    with formats.in_region(region):
        written = formats.money(Decimal(amount), currency)
    assert plain(written).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_numbers_follow_the_region_and_are_not_remembered_for_another():
    def written() -> list[str]:
        return [plain(text) for text in (formats.number("12345.5"), formats.tb(2063), formats.percent("0.9994"))]

    own = written()
    with formats.in_region("DE"):
        german = written()
        with formats.in_region("ch"):
            swiss = written()
        assert written() == german
    assert own == written() == ["12,345.5", "2.1 TB", "99.94 %"]
    assert german == ["12.345,5", "2,1 TB", "99,94 %"]
    assert swiss == ["12’345.5", "2.1 TB", "99.94 %"]


def test_moments_are_the_languages_wherever_they_are_read():
    september = datetime(2026, 9, 4, 8, tzinfo=UTC)
    own = formats.when(september, now=NOW)
    with formats.in_region("DE"):
        assert formats.when(september, now=NOW) == own == "Fri 4 Sep, 10:00"


def test_a_region_ends_with_its_block_even_if_the_block_fails():
    with pytest.raises(ZeroDivisionError), formats.in_region("DE"):
        raise ZeroDivisionError
    assert formats.region() == ""


def test_a_part_of_a_page_is_remembered_for_its_region():
    template = Template("{% remembered 7 %}{{ amount|money:'EUR' }}{% endremembered %}")

    def drawn() -> str:
        return plain(template.render(Context({"amount": Decimal("1236")})))

    own = drawn()
    with formats.in_region("DE"):
        assert drawn() == "1.236,00 €"
    assert drawn() == own == "€1,236.00"


@pytest.mark.parametrize(
    ("header", "region"),
    [
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "DE"),
        ("de,en-US;q=0.8", "US"),
        ("en-US;q=0.3,fr-CH;q=0.9", "CH"),
        ("zh-Hans-CN", "CN"),
        ("zh-Hans", ""),
        ("es-419", ""),
        ("en", ""),
        ("*", ""),
        ("", ""),
        ("nonsense-, ;;q=,<script>", ""),
        ("de-DE" * 5000, ""),
    ],
)
def test_the_region_in_what_a_browser_says(header, region):
    assert formats.region_of(header) == region


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (formats.gb, 512, "512 GB"),
        (formats.gb, 2063, "2,063 GB"),
        (formats.tb, 960, "960 GB"),
        (formats.tb, 1000, "1 TB"),
        (formats.tb, 2063, "2.1 TB"),
        (formats.size, 120, "1 KB"),
        (formats.size, 36_800, "37 KB"),
        (formats.size, 1_240_000, "1.2 MB"),
        (formats.tflops, Decimal("741.3"), "741 TFLOPS"),
        (formats.tflops, 61.24, "61.2 TFLOPS"),
        (formats.tflops, 1.914, "1.91 TFLOPS"),
        (formats.mbps, 940, "940 Mbit/s"),
        (formats.mbps, 1200, "1.2 Gbit/s"),
        (formats.gbps, Decimal("9.44"), "9.4 Gbit/s"),
        (formats.gbps, Decimal("0.3"), "300 Mbit/s"),
        (formats.hours, 72, "72 hours"),
        (formats.hours, 1, "1 hour"),
        (formats.hours, timedelta(minutes=90), "1.5 hours"),
    ],
)
def test_a_measure_has_its_unit(write, value, text):
    assert plain(write(value)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9994, "99.94 %"), (0.99999, "99.99 %"), (1, "100 %"), (0, "0 %"), (0.957, "95.7 %"), (Decimal("0.5"), "50 %")],
)
def test_a_percentage_is_cut(share, text):
    assert plain(formats.percent(share)) == text


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_less_than_the_whole_is_never_called_the_whole(share):
    assert formats.percent(share) != f"100{NBSP}%"


def test_a_moment_is_told_in_the_persons_zone():
    assert formats.when(START, now=NOW) == "Fri 27 Nov, 09:00"


def test_another_year_is_named():
    assert formats.when(START.replace(year=2027), now=NOW) == "Sat 27 Nov 2027, 09:00"


def test_a_moment_is_told_in_utc_too():
    assert formats.when_both(START, now=NOW) == "Fri 27 Nov, 09:00 CET (08:00 UTC)"


def test_another_day_in_utc_is_named():
    late = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    assert formats.when_both(late, now=NOW) == "Fri 27 Nov, 00:30 CET (Thu 26 Nov, 23:30 UTC)"


def test_someone_in_utc_is_told_once():
    with timezone.override(UTC):
        assert formats.when_both(START, now=NOW) == "Fri 27 Nov, 08:00 UTC"


def test_a_zone_without_a_name_says_how_far_it_is():
    with timezone.override(zoneinfo.ZoneInfo("Asia/Tashkent")):
        assert formats.when_both(START, now=NOW) == "Fri 27 Nov, 13:00 UTC+5 (08:00 UTC)"


def test_a_window_names_both_days():
    assert formats.window(START, START + timedelta(days=3), now=NOW) == "Fri 27 Nov, 09:00 – Mon 30 Nov, 09:00"


def test_a_window_within_a_day_names_it_once():
    assert formats.window(START, START + timedelta(hours=4), now=NOW) == "Fri 27 Nov, 09:00 – 13:00"


def test_a_window_is_told_in_utc_too():
    end = START + timedelta(days=3)
    assert formats.window_both(START, end, now=NOW) == "Fri 27 Nov, 09:00 – Mon 30 Nov, 09:00 CET (08:00 – 08:00 UTC)"


def test_a_window_in_which_clocks_change_names_both_zones():
    start, end = datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC)
    assert formats.window_both(start, end, now=NOW) == (
        "Sat 24 Oct, 14:00 CEST – Mon 26 Oct, 13:00 CET (12:00 – 12:00 UTC)"
    )


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=3, hours=4), "3 days 4 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=1, minutes=5), "1 day"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(seconds=45), "45 seconds"),
        (timedelta(), "0 seconds"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(length, text):
    assert formats.duration(length) == text


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(hours=-3, minutes=-10), "3 hours ago"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(seconds=20), "just now"),
    ],
)
def test_a_distance_is_told_in_one_unit(distance, text):
    assert formats.ago(NOW + distance, now=NOW) == text


@pytest.mark.parametrize(
    "name",
    [
        *["gb", "tb", "tflops", "mbps", "gbps", "percent", "number", "hours", "duration", "day", "clock", "when"],
        *["when_both", "ago", "money:'EUR'", "window:nothing", "window_both:nothing"],
    ],
)
def test_nothing_is_a_dash(name):
    assert Template(f"{{{{ nothing|{name} }}}}").render(Context({"nothing": None})) == NOTHING


def test_what_is_no_number_is_a_dash():
    assert formats.gb("many") == formats.money("much", "EUR") == formats.percent(float("nan")) == NOTHING
