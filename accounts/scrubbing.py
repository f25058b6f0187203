"""Taking a person's name, address and keys out of what others keep: what stays says "[deleted]".

Prose, which names anybody anywhere, is searched from end to end, for what tells one person from all others
(:func:`accounts.traces.traces_of`). Facts, which a machine reads by their names, are touched in rows about the person only,
where a value is one of theirs (:func:`scrub_facts`). Names of facts are never touched.
"""

import itertools
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

from common.history.forgetting import REFUSES, rewriting_words
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
    def addresses(self) -> "Traces":
        return Traces(frozenset(filter(_is_address, self.words)))

    @property
    def pattern(self) -> str:
        """A regular expression, PostgreSQL's and Python's; in HTML some letters are written otherwise.

        A word is whole where it is no part of a longer one: of another address, or of a double name.
        """
        addresses = {form for word in self.addresses.words for form in (word, word.lower())}
        found = [
            (addresses, r"(?<![\w.+-])", r"(?![\w-]|\.\w)"),
            (self.words - addresses, r"(?<![\w-])", r"(?![\w-])"),
        ]
        return "|".join(f"{before}(?:{_any_of(words)}){after}" for words, before, after in found if words)

    @property
    def anywhere(self) -> str:
        """The same in whatever stands before and after, for text that is written in JSON: to find rows to look at."""
        forms = {form for word in self.words for form in (word, word.lower())}
        return _any_of(forms | {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms})


def _is_address(word: str) -> bool:
    return "@" in word and " " not in word  # some keys have the former, too


def _any_of(words: Iterable[str]) -> str:
    forms = {form for word in words for form in (word, escape(word))}
    return "|".join(map(re.escape, sorted(forms, key=lambda form: (-len(form), form))))


# As it is written -----------------------------------------------------------------------------------------


def _in_words(text: str, traces: Traces) -> str:
    return re.sub(traces.pattern, INSTEAD, text)


def _in_html(text: str, traces: Traces) -> str:
    """Names in what is read; in tags, which a name may look like, addresses alone."""
    in_tags = traces.addresses
    return "".join(
        (_in_words(piece, in_tags) if in_tags.words else piece) if is_tag else _in_words(piece, traces)
        for piece, is_tag in zip(TAGS.split(text), itertools.cycle((False, True)), strict=False)
    )


def _in_json(text: str, traces: Traces) -> str:
    """In its values; what is none after all is words."""
    try:
        before = json.loads(text)
    except ValueError:
        return _in_words(text, traces)
    after = _walked(before, lambda _, value: _in_words(value, traces))
    return text if after == before else json.dumps(after, ensure_ascii=False)


#: What is no words to whoever reads the page.
TAGS = re.compile(r"(<style\b.*?</style>|<!--.*?-->|<[^>]*>)", re.DOTALL | re.IGNORECASE)
#: Columns of text that is more than words.
WRITTEN: Mapping[str, Callable[[str, Traces], str]] = {
    "accounts.OutgoingMail.html": _in_html,
    "accounts.WebhookDelivery.body": _in_json,
}


# Prose ----------------------------------------------------------------------------------------------------


def scrub(label: str, columns: Sequence[str], traces: Traces) -> None:
    """Take the traces out of these columns of a table, inside a transaction, of what is append-only too."""
    if traces.words:
        model = apps.get_model(label)
        with rewriting_words():
            for column in columns:
                _scrub(model, column, traces)


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
                    _scrub(kept.changes, column, traces)


def _scrub(model: type[Model], column: str, traces: Traces) -> None:
    one = model._meta.get_field(column)
    change = WRITTEN.get(f"{model._meta.label}.{column}", _in_words)
    if change is not _in_words or isinstance(one, JSONField):
        found = model._base_manager.annotate(as_text=Cast(column, TextField())).filter(as_text__regex=traces.anywhere)
        _rewrite(found, column, lambda _, text: change(text, traces))
    else:
        _scrub_words(model, one, traces.pattern)


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
