"""Who may do what: every address of the site × everybody, in one table.

A route that the table does not name fails the test. Of a booking and a machine, ``buyer`` and ``provider`` are the
two that have a part in it; to everybody else they do not exist.

=====  =====================================================================================================
200    the page or the form
302    done, or sent on to another page of their own
422    the form comes back, because the test sends it empty: the person may
409    the person may, and it does not fit the state that the thing is in
login  sent to the sign-in page, and back here afterwards
admin  sent to the administration's sign-in
404    there is no such thing among theirs
405    not with this method
=====  =====================================================================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from accounts.services.ssh_keys import add_key
from accounts.models import User
from machines.models import Listing
from tests.people import DAY, HOUR, Cast, enter_access, make_hold, make_listing, make_machine, make_over, make_paid
from tests.people import record_wipe

CAST = (
    "anonymous", "buyer", "other_buyer", "member", "organization_administrator", "provider", "other_provider",
    "administrator",
)  # fmt: skip

TABLE = """
"""

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl buyer@laptop"

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Row:
    route: str
    method: str
    expected: dict[str, str]


def table() -> list[Row]:
    rows = []
    for line in TABLE.strip().splitlines()[2:]:
        route, method, *expected = line.split()
        rows.append(Row(route, method, dict(zip(CAST, expected, strict=True))))
    return rows


def routes(patterns=None, namespace: str = "") -> Iterator[tuple[str, str]]:
    """Every route of the site: its name and its pattern."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", str(pattern.pattern)
        else:
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, inner)


def test_the_table_names_every_route():
    named = {row.route for row in table()}
    there = {name for name, _ in routes() if not name.startswith("admin:")}
    assert sorted(there - named) == [], "routes without a row in the table"
    assert sorted(named - there - {"admin:index"}) == [], "rows for routes that do not exist"
    assert {(row.route, row.method) for row in table()} == {(name, method) for name in named for method in METHODS}


METHODS = ("GET", "POST")


@pytest.fixture
def addresses(cast: Cast, listing: Listing, now) -> dict[str, str]:
    """The address of each route, with the buyer's booking and the provider's machine in a state that fits it."""
    machine = listing.machine
    held = make_hold(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    paid = make_paid(listing, cast.buyer, start=now + 3 * DAY, asked=now)
    erased = make_over(listing, cast.buyer, end=now - 2 * DAY)
    (wipe, *_) = record_wipe(erased, now=now - DAY)
    over = make_over(listing, cast.buyer, end=now - HOUR)
    key = add_key(user=cast.buyer, text=KEY, name="laptop")
    arguments = {
        "ssh_key_delete": [key.pk],
        "account_confirm_email": ["no-such-key"],
        "account_reset_password_from_key": ["0", "no-such-key"],
        "booking_wipe": [over.pk],
        "wipe_evidence": [erased.pk, wipe.pk],
        "booking_pay": [held.pk],
        "booking_pay_authenticated": [held.pk],
    }
    found = {}
    for name, pattern in routes():
        if name.startswith("admin:") and name != "admin:index":
            continue
        if name in arguments:
            found[name] = reverse(name, args=arguments[name])
        elif "<uuid:" not in pattern:
            found[name] = reverse(name)
        elif name.startswith("booking_"):
            found[name] = reverse(name, args=[paid.pk])
        elif name.startswith(("machine_", "benchmark_")) or name == "listing_create":
            found[name] = reverse(name, args=[machine.pk])
        else:
            found[name] = reverse(name, args=[listing.pk])
    return found


def person(cast: Cast, name: str) -> User | None:
    return None if name == "anonymous" else getattr(cast, name)


def outcome(user: User | None, method: str, address: str) -> str:
    """What the table says of an answer. Whatever was changed is undone."""
    client = Client()
    with transaction.atomic():
        if user is not None:
            client.force_login(user)
        response = client.get(address) if method == "GET" else client.post(address, {"nothing": "that fits"})
        said = words(response, address)
        transaction.set_rollback(True)
    return said


def words(response: HttpResponse, address: str) -> str:
    if response.status_code != 302:
        return str(response.status_code)
    to = urlsplit(response["Location"])
    for path, word in ((reverse("account_login"), "login"), (reverse("admin:login"), "admin")):
        if to.path == path and "next" in parse_qs(to.query):
            return word
    return "302"


def test_everybody_gets_what_the_table_says(addresses, cast):
    wrong = []
    for row in table():
        for name, expected in row.expected.items():
            met = outcome(person(cast, name), row.method, addresses[row.route])
            if met != expected:
                wrong.append(f"{row.route} {row.method} as {name}: {met}, should be {expected}")
    assert wrong == []
