"""Lets the ``stripe`` package talk to a server in the same process, and things go wrong on the way.

server = StripeServer()
client = stripe.StripeClient("sk_test_x", http_client=InProcess(server), stripe_version=API_VERSION)
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from tests.stripe_server.server import Answer, StripeServer


@dataclass(frozen=True)
class Asked:
    """One call on its way. ``body`` is the form."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def idempotency_key(self) -> str:
        return self.headers.get("Idempotency-Key", "")


#: Asked before the request leaves and again when the answer is back (``answer``). It may raise anything, as a lost
#: line or the crash of our process would; before, returning an answer keeps the request from the server; after,
#: what it returns takes the answer's place. ``None`` lets things be.
Fault = Callable[[Asked, Answer | None], Answer | None]


def lost() -> stripe.APIConnectionError:
    """What the package raises when the line breaks or nobody answers in time."""
    return stripe.APIConnectionError("Unexpected error communicating with Stripe.", should_retry=True)


def said(status: int, kind: str = "api_error", message: str = "Something went wrong.", **fields: Any) -> Answer:
    """An error as an answer, e.g. ``said(429, "invalid_request_error", code="rate_limit")``."""
    error = {"type": kind, "message": message, **fields}
    return (
        status,
        {"Request-Id": "req_fault", "Content-Type": "application/json"},
        json.dumps({"error": error}).encode(),
    )


class InProcess(stripe.HTTPClient):
    """The package's way to the server. ``fault`` may be set at any time."""

    name = "in_process"

    def __init__(self, server: StripeServer, fault: Fault | None = None) -> None:
        super().__init__()
        self.server = server
        self.fault = fault

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        path = "/" + url.split("://", 1)[-1].split("/", 1)[-1]
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        asked = Asked(method.upper(), path, headers or {}, body)
        answer = self.fault(asked, None) if self.fault else None
        if answer is None:
            answer = self.server.handle(asked.method, path, asked.headers, body)
            if self.fault:
                answer = self.fault(asked, answer) or answer
        status, names, content = answer
        return content.decode(), status, {name.lower(): value for name, value in names.items()} | names

    def _sleep_time_seconds(self, num_retries: int) -> float:
        return 0

    def close(self) -> None:
        pass
