"""Taking a person's name, address and keys out of what others keep: what stays says "[deleted]".

Prose, which names anybody anywhere, is searched from end to end, for what tells one person from all others
(:func:`accounts.traces.traces_of`). Facts, which a machine reads by their names, are touched in rows about the person only,
where a value is one of theirs (:func:`scrub_facts`). Names of facts are never touched.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.apps import apps
from django.db import connection
from django.db.models import JSONField, Model, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.html import escape

from common.history.forgetting import REFUSES
from common.history.tracking import kind_of, kinds

INSTEAD = "[deleted]"
#: Words that are shorter would be found everywhere.
SHORTEST = 3


@dataclass(frozen=True)
class Traces:
    """What tells who somebody is. Found as whole words, as they were written."""

    words: frozenset[str]

    @classmethod
    def among(cls, words: Iterable[Any]) -> "Traces":
        return cls(frozenset(text for word in words if len(text := str(word or "").strip()) >= SHORTEST))

    @property
    def pattern(self) -> str:
        """A regular expression, PostgreSQL's and Python's; in HTML and JSON some letters are written otherwise."""
        forms = {form for word in self.words for form in (word, word.lower() if "@" in word else word)}
        forms |= {escape(word) for word in forms} | {json.dumps(word, ensure_ascii=False)[1:-1] for word in forms}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"


# Prose ----------------------------------------------------------------------------------------------------


def scrub(label: str, columns: Sequence[str], traces: Traces) -> None:
    """Take the traces out of these columns of a table, inside a transaction."""
    if traces.words:
        model = apps.get_model(label)
        for column in columns:
            _scrub(model, column, traces.pattern)


def scrub_history(texts: Mapping[str, Sequence[str]], traces: Traces) -> None:
    """Take them out of what history keeps of these columns, by the model's label, and of the reasons given for changes."""
    if not traces.words:
        return
    for kind in kinds():
        with pgtrigger.ignore(f"{kind.changes._meta.label}:{REFUSES}"):
            _scrub_reasons(kind.changes, traces.pattern)
    for label, columns in texts.items():
        kept = kind_of(apps.get_model(label))
        if kept is not None:
            with pgtrigger.ignore(f"{kept.changes._meta.label}:{REFUSES}"):
                for column in set(columns) & set(kept.fields):
                    _scrub(kept.changes, column, traces.pattern)


def _scrub(model: type[Model], column: str, pattern: str) -> None:
    one = model._meta.get_field(column)
    if isinstance(one, JSONField):
        found = model._base_manager.annotate(as_text=Cast(column, TextField())).filter(as_text__regex=pattern)
        _rewrite(found, column, lambda _, text: re.sub(pattern, INSTEAD, text))
    else:
        _scrub_words(model, one, pattern)


def _scrub_words(model: type[Model], one: Any, pattern: str) -> None:
    name, kind = connection.ops.quote_name(one.column), one.db_type(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {connection.ops.quote_name(model._meta.db_table)}"  # noqa: S608 - names of our own
            f" SET {name} = regexp_replace({name}::text, %s, %s, 'g')::{kind} WHERE {name}::text ~ %s",
            [pattern, INSTEAD, pattern],
        )


def _scrub_reasons(changes: type[Model], pattern: str) -> None:
    """Of what a change bears, the reason alone is words; the rest are ids and paths."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {connection.ops.quote_name(changes._meta.db_table)}"  # noqa: S608 - a name of our own
            " SET pgh_context = jsonb_set("
            "pgh_context, '{why}', to_jsonb(regexp_replace(pgh_context->>'why', %s, %s, 'g')))"
            " WHERE pgh_context->>'why' ~ %s",
            [pattern, INSTEAD, pattern],
        )


# Facts ----------------------------------------------------------------------------------------------------


def scrub_facts(rows: "QuerySet[Any]", column: str, words: Collection[str], *, called: Collection[str] = ()) -> None:
    """In these rows, which are about the person, every value that is one of ``words`` as a whole goes.

    Args:
        column: of JSON.
        called: the names of the facts that may be the person's; empty: all.
    """
    theirs = {word.casefold() for word in words}

    def kept(name: str, text: str) -> str:
        return INSTEAD if (not called or name in called) and text.strip().casefold() in theirs else text

    _rewrite(rows, column, kept)


def _rewrite(rows: "QuerySet[Any]", column: str, kept: Callable[[str, str], str]) -> None:
    for pk, before in list(rows.values_list("pk", column)):
        after = _walked(before, kept)
        if after != before:
            rows.model._base_manager.filter(pk=pk).update(**{column: after})


def _walked(value: Any, kept: Callable[[str, str], str], name: str = "") -> Any:
    """``kept`` says what becomes of each text, by the name that it stands under; names stay."""
    if isinstance(value, str):
        return kept(name, value)
    if isinstance(value, dict):
        return {key: _walked(inner, kept, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walked(inner, kept, name) for inner in value]
    return value
