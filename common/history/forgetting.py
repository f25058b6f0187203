"""Taking a person out of history: the one exception to its being append-only. That something happened, stays."""

from typing import Any

import pgtrigger
from django.db.models import Q

from common.history.tracking import Kind

#: The trigger that refuses to change what is written down.
REFUSES = "append_only"


def forget(kind: Kind, where: Q, **values: Any) -> int:
    """Write ``values`` over what these changes of that kind hold, inside a transaction. Returns how many they are."""
    label = kind.changes._meta.label
    with pgtrigger.ignore(f"{label}:{REFUSES}"):
        return int(kind.changes.objects.filter(where).update(**values))
