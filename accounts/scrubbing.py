"""Taking a person's name, address and keys out of texts that others keep: what stays says "[deleted]"."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.apps import apps
from django.db import connection
from django.db.models import Field, Model
from django.utils.html import escape

from common.history.forgetting import REFUSES
from common.history.tracking import kinds

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
        """A regular expression of PostgreSQL's; in HTML and JSON some letters are written otherwise."""
        forms = {form for word in self.words for form in (word, word.lower() if "@" in word else word)}
        forms |= {escape(word) for word in forms} | {json.dumps(word, ensure_ascii=False)[1:-1] for word in forms}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"


def scrub(label: str, columns: Sequence[str], traces: Traces) -> None:
    """Take the traces out of these columns of a table, inside a transaction."""
    if traces.words:
        model = apps.get_model(label)
        for column in columns:
            _scrub(model, model._meta.get_field(column), traces.pattern)


def scrub_history(traces: Traces) -> None:
    """Take them out of every table of changes: of what it keeps of rows, and of the reasons that were given."""
    if not traces.words:
        return
    for kind in kinds():
        texts = [one for one in kind.changes._meta.concrete_fields if _is_text(one)]
        with pgtrigger.ignore(f"{kind.changes._meta.label}:{REFUSES}"):
            for one in texts:
                _scrub(kind.changes, one, traces.pattern)


def _is_text(one: Field[Any, Any]) -> bool:
    kind = str(one.db_type(connection))
    return not one.choices and (kind in ("text", "citext", "jsonb") or kind.startswith("varchar")) and "[]" not in kind


def _scrub(model: type[Model], one: Any, pattern: str) -> None:
    name, kind = connection.ops.quote_name(one.column), one.db_type(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {connection.ops.quote_name(model._meta.db_table)}"  # noqa: S608 - names of our own
            f" SET {name} = regexp_replace({name}::text, %s, %s, 'g')::{kind} WHERE {name}::text ~ %s",
            [pattern, INSTEAD, pattern],
        )
