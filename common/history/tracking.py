"""Which rows and which of their fields are kept in history."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pghistory
from django.db import models
from django.db.models import Model

from common.history.words import named

#: How the triggers call what happened; the last is what was there when the record began.
MADE, CHANGED, DELETED, FOUND = "insert", "update", "delete", "found"


@dataclass(frozen=True)
class Kind:
    """A table whose changes are kept.

    ``changes`` is the model of its changes, a row each. ``within`` names the foreign key to what it is a part of,
    ``organization`` the path from a change to the organization that may read it. ``called`` says how people call one:
    the name of a kept field, or a function of a change; ``page`` is the route of the page about it, or about what it is a
    part of. ``written`` says how a field is written whose type does not tell: a rate, a code. ``private`` are the fields that
    the organization does not read: they are its member's alone.
    """

    model: type[Model]
    changes: Any
    fields: Sequence[str]
    within: str = ""
    organization: str = ""
    called: str | Callable[[Any], str] = ""
    page: str = ""
    written: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    private: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """As in ``bookings.booking``: what addresses and files call it."""
        return self.model._meta.label_lower

    @property
    def words(self) -> str:
        return named(self.model._meta.verbose_name or "")


_kinds: dict[str, Kind] = {}


def tracked(
    model: type[Model],
    *fields: str,
    within: str = "",
    organization: str = "",
    called: str | Callable[[Any], str] = "",
    page: str = "",
    written: Mapping[str, Callable[[Any], str]] | None = None,
    private: Collection[str] = (),
) -> Any:
    """Keep every change of these fields, every new row and every deleted one. Returns the model of the changes.

    Leave out what is secret (hashes, tokens) and what changes by itself all the time (heartbeats, counters, the time of
    the next attempt): a write that touches none of ``fields`` writes no history, and costs next to nothing.
    """
    kept = [name for name in (within, *fields) if name]
    changes = pghistory.create_event_model(
        model,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        pghistory.DeleteEvent(),
        fields=list(dict.fromkeys(kept)),
        model_name=f"{model.__name__}Change",
        append_only=True,
        abstract=False,
        obj_field=pghistory.ObjForeignKey(related_name="changes", db_index=True),
        context_field=pghistory.ContextJSONField(),
        attrs={"pgh_id": models.BigAutoField(primary_key=True)},
        meta={
            "db_table": f"{model._meta.db_table}_changes",
            "verbose_name": f"change of {model._meta.verbose_name}",
            "verbose_name_plural": f"changes of {model._meta.verbose_name_plural}",
            "indexes": [models.Index(fields=[name]) for name in _paths(within, organization)],
        },
    )
    kind = Kind(
        model,
        changes,
        tuple(dict.fromkeys(kept)),
        within,
        organization,
        called,
        page,
        written or {},
        frozenset(private),
    )
    _kinds[kind.label] = kind
    return changes


def _paths(within: str, organization: str) -> list[str]:
    """The fields by which the changes of many rows are found together."""
    return list(dict.fromkeys(path.split("__")[0] for path in (within, organization) if path not in ("", "pgh_obj")))


def kinds() -> list[Kind]:
    """All of them, in the order in which they were named."""
    return list(_kinds.values())


def kind_of(model: type[Model]) -> Kind | None:
    return _kinds.get(model._meta.label_lower)
