"""Ids of other people's things, wherever an id is taken: ``foreign_ids.txt``."""

import ast
import inspect
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from django import forms
from django.conf import settings
from django.urls import reverse

from accounts.middleware import ACTING_FOR
from billing.models import Subscription
from tests.people import DAY, HOUR
from tests.permissions.asking import Person
from tests.permissions.people import RIVAL
from tests.permissions.routes import id_of, routes
from tests.permissions.tables import lines
from tests.signing_in import step_up

ROOMS = ("marketplace", "billing", "bookings", "machines", "accounts")
#: What views read themselves out of a form or a query, and is no id of anything.
NO_IDS = {
    "page", "payouts", "invited", "group", "until", "keep", "next", "send", "do", "kind", "more_rows", "seen", "again", "reason",
    "span", "bytes", "state", "decision", "end", "start", "of", "when", "year", "as", "required", "language",
    "SAMLResponse",
    # What is printed on certificates, for anybody to look up.
    "q",
}  # fmt: skip


#: Fields that choose among what everybody sees.
PUBLIC = {"gpu"}


@dataclass(frozen=True)
class Attempt:
    line: str
    who: str
    method: str
    route: str
    things: list[str]
    sends: dict[str, str]
    answer: str


def attempts() -> list[Attempt]:
    found = []
    for who, asks, sends, answer in lines("foreign_ids.txt"):
        method, route, *things = asks.split()
        pairs = [] if sends == "-" else [pair.split("=", 1) for pair in sends.split()]
        found.append(Attempt(f"{who}: {asks} {sends}", who, method, route, things, dict(pairs), answer))
    return found


@pytest.fixture
def plan(things) -> Subscription:
    """What is charged to a card every month."""
    return Subscription.objects.create(user=things["buyer"], tier="individual", stripe_subscription_id="sub_mine")


@pytest.mark.django_db
def test_nobody_gets_at_other_peoples_things_by_their_ids(world, plan):
    things = {**world.things, "soon": _typed(world.now + 40 * DAY), "later": _typed(world.now + 40 * DAY + 4 * HOUR)}
    wrong = []
    for attempt in attempts():
        person, headers = _person(attempt.who, world.people, things)
        sent = {name: _filled(value, things) for name, value in attempt.sends.items()}
        place = reverse(attempt.route, args=[id_of(things[name]) for name in attempt.things])
        answer = person.ask(attempt.method, place, sent, headers=headers)
        if answer.word != attempt.answer:
            wrong.append(f"{attempt.line}: {answer.word}, should be {attempt.answer}")
        if answer.wrote:
            wrong.append(f"{attempt.line}: wrote to {', '.join(sorted(answer.wrote))}")
        if RIVAL in answer.text.lower() and not any(RIVAL in value for value in sent.values()):
            wrong.append(f"{attempt.line}: the answer tells of somebody else's")
    assert not wrong, "\n".join(wrong)


def _typed(moment) -> str:
    return f"{moment:%Y-%m-%dT%H:00}"


def _filled(value: str, things) -> str:
    return re.sub(r"\$(\w+)", lambda found: str(id_of(things[found[1]])), value)


def _person(who: str, people, things) -> tuple[Person, dict[str, str]]:
    """Whoever it is, with what the table says about their session; and what else a program sends."""
    name, _, more = who.partition(" ")
    person, (how, _, what) = people[name], more.partition(" ")
    if how == "with":
        return person, {"Authorization": f"Bearer {things[what]}"}
    if how:
        person = Person(name, person.user)
        if how == "again":
            step_up(person.client)
        else:
            session = person.client.session
            session[ACTING_FOR] = str(things[what].pk)
            session.save()
            person.client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        person.keep()
    return person, {}


# What the table has to name ---------------------------------------------------------------------------------


def test_every_address_with_two_ids_is_tried_with_somebody_elses():
    tried = {attempt.route for attempt in attempts() if len(attempt.things) > 1}
    assert sorted({route.name for route in routes() if route.ids > 1} - tried) == []


def test_every_download_and_feed_is_tried_with_a_token_that_is_not_for_it():
    tried = {attempt.route for attempt in attempts() if " with " in attempt.who or attempt.route.startswith("feed_")}
    for_programs = {
        route.name for route in routes() if _made_in(route.view) in ("accounts.bearer", "bookings.views.feeds._feed")
    }
    assert len(for_programs) > 10
    assert sorted(for_programs - tried) == []


def _made_in(view) -> str:
    """Where the outermost function of a view was written: what it was decorated with."""
    code = view.__code__
    module = inspect.getmodule(code).__name__
    return f"{module}._feed" if code.co_qualname.startswith("_feed.") else module


def test_every_part_of_a_page_about_a_thing_is_tried_with_somebody_elses():
    tried = {attempt.route for attempt in attempts() if attempt.method == "PART"}
    public = {"listing_quote", "listing_list"}
    assert sorted({route.name for route in routes() if route.has_parts and route.ids} - tried - public) == []


def test_every_field_that_takes_an_id_is_tried_with_somebody_elses():
    for module in _modules():
        import_module(module)
    fields = {
        name
        for form in _subclasses(forms.BaseForm)
        if form.__module__.startswith(ROOMS) and "admin" not in form.__module__
        for name, field in form.base_fields.items()
        if isinstance(field, forms.ModelChoiceField | forms.UUIDField)
    }
    assert {"keys", "project", "to", "acts_for", "machine", "person", "saved_card", "card"} <= fields
    assert sorted(fields - _sent() - PUBLIC) == []


def test_every_name_that_a_view_reads_itself_is_tried_or_no_id():
    read = {name for module in _modules() if ".views" in module for name in _read_by(module)}
    assert {"organization", "member", "node", "page"} <= read
    assert sorted(read - _sent() - NO_IDS) == []
    assert sorted(NO_IDS - read) == [], "nobody reads these any more"


def _sent() -> set[str]:
    """Names in the table, without what forms put before them."""
    return {name.rpartition("-")[2] for attempt in attempts() for name in attempt.sends}


def _modules() -> list[str]:
    return [
        found.name
        for room in ROOMS
        for found in walk_packages([str(Path(settings.BASE_DIR) / room)], f"{room}.")
        if ".migrations" not in found.name and ".management" not in found.name
        if not found.name.startswith("marketplace.embedded") and not found.name.startswith("marketplace.demo")
    ]


def _subclasses(kind: type) -> set[type]:
    return {kind, *(one for child in kind.__subclasses__() for one in _subclasses(child))}


def _read_by(module: str) -> set[str]:
    """Names that are taken out of ``request.GET`` and ``request.POST`` in a module's source."""
    found = set()
    for node in ast.walk(ast.parse(Path(import_module(module).__file__).read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=source), args=[ast.Constant(value=str(name)), *_]):
                pass
            case ast.Subscript(value=source, slice=ast.Constant(value=str(name))):
                pass
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[source]):
                pass
            case _:
                continue
        if ast.unparse(source) in ("request.GET", "request.POST"):
            found.add(name)
    return found
