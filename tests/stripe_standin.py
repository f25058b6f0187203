"""The payment processor of the tests: the stand-in of ``bin/serve``, a real server in a process of its own.

``stripe`` is that server, with the application pointed at it. ``wire`` is the same, with a proxy between the two
that can lose, hold back or refuse what passes.
"""

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from accounts.models import User
from billing import gateway
from billing.models import Payment
from billing.services import cards, payments
from bookings.models import Booking
from marketplace.embedded.servers import PaymentStandIn, register_webhook

GOOD = "4242424242424242"
DECLINED_WHEN_CHARGED = "4000000000000341"
DECLINED_AT_ONCE = "4000000000000002"
NEEDS_AUTHENTICATION = "4000002500003155"


def ask_processor(
    settings: Mapping[str, str],
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
) -> requests.Response:
    """What the processor of these settings answers: with data to a POST, without it to a GET."""
    method, url = "POST" if data else "GET", f"{settings['STRIPE_API_BASE']}/v1/{path}"
    key = {"Authorization": f"Bearer {settings['STRIPE_SECRET_KEY']}"}
    return requests.request(method, url, params=query, data=data or None, headers=key, timeout=10)


class StandIn:
    """The processor as the tests see it: what a browser does there, and what it holds."""

    def __init__(self, var: Path) -> None:
        for folder in ("log", "secrets"):
            (var / folder).mkdir(parents=True)
        self._part = PaymentStandIn(var, durable=False)
        self.base = self._part.base
        self.port = self._part.port
        self.settings = self._part.env

    def start(self) -> None:
        """What it held when it was stopped, it holds again."""
        if not self.running:
            self._part.start()

    def stop(self) -> None:
        self._part.stop()

    @property
    def running(self) -> bool:
        return self._part.running

    # What a browser does.

    def finish_card_form(self, user: User, number: str = GOOD) -> str:
        """Begin a card form and fill it in. Returns its id, whatever became of it."""
        secret = cards.begin_card(user=user)
        form = secret.split("_secret_")[0]
        path = f"/v1/setup_intents/{form}/confirm"
        card = {"number": number, "exp_month": "12", "exp_year": "2099", "cvc": "123"}
        answer = self._public(path, secret, payment_method_data={"type": "card", "card": card})
        if answer.ok and answer.json()["status"] == "requires_action":
            self._public(path, secret).raise_for_status()
        return form

    def authenticate(self, payment: Payment, *, success: bool) -> dict[str, Any]:
        """The bank has seen the buyer, or the buyer failed it."""
        intent = gateway.get_intent(payment.stripe_payment_intent or "")
        path = f"/v1/payment_intents/{intent.id}/_authenticate?success={str(success).lower()}"
        answer = self._public(path, intent.client_secret)
        answer.raise_for_status()
        return answer.json()

    def _public(self, path: str, secret: str, **data: Any) -> requests.Response:
        key = self.settings["STRIPE_PUBLISHABLE_KEY"]
        return requests.post(self.base + path, json={"key": key, "client_secret": secret, **data}, timeout=10)

    # What it holds.

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = ask_processor(self.settings, path, query=query)
        answer.raise_for_status()
        return answer.json()

    def intents(self, booking: Booking) -> list[dict[str, Any]]:
        found = self.get("payment_intents", limit=100_000)["data"]
        return [intent for intent in found if intent["metadata"].get("booking_id") == str(booking.pk)]

    def charged(self, booking: Booking) -> list[int]:
        """Every amount taken for the booking, in minor units."""
        return [intent["amount"] for intent in self.intents(booking) if intent["status"] == "succeeded"]

    def refunded(self, booking: Booking) -> list[int]:
        """Every amount given back for the booking, in minor units."""
        ids = [intent["id"] for intent in self.intents(booking)]
        found = self.get("refunds", limit=100_000)["data"]
        return [refund["amount"] for refund in found if refund["payment_intent"] in ids]

    def tell(self, url: str, *, name: str) -> None:
        """Send every event to ``url`` from now on."""
        register_webhook(self.base, url, self.settings["STRIPE_WEBHOOK_SECRET"], name=name)


@pytest.fixture(scope="session")
def _stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path_factory.mktemp("stripe"))
    stand_in.start()
    yield stand_in
    stand_in.stop()


@contextmanager
def _talking_to(base: str, stand_in: StandIn, settings: Any) -> Iterator[None]:
    for name, value in stand_in.settings.items():
        setattr(settings, name, value)
    settings.STRIPE_API_BASE = base
    gateway.client.cache_clear()
    yield
    gateway.client.cache_clear()


@pytest.fixture
def stripe(_stand_in: StandIn, settings: Any) -> Iterator[StandIn]:
    """The processor, and the application talks to it. A test may stop it; the next one finds it running."""
    _stand_in.start()
    with _talking_to(_stand_in.base, _stand_in, settings):
        yield _stand_in
    _stand_in.start()


def pay_by_card(
    stripe: StandIn, booking: Booking, *, now: datetime, number: str = GOOD, payer: User | None = None
) -> Payment:
    payer = payer or booking.buyer
    form = stripe.finish_card_form(payer, number)
    return pay_with(form, booking, payer=payer, now=now)


def pay_with(form: str, booking: Booking, *, payer: User, now: datetime, keep: bool = False) -> Payment:
    """Pay the first charge of a booking with a finished card form."""
    means = cards.means(user=payer, setup_intent=form, card_id=None, keep=keep, now=now)
    return payments.pay(charge=booking.charges.get(number=1), payer=payer, means=means, now=now)


# A bad line between us and the processor --------------------------------------------------------------


class Wire:
    """A proxy in front of the processor. ``on(method, path, what)`` says what happens to matching requests.

    *lose_request*: it never arrives, and the connection breaks. *lose_answer*: the processor does it, and the
    connection breaks; asked again, it breaks without being passed on. *lose_answer_once*: asked again, it
    passes. *hold_request* and *hold_answer* keep the
    asker waiting until the test is over; ``held`` is set when that begins.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.held = threading.Event()
        self.passed: list[str] = []
        self._rules: dict[tuple[str, str], str] = {}
        self._words: dict[str, tuple[bytes, bytes]] = {}
        self._release = threading.Event()
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                wire._handle(self)

            def do_POST(self) -> None:
                wire._handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def on(self, method: str, path: str, what: str) -> None:
        """``path`` is how the request's path ends."""
        self._rules[method, path] = what

    def say(self, path: str, instead_of: str, words: str) -> None:
        """In answers about paths that hold ``path``, say something else."""
        self._words[path] = (instead_of.encode(), words.encode())

    def clear(self) -> None:
        """From now on everything passes as it is."""
        self._rules.clear()
        self._words.clear()

    def close(self) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, asker: http.server.BaseHTTPRequestHandler) -> None:
        path = asker.path.split("?")[0]
        body = asker.rfile.read(int(asker.headers.get("Content-Length") or 0))
        rule = next((key for key in self._rules if key[0] == asker.command and path.endswith(key[1])), None)
        what = self._rules[rule] if rule else ""
        if what == "lose_request":
            self._break(asker)
            return
        if what == "hold_request":
            self._hold(asker)
            return
        headers = {name: value for name, value in asker.headers.items() if name.lower() not in ("host", "connection")}
        answer = requests.request(asker.command, self.target + asker.path, data=body, headers=headers, timeout=30)
        self.passed.append(f"{asker.command} {path}")
        if what in ("lose_answer", "lose_answer_once") and rule:
            self._rules[rule] = "lose_request" if what == "lose_answer" else ""
            self._break(asker)
            return
        if what == "hold_answer":
            self._hold(asker)
            return
        asker.send_response(answer.status_code)
        asker.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        content = answer.content
        for part, (instead_of, words) in self._words.items():
            content = content.replace(instead_of, words) if part in path else content
        asker.send_header("Content-Length", str(len(content)))
        asker.end_headers()
        asker.wfile.write(content)

    def _hold(self, asker: http.server.BaseHTTPRequestHandler) -> None:
        self.held.set()
        self._release.wait(60)
        self._break(asker)

    @staticmethod
    def _break(asker: http.server.BaseHTTPRequestHandler) -> None:
        asker.close_connection = True


@pytest.fixture
def wire(stripe: StandIn, settings: Any) -> Iterator[Wire]:
    wire = Wire(stripe.base)
    with _talking_to(wire.base, stripe, settings):
        yield wire
    wire.close()


# What the processor tells ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """A webhook as it arrived, with its signature."""

    body: bytes
    signature: str

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


class Ear:
    """Listens to the processor's webhooks and keeps them."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        ear = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.told.append(Told(body, self.headers["Stripe-Signature"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def about(self, intent_id: str) -> list[Told]:
        return [told for told in self.told if told.event["data"]["object"]["id"] == intent_id]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ear(stripe: StandIn) -> Iterator[Ear]:
    ear = Ear()
    stripe.tell(ear.url, name="ear")
    yield ear
    ear.close()


def signature(body: bytes, secret: str, at: datetime) -> str:
    """The header ``Stripe-Signature`` for a body."""
    stamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"
