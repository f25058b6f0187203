"""What the marketplace holds about a person: how they get a copy, how it goes, and how long it stays.

Each room says so of its own tables in one :class:`Room` (``<room>/personal.py``), and contributes it when it is ready
(``<room>/apps.py``); this module knows none of them. :mod:`accounts.services.exports` writes the copies,
:mod:`accounts.services.deletions` lets accounts go, and the page ``/privacy/`` shows :func:`retention`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from django.utils.translation import ngettext

from accounts.models import User

Words = str | Promise
#: Rows that are read at a time, so that no export needs more memory than another.
CHUNK = 200


@dataclass(frozen=True)
class StoredFile:
    """A file for an export: ``name`` in it, and ``stored``, its name in the storage of files."""

    name: str
    stored: str


@dataclass(frozen=True)
class Export:
    """One kind of data in the copy that a person gets: ``name`` is its file, as in ``bookings/bookings``.

    ``covers`` lists the foreign keys to people that it follows, as ``accounts.SSHKey.user``.
    """

    name: str
    title: Words
    count: Callable[[User], int]
    records: Callable[[User], Iterable[Mapping[str, Any]]]
    covers: Sequence[str] = ()
    files: Callable[[User], Iterator[StoredFile]] | None = None


def table(
    name: str,
    title: Words,
    rows: Callable[[User], QuerySet[Any]],
    fields: Sequence[str],
    *,
    covers: Sequence[str] = (),
    files: Callable[[Any], Iterable[StoredFile]] | None = None,
) -> Export:
    """An export of these columns of rows.

    Args:
        fields: as ``QuerySet.values`` takes them.
        files: of one row.
    """

    def records(user: User) -> Iterator[Mapping[str, Any]]:
        yield from rows(user).order_by("pk").values(*fields).iterator(CHUNK)

    def files_of(user: User) -> Iterator[StoredFile]:
        assert files is not None
        for row in rows(user).order_by("pk").iterator(CHUNK):
            yield from files(row)

    return Export(name, title, lambda user: rows(user).count(), records, covers, files_of if files else None)


@dataclass(frozen=True)
class Obstacle:
    """Why an account cannot go yet, with what to do first, and where."""

    sentence: Words
    link: str = ""


@dataclass(frozen=True)
class Kept:
    """What stays of a deleted account, and why. ``columns``: where it stands, as in ``invoices.document``."""

    what: Words
    why: Words
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Retention:
    """How long something is kept: the setting says it, in days or years, or as a ``timedelta``."""

    what: Words
    setting: str
    why: Words
    in_years: bool = False

    @property
    def how_long(self) -> str:
        """In words."""
        value = getattr(settings, self.setting)
        count = days_of(value)
        if self.in_years:
            return ngettext("%(count)s year", "%(count)s years", count) % {"count": count}
        return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def days_of(value: timedelta | int) -> int:
    return value.days if isinstance(value, timedelta) else int(value)


def none(*_: Any) -> Iterable[Any]:
    return ()


@dataclass(frozen=True)
class Room:
    """What one room holds about people.

    Args:
        exports: what a person gets a copy of.
        not_exported: foreign keys to people that no export follows, with the reason.
        obstacles: what keeps an account from being deleted at that moment.
        erase: takes a person out of the room's tables, inside a transaction that has locked them. Doing it twice is quiet.
        goes, kept: what becomes of the room's data, for people to read.
        outlive: tables of the room, by label, whose rows are not deleted with the account though they would go with the
            user's row: ``erase`` or a sweep of the room sees to them.
        texts: columns of prose in which others may name a person, by the model's label: what can mean nobody but whoever is
            deleted is taken out of them, and out of their history (:func:`accounts.traces.traces_of`). Facts about a person,
            as those that were frozen with a booking, are taken out by ``erase``, which knows whose each row is.
        names: columns with names of things, by the model's label: a person's name that stands in one is left in texts.
        retention: how long the room keeps what.
    """

    name: str
    exports: Sequence[Export] = ()
    not_exported: Mapping[str, str] = field(default_factory=dict)
    obstacles: Callable[[User, datetime], Iterable[Obstacle]] = none
    erase: Callable[[User, datetime], object] = none
    goes: Sequence[Words] = ()
    kept: Sequence[Kept] = ()
    outlive: Sequence[str] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    retention: Sequence[Retention] = ()


_rooms: dict[str, Room] = {}


def contribute(room: Room) -> None:
    """Once for each room, when it is ready. The lower rooms come first."""
    _rooms[room.name] = room


def rooms() -> list[Room]:
    """From the lowest upwards."""
    return list(_rooms.values())


def exports() -> list[Export]:
    return [export for room in rooms() for export in room.exports]


def obstacles(user: User, *, now: datetime) -> list[Obstacle]:
    """What has to be settled before this account can be deleted; empty: nothing."""
    return [obstacle for room in rooms() for obstacle in room.obstacles(user, now)]


def retention() -> list[Retention]:
    """The one table of how long what is kept."""
    return [row for room in rooms() for row in room.retention]


def fields_of(model: type[Model], *without: str) -> list[str]:
    """All columns of a model but these: for tables in which nothing is secret."""
    return [one.name for one in model._meta.concrete_fields if one.name not in without]
