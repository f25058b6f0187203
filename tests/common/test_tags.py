"""The components: what they draw, that they are safe, and that strips are true."""

import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from common.strips import make_strip

START = datetime(2026, 11, 23, tzinfo=UTC)
END = START + timedelta(days=10)
ATTACK = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Block:
    start: datetime
    end: datetime
    kind: str = "taken"


def block(since: float, until: float, kind: str = "taken") -> Block:
    return Block(START + timedelta(days=since), START + timedelta(days=until), kind)


def rendered(source: str, **values) -> str:
    return Template(source).render(Context(values))


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with timezone.override(UTC):
        yield


# The strip --------------------------------------------------------------------------------------------


def test_a_block_stands_where_it_is_in_time():
    bar = make_strip([block(2, 5)], START, END).bars[0]
    assert (bar.kind, bar.left, bar.width) == ("taken", "20.000", "30.000")


def test_what_lies_outside_is_cut_off():
    bars = make_strip([block(-5, 1), block(9, 30), block(-3, 0), block(10, 11)], START, END).bars
    assert [(bar.left, bar.width) for bar in bars] == [("0.000", "10.000"), ("90.000", "10.000")]


@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30)), max_size=8))
def test_no_bar_leaves_the_strip(spans):
    strip = make_strip([block(min(span), max(span)) for span in spans], START, END)
    assert all(float(bar.left) >= 0 and float(bar.left) + float(bar.width) <= 100.001 for bar in strip.bars)


def test_a_strip_says_what_it_shows():
    words = make_strip(
        [block(0, 1), block(1, 1.125, "wipe")], START, END, START, START + timedelta(hours=2), "H100"
    ).words
    assert words.startswith("H100, Mon 23 Nov")
    assert "taken, Mon 23 Nov" in words
    assert "being erased" in words
    assert "your window" in words


def test_an_empty_strip_says_that_it_is_free():
    assert "free all the time" in make_strip([], START, END).words


def test_days_are_marked_at_local_midnight_when_clocks_change():
    with timezone.override(zoneinfo.ZoneInfo("Europe/Berlin")):
        start = datetime(2026, 10, 23, 22, tzinfo=UTC)  # midnight in Berlin, before clocks go back
        ticks = make_strip([], start, start + timedelta(days=4, hours=1)).ticks
    hours = [round(float(tick.left) / 100 * 97) for tick in ticks]
    assert hours == [0, 24, 49, 73]


@pytest.mark.parametrize(("weeks", "labels"), [(1, ["Mon 23", "Wed 25"]), (6, ["23 Nov", "2 Dec"])])
def test_the_days_of_a_long_strip_say_their_month(weeks, labels):
    start = datetime(2026, 11, 23, tzinfo=UTC)
    ticks = make_strip([], start, start + timedelta(weeks=weeks)).ticks
    assert [tick.label for tick in ticks if tick.label][:2] == labels


def test_a_strip_ends_after_it_starts():
    with pytest.raises(ValueError, match="ends after it starts"):
        make_strip([], END, START)


def test_a_strip_is_well_formed_and_has_no_style_attribute():
    html = rendered(
        "{% strip blocks start end yours until label %}",
        blocks=[block(1, 2), block(2, 2.2, "wipe"), block(4, 5, "held"), block(6, 7, "upkeep")],
        start=START,
        end=END,
        yours=START + timedelta(days=3),
        until=START + timedelta(days=4),
        label=ATTACK,
    )
    ElementTree.fromstring(html)
    assert "style=" not in html
    assert ATTACK not in html
    assert 'role="img"' in html


# Everything else --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "{% mark 'good' attack attack %}",
        "{% badge attack attack %}",
        "{% button attack href=attack kind=attack %}",
        "{% stat attack attack attack %}",
        "{% note title=attack %}{{ attack }}{% endnote %}",
        "{% empty title=attack %}{{ attack }}{% endempty %}",
        "{% terminal label=attack comment=attack %}{{ attack }}{% endterminal %}",
        "{% page_header title=attack back_url=attack back_label=attack %}{{ attack }}{% endpage_header %}",
        "{% confirm id='x' label=attack action=attack %}{{ attack }}{% endconfirm %}",
        "{% query_with q=attack %}",
        "{% timeline steps %}",
        "{% facts pairs %}",
        "{% data_table headers rows %}",
        "{% meter 0.5 attack %}",
    ],
)
def test_what_people_typed_stays_text(source):
    html = rendered(
        source,
        attack=ATTACK,
        steps=[{"title": ATTACK, "at": ATTACK, "detail": ATTACK, "by": ATTACK, "state": "now"}],
        pairs=[(ATTACK, ATTACK, ATTACK)],
        headers=[ATTACK],
        rows=[[ATTACK]],
    )
    assert "<script" not in html
    assert "style=" not in html


def test_the_query_string_keeps_what_is_not_changed():
    request = RequestFactory().get("/listings/", {"gpu": ["a", "b"], "page": "2"})
    tag = Template("{% query_with page=3 gone='' %}")
    assert tag.render(Context({"request": request})) == "?gpu=a&amp;gpu=b&amp;page=3"
    assert Template("{% query_with page=None %}").render(Context({"request": request})) == "?gpu=a&amp;gpu=b"


def test_pages_are_linked_and_the_current_one_is_marked():
    request = RequestFactory().get("/listings/", {"gpu": "h100"})
    page = Paginator(range(214), 20).page(3)
    html = Template("{% pagination page %}").render(Context({"request": request, "page": page}))
    assert "41–60 of 214" in html
    assert 'href="?gpu=h100&amp;page=4" rel="next"' in html
    assert re.search(r'href="\?gpu=h100&amp;page=3" aria-current="page"', html)


def test_a_single_page_needs_no_links():
    page = Paginator(range(3), 20).page(1)
    assert rendered("{% pagination page %}", page=page) == ""


def test_a_receipt_has_its_lines_and_its_total():
    html = rendered(
        "{% receipt lines total 'EUR' title='Your booking' extra=extra %}",
        lines=[{"unit": "day", "quantity": 3, "rate": Decimal("412"), "amount": Decimal("1236")}],
        total=Decimal("1236"),
        extra=[("Given back", Decimal("-36"))],
    )
    assert "3 days × €412.00" in html
    assert html.count("€1,236.00") == 2
    assert "−€36.00" in html


def test_a_terminal_copies_the_command_and_not_the_comment():
    html = rendered("{% terminal comment='host key' %}ssh {{ who }} && 'ls'{% endterminal %}", who='"<b>')
    assert 'data-copy="ssh &quot;&lt;b&gt; &amp;&amp; &#x27;ls&#x27;"' in html


def test_a_question_is_posted_with_its_token():
    html = Template("{% confirm id='cancel' label='Cancel' action='/x/' %}Really{% endconfirm %}").render(
        Context({"csrf_token": "secret"})
    )
    assert 'commandfor="cancel"' in html
    assert 'name="csrfmiddlewaretoken" value="secret"' in html


class Form(forms.Form):
    name = forms.CharField(help_text="Yours.")
    kind = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    agree = forms.BooleanField()
    token = forms.CharField(widget=forms.HiddenInput, required=False)


def test_help_and_errors_are_tied_to_their_field():
    html = rendered("{% fields form %}", form=Form({}))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "<legend>Kind" in html
    assert 'role="alert"' in html
    assert 'href="#id_name"' in html


def test_a_fresh_form_says_nothing_of_errors():
    html = rendered("{% fields form %}", form=Form())
    assert "alert" not in html
    assert 'name="token"' in html


def test_a_control_takes_further_attributes():
    html = rendered("{% field form.name placeholder='any' data_x='1' %}", form=Form())
    assert 'placeholder="any"' in html
    assert 'data-x="1"' in html


def test_an_icon_is_for_the_eyes_only():
    html = rendered("{% icon 'check' 18 %}")
    assert html.startswith("<svg")
    assert 'aria-hidden="true"' in html


def test_a_moment_carries_its_machine_readable_time():
    html = rendered("{% moment at 'both' %}", at=START)
    assert f'datetime="{START.isoformat()}"' in html
    assert "UTC" in html


def test_a_meter_stays_within_its_bounds():
    assert 'width="100.0%"' in rendered("{% meter 1.7 %}")
    assert rendered("{% meter nothing %}", nothing=None) == ""
