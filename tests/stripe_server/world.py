"""What one server holds: objects by account, a clock, what is to happen later, and the events that it tells."""

import bisect
import copy
import hashlib
import heapq
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.stripe_server import objects
from tests.stripe_server.errors import invalid, missing

API_VERSION = "2026-07-29.dahlia"

Thing = dict[str, Any]

#: How ids begin, by the object's kind.
PREFIXES = {
    "account": "acct",
    "balance_transaction": "txn",
    "bank_account": "ba",
    "charge": "ch",
    "customer": "cus",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "payout": "po",
    "price": "price",
    "product": "prod",
    "refund": "re",
    "setup_intent": "seti",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
    "transfer": "tr",
    "transfer_reversal": "trr",
}


@dataclass(frozen=True)
class Event:
    """One event as it would be delivered. ``account`` is the connected account that it is about, or empty."""

    id: str
    type: str
    account: str
    body: bytes

    @property
    def event(self) -> Thing:
        return json.loads(self.body)

    @property
    def object(self) -> Thing:
        """What the event is about, as it was then."""
        return self.event["data"]["object"]

    def signed(self, secret: str, at: datetime | None = None) -> tuple[bytes, str]:
        """The body, and the header ``Stripe-Signature`` for it, made now or ``at`` another time."""
        stamp = int(at.timestamp() if at else time.time())
        mac = hmac.new(secret.encode(), f"{stamp}.".encode() + self.body, hashlib.sha256)
        return self.body, f"t={stamp},v1={mac.hexdigest()}"


@dataclass
class Rules:
    """What a test may choose about how the service behaves."""

    #: The share of a charge, and the fixed part in minor units, that the service keeps.
    fee_share: float = 0.015
    fee_fixed: int = 25
    #: What it takes for a dispute, in minor units.
    dispute_fee: int = 2000
    #: How long a charge's money is pending before it can be transferred or paid out.
    funds_after: timedelta = timedelta(0)
    #: Refunds stay pending until ``complete_refund``.
    refunds_pending: bool = False
    #: Days from a failed renewal to each further attempt, and what becomes of the subscription after the last.
    dunning: tuple[int, ...] = (3, 5, 7)
    after_dunning: str = "canceled"
    #: From sending a payout to its arrival.
    payout_takes: timedelta = timedelta(days=2)


@dataclass
class World:
    """Objects are plain dicts as Stripe sends them; keys that begin with an underscore are ours and never sent."""

    rules: Rules = field(default_factory=Rules)
    now: datetime | None = None
    events: list[Event] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    #: Called with every event as it happens. They may not ask the server anything.
    listeners: list[Callable[[Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._things: dict[str, dict[str, dict[str, Thing]]] = {}
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._salt = secrets.token_hex(5)
        self.asking: tuple[str, str | None] | None = None

    # Time.

    def stamp(self) -> int:
        """The server's time, in whole seconds: the wall clock's until a test has set another."""
        return int(self.now.timestamp()) if self.now else int(time.time())

    def later(self, at: int, what: Callable[[], None]) -> None:
        """Do something once the clock has been advanced to ``at``."""
        heapq.heappush(self._later, (at, next(self._numbers), what))

    def pass_time(self, to: datetime) -> None:
        """Let everything happen that is due until ``to``, each at its own time, and leave the clock there."""
        if to.timestamp() < self.stamp():
            raise ValueError(f"The clock cannot go back from {self.stamp()} to {to}.")
        while self._later and self._later[0][0] <= to.timestamp():
            at, _, what = heapq.heappop(self._later)
            self.now = datetime.fromtimestamp(max(at, self.stamp()), tz=to.tzinfo)
            what()
        self.now = to

    # Things.

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._salt}{next(self._numbers):08d}"

    def secret(self, thing_id: str) -> str:
        return f"{thing_id}_secret_{self._salt}{next(self._numbers)}"

    def make(self, kind: str, account: str = "", /, *, id: str = "", **fields: Any) -> Thing:
        """A new object, kept."""
        thing = {"id": id or self.new_id(PREFIXES[kind]), "object": kind, **fields}
        thing["_number"] = next(self._numbers)
        self._kept(account, kind)[thing["id"]] = thing
        return thing

    def _kept(self, account: str, kind: str) -> dict[str, Thing]:
        return self._things.setdefault(account, {}).setdefault(kind, {})

    def find(self, kind: str, wanted: str, account: str = "") -> Thing | None:
        return self._kept(account, kind).get(wanted)

    def get(self, kind: str, wanted: str, account: str = "", *, param: str | None = None) -> Thing:
        """The object with an id.

        Raises:
            Failure: there is none.
        """
        found = self.find(kind, wanted, account)
        if found is None:
            raise missing(kind, wanted, param=param)
        return found

    def all(self, kind: str, account: str = "", **where: Any) -> list[Thing]:
        """Every object of a kind, oldest first, that has these values."""
        found = list(self._kept(account, kind).values())
        if not where:
            return found
        return [thing for thing in found if all(thing.get(name) == value for name, value in where.items())]

    def drop(self, kind: str, wanted: str, account: str = "") -> None:
        self._kept(account, kind).pop(wanted, None)

    def anything(self, wanted: str, account: str) -> Thing | None:
        """The object with an id, of whatever kind: for ``expand``. A payout's account may be the platform's."""
        for kinds in (self._things.get(account, {}), self._things.get("", {})):
            for kept in kinds.values():
                if wanted in kept:
                    return kept[wanted]
        return None

    # Telling.

    def tell(self, kind: str, thing: Thing, account: str = "", previous: Thing | None = None) -> None:
        """Something happened: keep the event, with the object as it is now."""
        seen = public(thing)
        data: Thing = {"object": seen}
        if previous is not None:
            data["previous_attributes"] = previous
        request, key = self.asking or (None, None)
        event = self.make(
            "event",
            account,
            api_version=API_VERSION,
            created=self.stamp(),
            data=data,
            livemode=False,
            pending_webhooks=1,
            request={"id": request, "idempotency_key": key},
            type=kind,
        )
        if account:
            event["account"] = account
        sent = {name: value for name, value in event.items() if name != "_number"}
        self.check(objects.class_of("event"), sent)
        self.check(objects.class_of(seen["object"]), seen)
        body = json.dumps(sent).encode()
        told = Event(event["id"], kind, account, body)
        self.events.append(told)
        for listener in self.listeners:
            listener(told)

    def check(self, expected: Any, value: Any) -> None:
        """Note where something that is sent is not what the package's types say."""
        self.violations.extend(f"answer: {fault}" for fault in objects.faults(expected, value))


def public(value: Any) -> Any:
    """A copy of what others may see."""
    if isinstance(value, dict):
        return {name: public(part) for name, part in value.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [public(part) for part in value]
    return value


def merged(metadata: Thing | None, change: Any) -> Thing:
    """Metadata after a change: single keys go by an empty value, all of them by an empty string."""
    if change is None:
        return copy.copy(metadata or {})
    if change == "":
        return {}
    return {name: value for name, value in ((metadata or {}) | change).items() if value != ""}


@dataclass(frozen=True)
class Call:
    """One request that its types allow. ``ids`` are the names in the path, ``account`` the connected account."""

    world: World
    ids: tuple[str, ...]
    params: Thing
    account: str

    def get(self, kind: str) -> Thing:
        """The object in the path."""
        return self.world.get(kind, self.ids[0], self.account)

    def page(self, things: list[Thing], *, equal: str = "", url: str) -> Thing:
        """A page of a list, newest first, filtered by time and by the parameters named in ``equal``.

        ``things`` come oldest first, as :meth:`World.all` gives them.
        """
        limit = self.params.get("limit", 10)
        if not 1 <= limit <= 100:
            raise invalid("Invalid integer: limit must be between 1 and 100", param="limit")
        backwards = "ending_before" in self.params
        if backwards:
            place = bisect.bisect_right(things, self._number("ending_before"), key=_number)
            candidates = iter(things[place:])
        elif "starting_after" in self.params:
            place = bisect.bisect_left(things, self._number("starting_after"), key=_number)
            candidates = reversed(things[:place])
        else:
            candidates = reversed(things)
        names = [name for name in equal.split() if name in self.params]
        times = [name for name in ("created", "arrival_date", "due_date") if name in self.params]
        fitting = (
            thing
            for thing in candidates
            if all(_same(thing.get(name), self.params[name]) for name in names)
            and all(_within(thing.get(name), self.params[name]) for name in times)
        )
        found = list(itertools.islice(fitting, limit + 1))
        shown = found[:limit][::-1] if backwards else found[:limit]
        return listed(shown, url, has_more=len(found) > limit)

    def _number(self, param: str) -> int:
        found = self.world.anything(self.params[param], self.account)
        if found is None:
            raise missing("object", self.params[param], param=param)
        return _number(found)


def _number(thing: Thing) -> int:
    return thing["_number"]


def listed(things: list[Thing], url: str, *, has_more: bool = False) -> Thing:
    return {"object": "list", "data": things, "has_more": has_more, "url": url}


def _same(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _within(value: int | None, bounds: Any) -> bool:
    if not isinstance(bounds, dict):
        return value == bounds
    return value is not None and (
        value > bounds.get("gt", value - 1)
        and value >= bounds.get("gte", value)
        and value < bounds.get("lt", value + 1)
        and value <= bounds.get("lte", value)
    )


#: What answers each operation: the function, and the parameters that it heeds.
ANSWERS: dict[str, tuple[Callable[[Call], Thing], frozenset[str]]] = {}
#: Parts of objects that are sent only where ``expand`` names them.
INCLUDED: dict[tuple[str, str], Callable[[World, Thing, str], Any]] = {}


def answers(operation: str, heeds: str = "") -> Callable[[Callable[[Call], Thing]], Callable[[Call], Thing]]:
    """Marks the function that answers an operation, with the parameters that it does something about."""

    def mark(function: Callable[[Call], Thing]) -> Callable[[Call], Thing]:
        ANSWERS[operation] = (function, frozenset(heeds.split()) | {"expand"})
        return function

    return mark


def includes(kind: str, name: str) -> Callable[[Any], Any]:
    """Marks the function that makes a part which is sent only on demand."""

    def mark(function: Any) -> Any:
        INCLUDED[kind, name] = function
        return function

    return mark


PAGE = "limit starting_after ending_before "
