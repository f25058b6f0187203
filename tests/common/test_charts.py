"""Charts: lines that are true, gaps that stay gaps, words and a table for who does not see them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from common.charts import HEIGHT, WIDTH, Series, make_band, make_bars, make_chart

START = datetime(2026, 11, 23, tzinfo=UTC)
END = START + timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def utc():
    with timezone.override(UTC):
        yield


def points(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_a_line_goes_through_the_middle_of_its_buckets():
    chart = make_chart("CPU", [Series("Load", [0, 50, 100, 25])], START, END, top=100)
    assert points(chart.lines[0].path) == [(125, 100), (375, 50), (625, 0), (875, 75)]


def test_where_nothing_is_known_the_line_ends_and_begins_anew():
    path = make_chart("CPU", [Series("Load", [1, 2, None, None, 3, None, 4])], START, END).lines[0].path
    assert (path.count("M"), path.count("L")) == (3, 1)
    assert path.count("h0") == 3  # what stands alone is a dot


@given(st.lists(st.none() | st.floats(0, 1e7), min_size=1, max_size=60))
def test_no_line_leaves_its_chart(figures):
    chart = make_chart("Network", [Series("In", figures)], START, END)
    found = points(chart.lines[0].path)
    assert len(found) == sum(figure is not None for figure in figures)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in found)
    assert 2 <= len(chart.grid) <= 6


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (100, ["0", "25", "50", "75", "100"]),
        (41, ["0", "20", "40", "60"]),
        (0, ["0", "0.25", "0.5", "0.75", "1"]),
        (9400, ["0", "2,500", "5,000", "7,500", "10,000"]),
    ],
)
def test_the_scale_is_in_round_steps(most, labels):
    chart = make_chart("x", [Series("x", [most])], START, END)
    assert [line.label for line in chart.grid] == labels


def test_it_says_in_words_what_it_shows():
    chart = make_chart("CPU", [Series("Load", [10, 30, None])], START, END, unit="%", top=100)
    line = chart.lines[0]
    assert (line.newest, line.mean, line.most) == ("30\xa0%", "20\xa0%", "30\xa0%")
    assert "Load: 20\xa0% on average, 30\xa0% at most" in chart.words


def test_a_line_of_nothing_says_so():
    chart = make_chart("CPU", [Series("Load", [None] * 4)], START, END, unit="%")
    assert (chart.lines[0].path, chart.lines[0].newest) == ("", "–")


def test_the_table_has_means_newest_first():
    figures = [float(number) for number in range(48)]
    chart = make_chart("CPU", [Series("Load", figures)], START, END, unit="%", rows=24)
    assert len(chart.rows) == 24
    assert chart.rows[0][1] == "46.5\xa0%"
    assert chart.rows[-1][1] == "0.5\xa0%"
    assert "00:00" in chart.rows[-1][0]


def test_a_chart_needs_time_and_figures():
    with pytest.raises(ValueError, match="a chart has a length"):
        make_chart("x", [Series("x", [1])], END, START)
    with pytest.raises(ValueError, match="a chart has a length"):
        make_chart("x", [Series("x", [])], START, END)


def test_a_band_is_cut_off_at_the_edges_and_never_too_narrow_to_be_seen():
    band = make_band("outage", START - HOUR, START + 6 * HOUR, START, END, "gone")
    assert (band.left, band.width) == ("0.000", "25.000")
    short = make_band("outage", END - timedelta(seconds=1), END + HOUR, START, END, "gone")
    assert float(short.width) == 0.2
    assert float(short.left) + float(short.width) <= 100
    assert make_band("outage", END, END + HOUR, START, END, "gone") is None
    assert make_band("outage", START - HOUR, START, START, END, "gone") is None


def test_it_is_drawn_with_a_name_words_and_a_table_and_nothing_unsafe():
    attack = "<script>alert(1)</script>"
    band = make_band("outage", START, START + HOUR, START, END, attack)
    chart = make_chart(attack, [Series("In", [1, 2]), Series("Out", [3, None])], START, END, unit="%", bands=[band])
    html = Template('{% chart drawn "c1" %}{% band bands start end "Not heard" %}').render(
        Context({"drawn": chart, "bands": [band], "start": START, "end": END})
    )
    assert attack not in html
    root = ElementTree.fromstring(f"<div>{html}</div>")
    plot = next(svg for svg in root.iter("svg") if svg.get("role") == "img")
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert {plot.get("aria-labelledby"), plot.get("aria-describedby")} <= ids
    assert len(list(root.iter("table"))) == 1
    assert " style=" not in html


# Bars --------------------------------------------------------------------------------------------------


def euros(amount):
    return f"{amount} EUR"


def test_bars_stand_beside_each_other_as_high_as_their_figures():
    chart = make_bars("Earned", [("Jan", Decimal("50")), ("Feb", Decimal("100"))], write=euros)
    assert [(bar.left, bar.width) for bar in chart.bars] == [("7.500", "35.000"), ("57.500", "35.000")]
    assert [(bar.top, bar.height) for bar in chart.bars] == [("50.00", "50.00"), ("0.00", "100.00")]
    assert chart.rows == (("Jan", "50 EUR"), ("Feb", "100 EUR"))
    assert chart.words == "Jan: 50 EUR; Feb: 100 EUR"


def test_what_is_nothing_or_less_has_no_bar_and_stands_in_the_table():
    chart = make_bars("Earned", [("Jan", 0), ("Feb", -7)], write=euros)
    assert [bar.height for bar in chart.bars] == ["0.00", "0.00"]
    assert ("Feb", "-7 EUR") in chart.rows


def test_a_chart_of_no_bars_is_refused():
    with pytest.raises(ValueError, match="at least one bar"):
        make_bars("Earned", [], write=euros)


@given(st.lists(st.decimals(0, 10**9, places=2), min_size=1, max_size=24))
def test_bars_stay_within_their_frame(figures):
    chart = make_bars("Earned", [(str(place), figure) for place, figure in enumerate(figures)], write=str)
    for bar in chart.bars:
        assert float(bar.left) >= 0
        assert float(bar.left) + float(bar.width) <= 100.001
        assert 0 <= float(bar.top) <= 100
        assert abs(float(bar.top) + float(bar.height) - 100) < 0.02


def test_bars_are_drawn_with_words_and_a_table():
    chart = make_bars("Earned in 2026", [("Jan", 3), ("Feb", 5)], write=euros)
    drawn = Template('{% bars chart "earned" "Month" %}').render(Context({"chart": chart}))
    root = ElementTree.fromstring(drawn.replace("&nbsp;", " "))
    assert len(root.findall(".//rect")) == 2
    assert root.find(".//desc").text == "Jan: 3 EUR; Feb: 5 EUR"
    assert "style=" not in drawn
