"""Deleting many rows without keeping others waiting for long."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

#: Rows that one statement deletes.
PART = 500


def delete_in_parts(rows: QuerySet[Any]) -> int:
    """Delete them, so many in a statement, and return how many rows went, with what hung on them."""
    return sum(rows.model._base_manager.filter(pk__in=part).delete()[0] for part in _parts(rows))


def _parts(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    while part := list(rows.order_by("pk").values_list("pk", flat=True)[:PART]):
        yield part
