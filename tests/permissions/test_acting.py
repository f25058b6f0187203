"""What an administrator can do who acts as somebody, of every address of the site: ``acting.txt``."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
from django.urls import reverse

from tests.permissions.asking import TRACES, Person, unrendered
from tests.permissions.routes import address
from tests.permissions.tables import ACTED_AS, Row, acting, addresses
from tests.permissions.world import World

#: What acting as somebody answers to what nobody does then, and what everybody is answered who asks by another method.
NOT_DONE = {"403", "405"}
#: What the person themselves would be answered: there is none of theirs, or it is for agents.
NOTHING_THERE = {"401", "404"}


def test_the_table_names_every_route():
    there = {row.route for row in addresses()}
    assert sorted(there - acting().keys()) == [], "routes without a row in the table"
    assert sorted(acting().keys() - there) == [], "rows for routes that do not exist"


def act_as(world: World, name: str) -> Person:
    """The administrator, who has begun to act as this one of the twelve."""
    person = Person(f"acting as {name}", world.things["administrator"])
    chosen = {
        "action": "act_as",
        "_selected_action": [world.things[name].pk],
        "decided": "yes",
        "reason": "A question.",
    }
    assert person.client.post(reverse("admin:accounts_user_changelist"), chosen).status_code == 302
    person.keep()
    return person


@pytest.mark.django_db
def test_whoever_acts_as_somebody_gets_what_the_table_says(world):
    """They see what that person sees, where they see anything, and by looking nothing is written."""
    met, wrong = defaultdict(set), []
    with unrendered():
        people = {name: act_as(world, name) for name in ACTED_AS}
        for row in addresses():
            for name, alike in asked_of(row):
                answer = people[name].ask(row.method, address(row.route, world.things, row.thing))
                if answer.word in NOT_DONE:
                    continue
                for one in alike:
                    met[row.route, one].add(what_it_is(row.method, answer.word))
                about = f"{row.route} {row.thing} {row.method} as {name}".replace("  ", " ")
                if row.expected[name] not in (answer.word, "any"):
                    wrong.append(f"{about}: {answer.word}, and they themselves get {row.expected[name]}")
                if row.method != "POST" and answer.wrote - TRACES:
                    wrong.append(f"{about}: writes to {answer.wrote - TRACES}")
    for route, said in acting().items():
        for name in ACTED_AS:
            is_so = next((word for word in ("allowed", "read only", "none") if word in met[route, name]), "refused")
            if is_so != said[name]:
                wrong.append(f"{route} as {name}: {is_so}, should be {said[name]}")
    assert not wrong, "\n".join(wrong)


def what_it_is(method: str, word: str) -> str:
    if method == "POST":
        return "allowed"
    return "none" if word in NOTHING_THERE else "read only"


def asked_of(row: Row) -> Iterator[tuple[str, list[str]]]:
    """As whom it is asked for, and who are answered alike: those who themselves get the same. To whom it is refused does not
    depend on what is there, nor by POST on who they are: one asks for all."""
    if row.method == "POST":
        if not row.thing and row.expected[ACTED_AS[0]] != "405":
            yield ACTED_AS[0], list(ACTED_AS)
        return
    answers = defaultdict(list)
    for name in ACTED_AS:
        answers[row.expected[name]].append(name)
    for answer, alike in answers.items():
        if answer != "405" and not (row.thing and answer in NOTHING_THERE):
            yield alike[0], alike
