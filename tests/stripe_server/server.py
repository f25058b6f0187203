"""A small Stripe, in memory: the requests of the ``stripe`` package go in, what Stripe would answer comes out.

:meth:`StripeServer.handle` is the whole of it; :mod:`tests.stripe_server.client` calls it without a socket,
``python -m tests.stripe_server`` over HTTP. What happens on the processor's side – the buyer authenticates, a bank
takes a refund back, a chargeback, time passes – are methods (:mod:`tests.stripe_server.happenings`).
"""

import json
import pkgutil
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import unquote

import stripe

from tests.stripe_server import objects, operations, parameters, resources
from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.forms import parsed
from tests.stripe_server.happenings import Happenings
from tests.stripe_server.world import ANSWERS, API_VERSION, INCLUDED, Call, Rules, Thing, public

Answer = tuple[int, dict[str, str], bytes]

# Each resource says what it answers when it is imported.
for _found in pkgutil.iter_modules(resources.__path__):
    import_module(f"{resources.__name__}.{_found.name}")

#: Stripe forgets an idempotency key when it is at least this old.
KEYS_LAST = timedelta(hours=24)


@dataclass(frozen=True)
class _Kept:
    """What was answered to an idempotency key."""

    request: tuple[str, str, str]
    answer: Answer
    request_id: str
    at: int


class StripeServer(Happenings):
    """One Stripe account with all that belongs to it. Safe to use from several threads.

    Args:
        now: where its clock stands; without it, it goes with the wall clock until :meth:`advance` sets it.
        rules: fees, delays and such, where a test wants others than the usual.
    """

    def __init__(self, *, now: datetime | None = None, rules: Rules | None = None) -> None:
        super().__init__(rules=rules or Rules(), now=now)
        self._lock = threading.RLock()
        self._keys: dict[tuple[str, str], _Kept] = {}
        #: Every request that was answered, as "POST /v1/refunds".
        self.requests: list[str] = []

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request. ``path`` may have a query. Nothing that is sent makes this raise."""
        with self._lock:
            path, _, query = path.partition("?")
            names = {name.lower(): value for name, value in headers.items()}
            request = self.new_id("req")
            text = query if method in ("GET", "DELETE") else body.decode()
            key = names.get("idempotency-key") if method == "POST" else None
            self.asking = (request, key)
            self.requests.append(f"{method} {path}")
            try:
                return self._answer(method, path, text, names, request, key)
            except Failure as failure:
                return self._refusal(failure, request, names.get("stripe-account", ""))
            except Exception as error:
                self.violations.append(f"{method} {path}: the server failed\n{traceback.format_exc()}")
                return self._refusal(Failure(500, "api_error", f"The test server failed: {error!r}"), request, "")
            finally:
                self.asking = None

    def _answer(
        self, method: str, path: str, text: str, headers: dict[str, str], request: str, key: str | None
    ) -> Answer:
        self._admit(headers)
        account = headers.get("stripe-account", "")
        found = operations.find(method, path)
        if found is None or found[0].name not in ANSWERS:
            self.violations.append(f"{method} {path}: this server does not know the request")
            raise invalid(f"Unrecognized request URL ({method}: {path}).", status=404)
        operation, ids = found
        answer, heeds = ANSWERS[operation.name]
        params = self._read(operation, text, heeds)
        if key is not None and (kept := self._replayed(account, key, (method, path, text), request)):
            return kept
        call = Call(self, tuple(unquote(part) for part in ids), params, account)
        try:
            thing = self._expanded(public(answer(call)), params.get("expand", []), account)
            self.check(operation.answer, thing)
            result = self._sent(200, thing, request, account)
        except Failure as failure:
            result = self._refusal(failure, request, account)
        if key is not None:
            self._keys[account, key] = _Kept((method, path, text), result, request, self.stamp())
        return result

    def _admit(self, headers: dict[str, str]) -> None:
        if not headers.get("authorization", "").startswith(("Bearer sk_", "Bearer rk_")):
            raise invalid("You did not provide an API key, or an invalid one.", status=401)
        if headers.get("stripe-version", API_VERSION) != API_VERSION:
            self.violations.append(f"asked with the API version {headers['stripe-version']}, not {API_VERSION}")
        account = headers.get("stripe-account", "")
        if account and self.find("account", account) is None:
            raise invalid(
                f"The provided key does not have access to account '{account}' (or that account does not exist).",
                status=403,
                code="account_invalid",
            )

    def _read(self, operation: operations.Operation, text: str, heeds: frozenset[str]) -> Thing:
        """The parameters; raises and notes it where the package's types do not allow them, or we ignore one."""
        try:
            params = parameters.read(operation.params, parsed(text), operation.allowed_besides)
        except (parameters.Wrong, ValueError) as wrong:
            path = getattr(wrong, "path", "")
            self.violations.append(f"request {operation.name}: {wrong}")
            raise invalid(str(wrong), param=path or None, code=getattr(wrong, "code", "") or None) from wrong
        if unheeded := set(params) - heeds:
            self.violations.append(f"request {operation.name}: this server ignores {sorted(unheeded)}")
            raise invalid(f"This server does nothing about {sorted(unheeded)}.", param=min(unheeded))
        return params

    def _replayed(self, account: str, key: str, asked: tuple[str, str, str], request: str) -> Answer | None:
        kept = self._keys.get((account, key))
        if kept is None or self.stamp() - kept.at >= KEYS_LAST.total_seconds():
            return None
        if kept.request[:2] != asked[:2]:
            raise Failure(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{asked[1]}' vs '{kept.request[1]}'). Try using a key other than '{key}' if you meant to execute a "
                "different request.",
            )
        if kept.request != asked:
            raise Failure(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
            )
        status, headers, body = kept.answer
        again = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id, "Request-Id": request}
        return status, headers | again, body

    def _expanded(self, thing: Thing, paths: list[str], account: str) -> Thing:
        for path in paths:
            if path.count(".") > 3:
                raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
            self._expand(thing, path.split("."), account, path)
        return thing

    def _expand(self, thing: Any, path: list[str], account: str, whole: str) -> None:
        if isinstance(thing, list):
            for part in thing:
                self._expand(part, path, account, whole)
            return
        name, *rest = path
        if (thing.get("object"), name) in INCLUDED and name not in thing:
            thing[name] = public(INCLUDED[thing["object"], name](self, thing, account))
        elif isinstance(thing.get(name), str):
            found = self.anything(thing[name], account)
            if found is None:
                raise invalid(f"This property cannot be expanded ({whole}).", param="expand")
            thing[name] = public(found)
        elif name not in thing or isinstance(thing[name], int):
            raise invalid(f"This property cannot be expanded ({whole}).", param="expand")
        if rest and thing[name] is not None:
            self._expand(thing[name], rest, account, whole)

    def _refusal(self, failure: Failure, request: str, account: str) -> Answer:
        error = public(failure.fields)
        self.check(stripe.ErrorObject, error)
        return self._sent(failure.status, {"error": error}, request, account)

    @staticmethod
    def _sent(status: int, thing: Thing, request: str, account: str) -> Answer:
        headers = {"Content-Type": "application/json", "Request-Id": request, "Stripe-Version": API_VERSION}
        if account:
            headers["Stripe-Account"] = account
        return status, headers, json.dumps(thing).encode()

    def faults_in(self, thing: Thing) -> list[str]:
        """What the package's types say against an object."""
        return objects.faults(objects.class_of(thing["object"]), thing)
