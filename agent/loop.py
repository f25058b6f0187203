"""``run``: the heartbeat, the work, and the clock that locks accounts whose end has passed. Each goes on without the others."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Mapping
from typing import Any, Callable

from agent import VERSION
from agent.context import Context, stamp
from agent.errors import AgentError, Away, Unauthorized
from agent.files import held, write_whole
from agent.health import Sampler, boot_id, uptime_seconds
from agent.words import plain
from agent.worker import Handler, Link, Pace, Undo, Worker

log = logging.getLogger("rsm-agent")

#: Seconds that a piece of work is given to end by itself when the agent is told to.
GRACE = 4.0


class Heart:
    """Tells the marketplace that the machine is there and how it is doing."""

    def __init__(self, context: Context, link: Link, pace: Pace) -> None:
        self._context = context
        self._link = link
        self._pace = pace
        self._sampler = Sampler()
        self._told_version = VERSION

    def run(self) -> None:
        """Until the agent is told to end."""
        backoff = self._pace.backoff()
        while not self._context.stopping.is_set():
            try:
                wait = self.beat()
                backoff.reset()
            except Unauthorized as error:
                self._link.revoked.set()
                wait = self._pace.revoked
                self._remember(str(error))
                log.error(
                    "THE MARKETPLACE DOES NOT LET THIS AGENT IN: %s No work is done; accounts whose end passes are "
                    "still locked. If the machine is to be offered again, unenroll and enroll it anew.",
                    error,
                )
            except Exception as error:
                wait = backoff.after_failure(error.retry_after if isinstance(error, Away) else None)
                self._remember(str(error))
                log.warning(
                    "No heartbeat: %s The next is in %.0f s.", error, wait, exc_info=not isinstance(error, AgentError)
                )
            self._context.stopping.wait(wait)

    def beat(self) -> float:
        """Send one heartbeat and do what its answer says. Seconds to the next one."""
        answer = self._context.wire.post("/agent/v1/heartbeat", self._said(), timeout=20)
        if self._link.revoked.is_set():
            log.info("The marketplace lets this agent in again.")
            self._link.revoked.clear()
        self._remember("")
        self._keep(answer)
        return self._context.config.heartbeat_seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret

    def _said(self) -> dict[str, Any]:
        return {
            "at": stamp(self._context.now()),
            "version": VERSION,
            "boot_id": boot_id(),
            "uptime_seconds": uptime_seconds(),
            "busy": list(self._link.busy),
            "health": self._sampler.read(),
            "simulated": False,
        }

    def _keep(self, answer: dict[str, Any]) -> None:
        seconds = answer.get("heartbeat_seconds")
        config = self._context.config
        if isinstance(seconds, int) and 1 <= seconds <= 3600 and seconds != config.heartbeat_seconds:
            config.heartbeat_seconds = seconds
            config.save()
        latest = plain(answer.get("latest_version") or VERSION, 40)
        if latest != self._told_version:
            self._told_version = latest
            log.info("Version %s of the agent is there; this is %s. See docs/agent-protocol.md.", latest, VERSION)
        if answer.get("rotate"):
            self._rotate()

    def _rotate(self) -> None:
        """A new token, on the disk before its first use: the old one is good until then."""
        token = self._context.wire.signed("/agent/v1/rotate", {"kind": "rotate"}).get("token")
        if isinstance(token, str) and token and token == plain(token) and token.isascii():
            self._context.config.save_token(token)
            log.info("The token was exchanged.")

    def _remember(self, error: str) -> None:
        """For ``status``."""
        config = self._context.config
        try:
            said = json.loads(config.last_path.read_text(encoding="utf-8")) if config.last_path.exists() else {}
            now = stamp(self._context.now())
            said = {"answered_at": said.get("answered_at", "") if error else now, "tried_at": now, "error": error}
            write_whole(config.last_path, json.dumps(said) + "\n")
        except (OSError, ValueError, AttributeError) as trouble:
            log.warning("%s could not be written: %s", config.last_path, trouble)


def work(
    context: Context,
    *,
    handlers: Mapping[str, Handler],
    undo: Mapping[str, Undo],
    lock_expired: Callable[[Context], list[str]],
    pace: Pace | None = None,
) -> None:
    """Run until ``context.stopping`` is set. AgentError when another one works here already."""
    pace = pace or Pace()
    try:
        with held(context.config.lock_path, wait=False):
            _work(context, handlers, undo, lock_expired, pace)
    except BlockingIOError:
        raise AgentError("Another rsm-agent works here already: see systemctl status rsm-agent") from None


def _work(
    context: Context,
    handlers: Mapping[str, Handler],
    undo: Mapping[str, Undo],
    lock_expired: Callable[[Context], list[str]],
    pace: Pace,
) -> None:
    link = Link()
    log.info(
        "rsm-agent %s for %s begins; the marketplace is %s.",
        VERSION,
        context.config.machine_name,
        context.config.server,
    )
    expire(context, lock_expired)
    worker = threading.Thread(target=Worker(context, link, handlers, undo, pace).run, name="work", daemon=True)
    heart = threading.Thread(target=Heart(context, link, pace).run, name="heartbeat", daemon=True)
    worker.start()
    heart.start()
    while not context.stopping.wait(pace.expire):
        expire(context, lock_expired)
    if link.busy:
        log.info(
            "A piece of work is given %.0f s to end; what is unfinished then is gone on with at the next start.", GRACE
        )
        worker.join(GRACE)
    log.info("rsm-agent ends.")


def expire(context: Context, lock_expired: Callable[[Context], list[str]]) -> None:
    """Lock the accounts whose end has passed, whether or not the marketplace can be reached."""
    if not context.accounts.acquire(blocking=False):
        return  # accounts are just being changed; the next time is soon
    try:
        for account in lock_expired(context):
            log.info("%s was locked: its end has passed.", account)
    except Exception:
        log.exception("Accounts whose end has passed could not be locked. It is tried again.")
    finally:
        context.accounts.release()
