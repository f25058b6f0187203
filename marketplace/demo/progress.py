"""How far the demonstration has been loaded. Kept in the administrators' log, so that it lives in the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from django.contrib.admin.models import ADDITION, LogEntry
from django.db import connection

from accounts.models import User

WHAT = "The demonstration's data"
BEGUN, FINISHED = "Begun to load.", "Loaded."
LOCK = 0x64656D6F


class Progress(StrEnum):
    EMPTY = "nobody has signed up yet"
    FOREIGN = "there are users who are not the demonstration's"
    HALF = "the demonstration is loaded in part"
    LOADED = "the demonstration is loaded"


def progress() -> Progress:
    words = set(LogEntry.objects.filter(object_repr=WHAT).values_list("change_message", flat=True))
    if FINISHED in words:
        return Progress.LOADED
    if BEGUN in words:
        return Progress.HALF
    return Progress.FOREIGN if User.objects.exists() else Progress.EMPTY


def begun_at() -> datetime | None:
    """The present by which what is there was planned."""
    begun = LogEntry.objects.filter(object_repr=WHAT, change_message=BEGUN).first()
    return begun.action_time if begun else None


def wanted() -> bool:
    """Whether ``load_demo`` has anything to do here: on an empty database, or on one it could not finish."""
    return progress() in (Progress.EMPTY, Progress.HALF)


def note(words: str, *, by: User, now: datetime) -> None:
    LogEntry.objects.create(
        user=by, action_time=now, object_repr=WHAT, action_flag=ADDITION, change_message=words, object_id=""
    )


@contextmanager
def alone() -> Iterator[bool]:
    """Whether nobody else is loading at this moment; holds the place until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
