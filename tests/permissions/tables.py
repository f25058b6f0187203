"""The tables, as they lie beside this file. Lines that begin with ``#`` explain; a blank line is none."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

#: The columns of ``addresses.txt``, in this order.
PEOPLE = (
    "anonymous", "unconfirmed", "buyer", "other_buyer", "provider", "other_provider", "member", "viewer", "billing",
    "organization_administrator", "other_administrator", "administrator",
)  # fmt: skip
#: The columns of ``acting.txt``: whom an administrator acts as.
ACTED_AS = ("buyer", "provider", "organization_administrator")
#: In ``addresses.txt``: GET, POST, and a GET by which htmx asks for a part of the page.
METHODS = ("GET", "POST", "PART")
#: Words of answers that come before a view looks at the method.
AT_THE_DOOR = ("login", "admin")


@dataclass(frozen=True)
class Row:
    """``thing``: which of several things of this kind is asked for; empty: the usual one."""

    route: str
    thing: str
    method: str
    expected: dict[str, str]


def lines(name: str) -> Iterator[list[str]]:
    """The cells of each row: two blanks or more part them."""
    for line in (HERE / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield re.split(r"\s{2,}", line.strip())


def addresses() -> list[Row]:
    """``GET only`` and ``POST only`` are two rows each: with the other method nobody gets further than 405."""
    rows = []
    for place, method, *answers in lines("addresses.txt"):
        route, _, thing = place.partition(" of ")
        expected = dict(zip(PEOPLE, answers, strict=True))
        method, _, only = method.partition(" ")
        rows.append(Row(route, thing, method, expected))
        if only:
            refused = {name: word if word in AT_THE_DOOR else "405" for name, word in expected.items()}
            rows.append(Row(route, thing, "POST" if method == "GET" else "GET", refused))
    return rows


def acting() -> dict[str, dict[str, str]]:
    """Of each route: what somebody gets who acts as one of :data:`ACTED_AS`."""
    return {route: dict(zip(ACTED_AS, said, strict=True)) for route, *said in lines("acting.txt")}
