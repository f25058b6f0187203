"""Taking a person out of history: the one exception to its being append-only. That something happened, stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pgtrigger
from django.db import connection
from django.db.models import Q

from common.history.tracking import Kind

#: The trigger that refuses to change what is written down.
REFUSES = "append_only"
#: Of the database, for one transaction: tables that are append-only by triggers of our own let their words be rewritten.
SETTING = "marketplace.forgetting"


def forget(kind: Kind, where: Q, **values: Any) -> int:
    """Write ``values`` over what these changes of that kind hold, inside a transaction. Returns how many they are."""
    label = kind.changes._meta.label
    with pgtrigger.ignore(f"{label}:{REFUSES}"):
        return int(kind.changes.objects.filter(where).update(**values))


@contextmanager
def rewriting_words() -> Iterator[None]:
    """Until the block ends, columns of words may be rewritten in append-only tables; inside a transaction.

    After an error the transaction is taken back, and the setting with it.
    """
    _set("on")
    yield
    _set("off")


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])
