"""Saying things to the marketplace over HTTPS. The agent only ever calls out."""

from __future__ import annotations

import http.client
import ipaddress
import json
import math
import ssl
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from agent import VERSION
from agent.config import Config
from agent.context import parse_stamp, stamp
from agent.errors import AgentError, Away, Refused, Unauthorized
from agent.sequence import Sequence
from agent.signing import REPORT, Key, canonical
from agent.words import plain

#: An answer in JSON that is larger than this many bytes is none of the protocol's.
LARGEST_ANSWER = 8_000_000

#: Bytes at most of anything else that is fetched: what a request of a measurement carries.
LARGEST_FILE = 64 * 1024 * 1024

#: A clock that is off by less than this many seconds is left alone: the answer's way here takes time, too.
TOLERATED_SECONDS = 2.0


def checked_server(url: str) -> str:
    """The marketplace's address without a slash at its end. AgentError unless it is HTTPS or on this very machine."""
    parts = urlsplit(url.strip())
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise AgentError(f"{url!r} is no address of a marketplace. It looks like https://marketplace.example")
    if parts.scheme == "http" and not loopback(host):
        raise AgentError(f"{url} is not encrypted: anyone on the way could take over this machine. Use https://")
    return url.strip().rstrip("/")


def loopback(host: str) -> bool:
    """Whether this name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Wire:
    """The way to the marketplace: JSON there and back, with the token, and messages signed by the key."""

    def __init__(self, config: Config, key: Key | None = None) -> None:
        self._config = config
        self._key = key
        self._server = checked_server(config.server)
        self._opener = _opener(self._server, config.ca_file)
        self._sequence = Sequence(config.folder)
        #: The marketplace's clock when it last told, and this machine's running time then.
        self._told: tuple[float, float] | None = None

    def post(self, path: str, body: dict[str, Any], *, timeout: float = 30) -> dict[str, Any]:
        """Send a JSON object and return the one answered. ``timeout`` in seconds.

        Raises Away (try again later), Refused (it said no) or Unauthorized (the token is no longer good).
        """
        data = json.dumps(body).encode()
        return self._parsed(self._ask(path, data, "application/json", timeout, LARGEST_ANSWER))

    def post_bytes(self, path: str, data: bytes, timeout: float = 60) -> dict[str, Any]:
        """Send bytes as they are. Raises as :meth:`post` does."""
        return self._parsed(self._ask(path, data, "application/octet-stream", timeout, LARGEST_ANSWER))

    def get_bytes(self, path: str, timeout: float = 60) -> bytes:
        """Fetch bytes as they are. Raises as :meth:`post` does."""
        return self._ask(path, None, "", timeout, LARGEST_FILE)

    def signed(self, path: str, message: dict[str, Any], nonce: str = "", *, timeout: float = 60) -> dict[str, Any]:
        """Send a signed message; the sequence is on the disk before it goes. Raises as :meth:`post` does.

        One that was refused for its time or its sequence is signed anew, once, with what the answer told.
        """
        with self._sequence.held():
            try:
                return self._signed_once(path, message, nonce, 0, timeout)
            except Refused as error:
                if error.code not in ("bad_time", "bad_sequence"):
                    raise
                return self._signed_once(path, message, nonce, _whole(error.answer.get("sequence")), timeout)

    def server_clock(self) -> float:
        """Seconds since 1970 by the marketplace's clock; by this machine's own while the two agree.

        It runs on by the time since the machine started: a step of its own clock does not move the end of a booking.
        """
        own = time.time()
        if self._told is None:
            return own
        theirs = self._told[0] + time.clock_gettime(time.CLOCK_BOOTTIME) - self._told[1]
        return own if abs(theirs - own) <= TOLERATED_SECONDS else theirs

    def skew(self) -> float | None:
        """By how many seconds this machine's clock is ahead of the marketplace's; None when it has not told."""
        if self._told is None:
            return None
        return time.time() - self._told[0] - (time.clock_gettime(time.CLOCK_BOOTTIME) - self._told[1])

    def _signed_once(
        self, path: str, message: dict[str, Any], nonce: str, above: int, timeout: float
    ) -> dict[str, Any]:
        if self._key is None:
            raise AgentError("There is no key to sign with.")
        whole = {**message, "nonce": nonce, "sequence": self._sequence.take(above), "sent_at": self._moment()}
        if self._config.agent:
            whole["agent"] = self._config.agent
        text = canonical(whole)
        return self.post(path, {"message": text, "signature": self._key.sign(REPORT, text.encode())}, timeout=timeout)

    def _moment(self) -> str:
        return stamp(datetime.fromtimestamp(self.server_clock(), tz=timezone.utc))

    def _ask(self, path: str, data: bytes | None, kind: str, timeout: float, most: int) -> bytes:
        if not path.startswith("/"):
            # Written after the marketplace's name, it would make it another's, who would be sent the token.
            raise AgentError(f"{plain(path)!r} is no path at the marketplace.")
        request = Request(self._server + path, data=data, headers=self._headers(kind))  # noqa: S310 - checked_server
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                self._note_date(answer.headers.get("Date"))
                body: bytes = answer.read(most + 1)
        except HTTPError as error:
            raise self._refusal(error) from None
        except URLError as error:
            raise Away(_unreachable(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Away(_unreachable(error)) from None
        if len(body) > most:
            raise Away("The marketplace's answer is too large.")
        return body

    def _headers(self, kind: str) -> dict[str, str]:
        headers = {"User-Agent": f"rsm-agent/{VERSION}", "Accept": "application/json, */*"}
        if kind:
            headers["Content-Type"] = kind
        if self._config.token:
            headers["Authorization"] = f"Bearer {self._config.token}"
        return headers

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Away("What answered does not speak the agent's protocol. Is something between here and there?")
        self._note_clock(answer.get("server_time"))
        return answer

    def _refusal(self, error: HTTPError) -> Away | Refused:
        """What an answer other than 200 means."""
        try:
            answer = json.loads(error.read(LARGEST_ANSWER))
        except (OSError, ValueError, http.client.HTTPException):
            answer = {}
        finally:
            error.close()
        answer = answer if isinstance(answer, dict) else {}
        self._note_clock(answer.get("server_time"))
        code, detail = plain(answer.get("error") or "unexpected", 40), plain(answer.get("detail") or "")
        if error.code == 429 or error.code >= 500:
            sentence = detail or f"The marketplace answered {error.code}."
            return Away(sentence, seconds(error.headers.get("Retry-After")))
        if 300 <= error.code < 400:
            elsewhere = plain(error.headers.get("Location", "another address"))
            return Refused(
                error.code, "moved", f"{self._server} sends elsewhere, to {elsewhere}. Give the right address."
            )
        if error.code == 401 or code == "revoked":
            return Unauthorized(error.code, code, detail, answer)
        return Refused(error.code, code, detail, answer)

    def _note_clock(self, told: Any) -> None:
        try:
            moment = parse_stamp(told).timestamp()
        except (TypeError, ValueError):
            return
        # Whole seconds were told: half of one is the best guess at the rest.
        self._told = (moment + 0.5, time.clock_gettime(time.CLOCK_BOOTTIME))

    def _note_date(self, header: str | None) -> None:
        """The date of any answer is better than nothing: it is how a self-test before the enrolment knows the time."""
        if self._told is None and header:
            try:
                moment = parsedate_to_datetime(header).timestamp()
            except (TypeError, ValueError):
                return
            self._told = (moment + 0.5, time.clock_gettime(time.CLOCK_BOOTTIME))


class _StayHere(HTTPRedirectHandler):
    """The token is for this marketplace: no answer may send it elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(server: str, ca_file: str) -> OpenerDirector:
    if ca_file and not Path(ca_file).is_file():
        raise AgentError(f"{ca_file} (of --ca-file) is no file.")
    try:
        encrypted = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise AgentError(f"{ca_file} (of --ca-file) holds no certificates: {error}") from None
    handlers: list[Any] = [HTTPSHandler(context=encrypted), _StayHere()]
    if loopback(urlsplit(server).hostname or ""):
        handlers.append(ProxyHandler({}))
    return build_opener(*handlers)


def _unreachable(reason: Any) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"The marketplace's certificate is not trusted here ({reason.verify_message}). See --ca-file."
    return f"The marketplace cannot be reached: {getattr(reason, 'strerror', None) or reason or type(reason).__name__}."


def seconds(told: Any) -> float | None:
    """How long the marketplace wants something to last, an hour at most; None where it does not say, or nonsense."""
    try:
        number = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(number, 0.0), 3600.0) if math.isfinite(number) else None


def _whole(number: Any) -> int:
    return number if isinstance(number, int) else 0
