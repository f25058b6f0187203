"""The parts that the marketplace needs beside its own code, started here when no URL for them is given.

One ``with Parts(...)`` starts a database, a cache and a payment stand-in, knows their URLs (``env``), and stops
them all. ``bin/serve`` and ``bin/test`` both use it, so what is tested is what runs.
"""

import logging
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from marketplace.embedded.keeping import kept
from marketplace.embedded.processes import PartsError, clear, held
from marketplace.embedded.servers import Cache, Database, Part, PaymentStandIn

log = logging.getLogger(__name__)

STRIPE_KEYS = ("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET")
WEBHOOK_PATH = "/billing/stripe/webhook/"


class Parts:
    """The parts that ``given`` has no URL for, running; ``env`` has every URL and secret in use, given or made.

    Raises PartsError when one cannot be started, InUseError when another run holds ``var``.
    """

    database: Database | None = None
    cache: Cache | None = None
    stand_in: PaymentStandIn | None = None

    def __init__(
        self,
        var: Path,
        *,
        given: Mapping[str, str],
        webhook_url: str | None = None,
        durable: bool = True,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.var = var.resolve()
        self.given = {name: value for name, value in given.items() if value}
        self.webhook_url = webhook_url
        self.durable = durable
        self.before = before  # asked once the folder is ours and empty of leftovers, before anything starts
        self.parts: list[Part] = []
        self.env: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Parts":
        try:
            self._stack.enter_context(held(self.var))
            self._stack.callback(clear, self.var)
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with undisturbed():
            for part in reversed(self.parts):
                part.stop()
            self._stack.close()

    def _start(self) -> None:
        for folder in ("run", "log", "secrets"):
            (self.var / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        database = Database(self.var, durable=self.durable)
        found = clear(self.var, first=database.leftover())
        if found:
            log.warning("Ended %d processes that an earlier run had left behind.", len(found))
        if self.before:
            self.before()
        if "DATABASE_URL" not in self.given:
            self.database = database
            self.parts.append(database)
        if "REDIS_URL" not in self.given:
            self.cache = Cache(self.var, durable=self.durable)
            self.parts.append(self.cache)
        if not self._stripe_given():
            self.stand_in = PaymentStandIn(self.var, webhook_url=self.webhook_url, durable=self.durable)
            self.parts.append(self.stand_in)
        for part in self.parts:
            part.begin()
        for part in self.parts:
            part.wait()
        self.env = {
            "SECRET_KEY": self.given.get("SECRET_KEY")
            or kept(self.var, "secret_key", lambda: secrets.token_urlsafe(64))
        }
        for part in self.parts:
            self.env |= part.env
        names = ("DATABASE_URL", "REDIS_URL", *STRIPE_KEYS, "STRIPE_API_BASE", "STRIPE_JS_URL")
        self.env |= {name: self.given[name] for name in names if name in self.given and name not in self.env}

    def _stripe_given(self) -> bool:
        missing = [name for name in STRIPE_KEYS if name not in self.given]
        if missing and len(missing) < len(STRIPE_KEYS):
            raise PartsError(f"Give all of {', '.join(STRIPE_KEYS)}, or none. Missing: {', '.join(missing)}.")
        return not missing

    def revive(self) -> None:
        """Start again each part that has ended by itself."""
        for part in self.parts:
            if not part.running:
                log.warning("%s has ended; starting it again.", part.name)
                part.start()


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not stop the stopping."""
    if threading.current_thread() is not threading.main_thread():  # signals do not arrive here
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
