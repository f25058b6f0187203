"""What the clients of ``perf/paying.py`` do over and over: buy an hour as a browser does, or only that part of it that
the processor does. Plain sockets, as in :mod:`perf.clients`.
"""

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from perf.clients import Answer, Outcome, connected, read

CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2099", "cvc": "123"}
CONFIRMED, KEPT = "confirmed", "confirmed, with a card that is kept from now on"
#: A connection that has been quiet longer is opened anew: gunicorn closes one after 2 s.
QUIET_SECONDS = 1.0


class Fault(Exception):
    """An answer that is not the expected one."""


@dataclass(frozen=True)
class Processor:
    """Where it is, and with which keys it is asked."""

    port: int
    secret_key: str
    publishable_key: str


@dataclass
class Line:
    """A connection to one server that stays open, the cookies it gave, and how long each step over it took."""

    port: int
    headers: Mapping[str, str]
    steps: dict[str, list[float]] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    _socket: socket.socket | None = None
    _used: float = 0.0

    def get(self, step: str, path: str) -> Answer:
        return self._ask(step, f"GET {path}", "", b"")

    def form(self, step: str, path: str, data: Mapping[str, Any]) -> Answer:
        return self._ask(step, f"POST {path}", "application/x-www-form-urlencoded", urlencode(data).encode())

    def json(self, step: str, path: str, data: Mapping[str, Any]) -> Answer:
        return self._ask(step, f"POST {path}", "application/json", json.dumps(data).encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _ask(self, step: str, line: str, kind: str, body: bytes) -> Answer:
        headers = {"Host": "127.0.0.1", **self.headers}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if line.startswith("POST"):
            headers |= {"Content-Type": kind, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        before = time.monotonic()
        if self._socket is None or before - self._used > QUIET_SECONDS:
            self.close()
            self._socket = connected(self.port)
        self._socket.sendall(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = read(self._socket)
        self._used = time.monotonic()
        self.cookies |= answer.cookies
        self.steps.setdefault(step, []).append(self._used - before)
        return answer


def again(begin: float, seconds: float, once: Callable[[], str]) -> Outcome:
    """``once`` over and over; whatever is begun in time is finished and counts."""
    outcome = Outcome()
    time.sleep(max(0.0, begin - time.monotonic()))
    while (before := time.monotonic()) < begin + seconds:
        answer = once()
        outcome.latencies.append(time.monotonic() - before)
        outcome.answers[answer] = outcome.answers.get(answer, 0) + 1
    outcome.seconds = time.monotonic() - begin
    return outcome


# A browser -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Buying:
    """Every client buys hours of one listing of its own, as a buyer of its own; with the card of the form, or kept.

    Who has no kept card yet keeps the one that is entered. ``windows``: the numbers of this round's hours, counted from
    ``free_from``.
    """

    buyers: list[dict[str, str]]
    listings: list[str]
    processor: Processor
    free_from: datetime
    windows: range
    kept: bool

    def share(self, number: int) -> "Buyer":
        return Buyer(
            self.listings[number],
            self.buyers[number]["cookie"],
            self.processor,
            self.free_from,
            self.windows,
            self.kept,
        )


@dataclass(frozen=True)
class Buyer:
    listing: str
    cookie: str
    processor: Processor
    free_from: datetime
    windows: range
    kept: bool

    def run(self, number: int, port: int, begin: float, seconds: float) -> Outcome:
        steps: dict[str, list[float]] = {}
        site = Line(port, {"Accept": "text/html"}, steps, dict(pair.split("=", 1) for pair in self.cookie.split("; ")))
        processor = Line(self.processor.port, {}, steps)
        windows = iter(self.windows)
        try:
            outcome = again(begin, seconds, lambda: self.buy(site, processor, next(windows)))
        finally:
            site.close()
            processor.close()
        outcome.steps = steps
        return outcome

    def buy(self, site: Line, processor: Line, window: int) -> str:
        """From the choice of an hour to the page that says that it is confirmed. Returns what happened, in words."""
        token = {"csrfmiddlewaretoken": self.cookie.rpartition("csrftoken=")[2]}
        start = self.free_from + timedelta(hours=6 * window)  # far enough for any machine to be erased in between
        wanted = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in (("start", start), ("end", start + timedelta(hours=1)))}
        try:
            pay = leads_to(
                site.form("Book", f"/listings/{self.listing}/book/", wanted | token), r"/bookings/[\w-]+/pay/$"
            )
            page = shown(site.get("The pay page", pay))
            chosen = re.search(rb'name="saved_card" value="([\w-]{36})"', page) if self.kept else None
            if chosen is not None:
                paying = {"saved_card": chosen[1].decode()}
            else:
                secret = json.loads(shown(site.form("Begin the card form", f"{pay}card/", token)))["client_secret"]
                paying = {"setup_intent": self.fill_form(processor, secret), **({"keep": "on"} if self.kept else {})}
            booking = leads_to(site.form("Pay", pay, paying | token), r"/bookings/[\w-]+/$")
            if b"Your booking is confirmed." not in shown(site.get("The booking's page", booking)):
                return "not confirmed"
        except Fault as fault:
            return str(fault)
        return KEPT if self.kept and chosen is None else CONFIRMED

    def fill_form(self, processor: Line, secret: str) -> str:
        """What the card form's script does at the processor."""
        form = secret.split("_secret_")[0]
        data = {"key": self.processor.publishable_key, "client_secret": secret}
        data |= {"payment_method_data": {"type": "card", "card": CARD}}
        done = json.loads(
            shown(processor.json("The card, at the processor", f"/v1/setup_intents/{form}/confirm", data))
        )
        if done["status"] != "succeeded":
            raise Fault(f"the card form ended as {done['status']}")
        return form


def leads_to(answer: Answer, where: str) -> str:
    if answer.status != 302 or not re.search(where, answer.location):
        raise Fault(f"{answer} instead of a way to {where}")
    return answer.location


def shown(answer: Answer) -> bytes:
    if answer.status != 200:
        raise Fault(f"{answer} instead of 200")
    return answer.body


# The processor alone -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Charging:
    """The same calls, in the same order, made by each client as a customer of its own, with nothing in between."""

    processor: Processor
    kept: bool

    def share(self, number: int) -> "Charger":
        return Charger(self.processor, self.kept)


@dataclass(frozen=True)
class Charger:
    processor: Processor
    kept: bool

    def run(self, number: int, port: int, begin: float, seconds: float) -> Outcome:
        site = Line(self.processor.port, {"Authorization": f"Bearer {self.processor.secret_key}"})
        browser = Line(self.processor.port, {})
        try:
            made = json.loads(shown(site.form("", "/v1/customers", {"email": f"alone-{number}@buyers.example"})))
            method = self.card(site, browser, made["id"]) if self.kept else ""
            outcome = again(begin, seconds, lambda: self.charge(site, browser, made["id"], method))
        finally:
            site.close()
            browser.close()
        return outcome

    def card(self, site: Line, browser: Line, customer: str) -> str:
        asked = {"customer": customer, "usage": "off_session", "payment_method_types[0]": "card"}
        setup = json.loads(shown(site.form("", "/v1/setup_intents", asked)))
        path = f"/v1/setup_intents/{setup['id']}"
        data = {"key": self.processor.publishable_key, "client_secret": setup["client_secret"]}
        data |= {"payment_method_data": {"type": "card", "card": CARD}}
        shown(browser.json("", f"{path}/confirm", data))
        finished = json.loads(shown(site.get("", f"{path}?expand[0]=payment_method")))
        return str(finished["payment_method"]["id"])

    def charge(self, site: Line, browser: Line, customer: str, method: str) -> str:
        try:
            method = method or self.card(site, browser, customer)
            asked = {"amount": 205, "currency": "eur", "customer": customer, "payment_method": method}
            asked |= {"payment_method_types[0]": "card"}
            intent = json.loads(shown(site.form("", "/v1/payment_intents", asked)))
            done = json.loads(shown(site.form("", f"/v1/payment_intents/{intent['id']}/confirm", {})))
        except Fault as fault:
            return str(fault)
        return CONFIRMED if done["status"] == "succeeded" else f"the payment ended as {done['status']}"
