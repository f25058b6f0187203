"""Changes as people read them: from, to, by whom, why; of one thing, or of many kinds of things together."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import ForeignKey, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common import formats
from common.history.tracking import CHANGED, DELETED, FOUND, MADE, Kind, kind_of, kinds
from common.history.words import named
from common.ids import short

VERBS: dict[str, str | Promise] = {
    MADE: _("Made"),
    CHANGED: _("Changed"),
    DELETED: _("Deleted"),
    FOUND: _("There when the record began"),
}
#: Changes that an export loads at a time.
CHUNK = 500
LONGEST_VALUE = 300


@dataclass(frozen=True)
class Scope:
    """The changes of one kind that are asked for. ``without``: fields that whoever asks does not see."""

    kind: Kind
    where: Q
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Step:
    """One field's way ``before`` → ``after``, in words. ``raw_before`` and ``raw_after`` are for files."""

    name: str
    label: str
    before: str
    after: str
    raw_before: str
    raw_after: str


@dataclass(frozen=True)
class Change:
    """Something that happened to one row. ``who`` is in words for whoever asked; ``subject`` as people call the row."""

    at: datetime
    kind: Kind
    pk: str
    verb: str
    subject: str
    url: str
    steps: Sequence[Step]
    who: str
    who_id: str
    acting_id: str
    why: str
    request: str

    @property
    def words(self) -> str:
        return str(VERBS[self.verb])


@dataclass
class _Names:
    """What people call the rows that changes name, looked up once for a page of them."""

    viewer: Any
    people: dict[str, Any] = field(default_factory=dict)
    others: dict[tuple[type[Model], str], str] = field(default_factory=dict)

    def person(self, pk: Any) -> str:
        person = self.people.get(str(pk))
        if person is None:
            return gettext("somebody whose account is gone")
        return self.known(person)

    def known(self, person: Any) -> str:
        """Administrators read addresses, everybody else names; of administrators, only that they are such."""
        if self.viewer.pk == person.pk:
            return gettext("you")
        if self.viewer.is_platform_administrator:
            return str(person)
        if person.is_platform_administrator:
            return gettext("an administrator of the marketplace")
        return str(person.public_name)


def scope_of(row: Model, *, without: Iterable[str] = ()) -> Scope:
    """The changes of one row."""
    kind = kind_of(row._meta.model)
    if kind is None:
        raise TypeError(f"No history is kept of {row._meta.verbose_name_plural}.")
    return Scope(kind, Q(pgh_obj=row.pk), frozenset(without))


def scopes_around(row: Model, within: str, *, but: Collection[str] = (), for_organization: bool = False) -> list[Scope]:
    """The changes of everything that is a part of ``row``, of whatever room: charges and payments of a booking.

    Args:
        within: what those parts call it, as in ``"booking"``.
        but: kinds that whoever asks does not see.
        for_organization: without what is a member's alone.
    """
    return [
        Scope(kind, Q(**{within: row.pk}), frozenset({within}) | (kind.private if for_organization else frozenset()))
        for kind in kinds()
        if kind.within == within and kind.label not in but
    ]


def scopes_of_organization(organization: Any) -> list[Scope]:
    """Everything that concerns an organization, of every kind, without what is a member's alone."""
    return [
        Scope(kind, Q(**{path: organization.pk}), frozenset({path}) | kind.private)
        for kind in kinds()
        if (path := kind.organization)
    ]


@dataclass(frozen=True)
class History:
    """The changes in ``scopes``, newest first, as ``viewer`` reads them. A sequence that pages may be cut from."""

    scopes: Sequence[Scope]
    viewer: Any
    person: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    kind: str = ""

    def __len__(self) -> int:
        keys = self._keys()
        return 0 if keys is None else int(keys.count())

    count = __len__

    def __getitem__(self, cut: slice) -> list[Change]:
        keys = self._keys()
        return [] if keys is None else self._load(list(keys[cut]))

    def __iter__(self) -> Iterator[Change]:
        """All of them, a part at a time: for files."""
        first, keys = 0, self._keys()
        if keys is None:
            return
        while found := list(keys[first : first + CHUNK]):
            yield from self._load(found)
            first += CHUNK

    def _keys(self) -> QuerySet[Any] | None:
        """``(kind, id, moment)`` of each, newest first."""
        asked = [self._asked(scope) for scope in self.scopes if self.kind in ("", scope.kind.label)]
        if not asked:
            return None
        first, *others = asked
        united = first.union(*others, all=True) if others else first
        return united.order_by("-pgh_created_at", "-pgh_id")

    def _asked(self, scope: Scope) -> QuerySet[Any]:
        rows = scope.kind.changes.objects.filter(scope.where).order_by()
        if self.person:
            by = str(self.person)
            rows = rows.filter(Q(pgh_context__user=by) | Q(pgh_context__acting=by))
        if self.since:
            rows = rows.filter(pgh_created_at__gte=self.since)
        if self.until:
            rows = rows.filter(pgh_created_at__lt=self.until)
        keys: QuerySet[Any] = rows.annotate(of=Value(scope.kind.label)).values_list("of", "pgh_id", "pgh_created_at")
        return keys

    def _load(self, keys: Sequence[tuple[str, int, datetime]]) -> list[Change]:
        wanted: dict[str, set[int]] = defaultdict(set)
        for label, pk, _at in keys:
            wanted[label].add(pk)
        scopes = {scope.kind.label: scope for scope in self.scopes}
        pairs = {label: _pairs(scopes[label].kind, pks) for label, pks in wanted.items()}
        names = self._names([(scopes[label].kind, found.values()) for label, found in pairs.items()])
        changes = (self._change(scopes[label], *pairs[label][pk], names) for label, pk, _at in keys)
        return [change for change in changes if change is not None]

    def _names(self, found: Iterable[tuple[Kind, Iterable[tuple[Any, Any]]]]) -> _Names:
        people: set[str | None] = set()
        wanted: dict[Any, set[str | None]] = defaultdict(set)
        user = get_user_model()
        for kind, pairs in found:
            related = [one for one in _fields(kind).values() if isinstance(one, ForeignKey)]
            for change, before in pairs:
                facts = change.pgh_context or {}
                people |= {facts.get("user"), facts.get("acting")}
                if kind.model is user:
                    people.add(str(change.pgh_obj_id))
                for row in (change, before):
                    for one in related:
                        value = getattr(row, one.attname, None)
                        model = one.related_model
                        (people if model is user else wanted[model]).add(value and str(value))
        names = _Names(self.viewer, {str(pk): row for pk, row in user.objects.in_bulk(_keys_of(people)).items()})
        for model, pks in wanted.items():
            rows = model._default_manager.in_bulk(_keys_of(pks))
            names.others |= {(model, str(pk)): str(row) for pk, row in rows.items()}
        return names

    def _change(self, scope: Scope, change: Any, before: Any, names: _Names) -> Change | None:
        kind, verb, facts = scope.kind, change.pgh_label, change.pgh_context or {}
        steps = list(_steps(scope, change, before, names))
        if not steps and verb == CHANGED:
            return None  # all that changed is what this person does not see
        pk = str(change.pgh_obj_id)
        return Change(
            at=change.pgh_created_at,
            kind=kind,
            pk=pk,
            verb=verb,
            subject=_subject(kind, change, names),
            url=_url(kind, change),
            steps=steps,
            who=_who(facts, names),
            who_id=facts.get("user", ""),
            acting_id=facts.get("acting", ""),
            why=facts.get("why", ""),
            request=str(change.pgh_context_id or ""),
        )


def _pairs(kind: Kind, pks: Collection[int]) -> dict[int, tuple[Any, Any]]:
    """Each change with the one of the same row before it, if there is any. One query for all of them."""
    rows = kind.changes.objects
    earlier = rows.filter(pgh_obj=OuterRef("pgh_obj"), pgh_id__lt=OuterRef("pgh_id")).order_by("-pgh_id")
    befores = rows.filter(pk__in=pks).values_list(Subquery(earlier.values("pgh_id")[:1]))
    found = rows.filter(Q(pk__in=pks) | Q(pk__in=befores)).order_by("pgh_obj_id", "pgh_id")
    pairs, last = {}, None
    for change in found:
        if change.pk in pks:
            pairs[change.pk] = (change, last if last is not None and last.pgh_obj_id == change.pgh_obj_id else None)
        last = change
    return pairs


def _fields(kind: Kind) -> dict[str, Any]:
    """The kept fields, as the table itself has them: with their words and choices."""
    return {name: kind.model._meta.get_field(name) for name in kind.fields}


def _keys_of(values: Iterable[str | None]) -> list[UUID | str]:
    """Those that can be a key at all: what stands in a record is not looked up blindly."""
    found: list[UUID | str] = []
    for value in filter(None, values):
        try:
            found.append(UUID(value))
        except ValueError:
            found.append(value)
    return found


def _steps(scope: Scope, change: Any, before: Any, names: _Names) -> Iterator[Step]:
    """What differs from before. Of a new row what it has; of a deleted one what it had."""
    verb = change.pgh_label
    old, new = (change, None) if verb == DELETED else (before if verb == CHANGED else None, change)
    for name, one in _fields(scope.kind).items():
        if name in scope.without:
            continue
        was, became = getattr(old, one.attname, None), getattr(new, one.attname, None)
        if was == became or (_is_empty(was) and _is_empty(became)):
            continue
        yield Step(
            name=name,
            label=named(one.verbose_name),
            before=_words(scope.kind, one, was, old, names),
            after=_words(scope.kind, one, became, new, names),
            raw_before=_raw(was),
            raw_after=_raw(became),
        )


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _words(kind: Kind, one: Any, value: Any, row: Any, names: _Names) -> str:
    """A value as people read it."""
    if _is_empty(value):
        return formats.NOTHING
    if write := kind.written.get(one.name):
        return write(value)
    if isinstance(one, ForeignKey):
        model = one.related_model
        if model is get_user_model():
            return names.person(value)
        return names.others.get((model, str(value)), short(value) if isinstance(value, UUID) else str(value))
    if one.choices:
        return str(dict(one.flatchoices).get(value, value))
    if isinstance(one, ArrayField):
        labels = dict(one.base_field.flatchoices)
        return ", ".join(str(labels.get(item, item)) for item in value)
    return _plain_words(one, value, getattr(row, "currency", ""))


def _plain_words(one: Any, value: Any, currency: str) -> str:
    match value:
        case bool():
            return gettext("yes") if value else gettext("no")
        case datetime():
            return formats.when(value)
        case date():
            return formats.day(value)
        case timedelta():
            return formats.duration(value)
        case Decimal():
            return formats.money(value, currency) if currency else formats.amount(value)
        case dict() | list():
            return _raw(value)[:LONGEST_VALUE]
    return str(getattr(value, "name", value))[:LONGEST_VALUE]


def _raw(value: Any) -> str:
    """A value as files have it: moments in UTC, no words."""
    match value:
        case None:
            return ""
        case datetime() | date():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, cls=DjangoJSONEncoder)
    return str(getattr(value, "code", value))


def _subject(kind: Kind, change: Any, names: _Names) -> str:
    if callable(kind.called):
        return kind.called(change)
    if kind.model is get_user_model():
        return names.person(change.pgh_obj_id)
    if kind.called:
        one = _fields(kind)[kind.called]
        return _words(kind, one, getattr(change, one.attname), change, names)
    return short(change.pgh_obj_id)


def _url(kind: Kind, change: Any) -> str:
    """Of the page about it; about what it is a part of, where it has none of its own."""
    if not kind.page:
        return ""
    within = getattr(change, f"{kind.within}_id", None) if kind.within else None
    return reverse(kind.page, args=[within or change.pgh_obj_id])


def _who(facts: dict[str, str], names: _Names) -> str:
    if user := facts.get("user"):
        who = names.person(user)
        if acting := facts.get("acting"):
            by = names.person(acting)
            return gettext("%(by)s, acting as %(who)s") % {"by": by, "who": who}
        return who
    if facts.get("agent"):
        return gettext("the agent on the machine")
    if names.viewer.is_platform_administrator and (task := facts.get("task")):
        return gettext("the marketplace (%(task)s)") % {"task": task}
    return gettext("the marketplace")
