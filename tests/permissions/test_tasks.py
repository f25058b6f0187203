"""Everything that the worker can be asked for: ``tasks.txt``."""

import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model

from marketplace.celery import app
from tests.permissions.asking import undone
from tests.permissions.tables import lines


@dataclass(frozen=True)
class Entry:
    """``takes``: the names of what comes with the message. ``of``: a row of what they name; empty: no row."""

    task: str
    takes: list[str]
    of: str
    writes: set[str]

    @property
    def takes_an_id(self) -> bool:
        return bool(self.takes) and self.of not in ("", "a word")


def entries() -> Iterator[Entry]:
    for task, takes, writes in lines("tasks.txt"):
        name, _, of = takes.partition(": ")
        yield Entry(task, [] if takes == "nobody" else [name], of, set() if writes == "-" else {writes})


def registered() -> dict[str, object]:
    """Without Celery's own."""
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith(("celery.", "tests."))}


def test_the_table_names_every_task_and_what_it_takes():
    there = {name: list(inspect.signature(task.run).parameters) for name, task in registered().items()}
    assert {entry.task: entry.takes for entry in entries()} == there


@pytest.mark.django_db
def test_no_task_does_anything_with_the_id_of_a_person_or_of_anything_but_what_it_is_for(world):
    wrong = []
    people = [person.user for person in world.people.values() if person.user is not None]
    ids = {(str(thing._meta.verbose_name), thing.pk) for thing in (*people, *world.things.values()) if _is_row(thing)}
    for entry in entries():
        if not entry.takes_an_id:
            continue
        task = registered()[entry.task]
        for kind, pk in ids:
            with undone() as wrote, suppress(ObjectDoesNotExist, ValueError):
                task.run(str(pk))
            allowed = entry.writes if kind in entry.of else set()
            if wrote - allowed:
                wrong.append(f"{entry.task} with {kind} {pk}: wrote to {', '.join(wrote - allowed)}")
    assert not wrong, "\n".join(wrong)


def _is_row(thing: object) -> bool:
    return isinstance(thing, Model)
