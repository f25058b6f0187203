"""Doing the marketplace's work: each piece is written down before it is begun and until its outcome is known there.

A piece goes through ``journal.open``, the acknowledgement, its handler, the outcome (noted), the report, and
``journal.close``. An agent that dies goes on where it was: without an outcome the handler runs again, which is
harmless, with one only the report is sent again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable

from agent import VERSION
from agent.backoff import Backoff
from agent.context import Context
from agent.errors import AgentError, Away, Refused, Unauthorized, WireError, WorkFailed
from agent.journal import Entry
from agent.signing import canonical
from agent.wire import seconds
from agent.words import plain

log = logging.getLogger("rsm-agent")

Handler = Callable[[Context, Entry], "dict[str, Any]"]
Undo = Callable[[Context, Entry], object]

#: The marketplace has taken the work back: nothing of it may stay.
GONE = ("unknown", "not_yours")

#: Its lease has gone to a later attempt, which is asked for anew; where there is none, the work was taken back.
LATER = ("too_late", "bad_nonce")

#: It will never take this report, however often it is sent.
NEVER = ("malformed", "too_large", "implausible")


@dataclass(frozen=True)
class Pace:
    """How long the parts wait, in seconds."""

    poll: float = 20
    renew: float = 30
    retry_first: float = 2
    retry_most: float = 60
    revoked: float = 300
    expire: float = 10

    def backoff(self) -> Backoff:
        return Backoff(self.retry_first, self.retry_most)


@dataclass
class Link:
    """How the agent stands with the marketplace, between its threads."""

    #: The marketplace does not know this agent (any more): no work is asked for.
    revoked: threading.Event = field(default_factory=threading.Event)
    busy: list[str] = field(default_factory=list)


class Worker:
    """Asks for work and does it, one piece at a time."""

    def __init__(
        self, context: Context, link: Link, handlers: Mapping[str, Handler], undo: Mapping[str, Undo], pace: Pace
    ) -> None:
        self._context = context
        self._link = link
        self._handlers = handlers
        self._undo = undo
        self._pace = pace
        self._outdated: set[str] = set()
        self._asked_again: set[str] = set()

    def run(self) -> None:
        """Until the agent is told to end. Nothing that goes wrong with a piece of work ends it."""
        backoff = self._pace.backoff()
        while not self._context.stopping.is_set():
            if self._link.revoked.is_set():
                self._context.stopping.wait(1)
                continue
            try:
                wait = self.once()
                backoff.reset()
            except Unauthorized:
                self._link.revoked.set()
                wait = 0
            except Away as error:
                wait = backoff.after_failure(error.retry_after)
                log.info("%s The next try is in %.0f s.", error, wait)
            except WireError as error:
                wait = backoff.after_failure()
                log.warning("%s The next try is in %.0f s.", error, wait)
            except Exception:
                wait = backoff.after_failure()
                log.exception("The work was interrupted. The next try is in %.0f s.", wait)
            self._context.stopping.wait(wait)

    def once(self) -> float:
        """Go on with what is unfinished, or ask for one piece of work and do it. Seconds to wait before the next time."""
        entries = self._unfinished()
        for entry in entries:
            if self._settled(entry) and entry.id not in self._outdated:
                self._do(entry)
                return 0
        body = {"wait": 0 if entries else int(self._pace.poll), "have": [entry.id for entry in entries]}
        answer = self._context.wire.post("/agent/v1/work/next", body, timeout=self._pace.poll + 15)
        if answer.get("work"):
            self._take(answer["work"])
            return 0
        for entry in entries:
            self._resume(entry)
        return seconds(answer.get("retry_after")) or 0

    def _unfinished(self) -> list[Entry]:
        """What the marketplace may still want; what it does not is undone on the way."""
        entries = self._context.journal.unfinished()
        for entry in entries:
            if entry.noted("abandoned"):
                self._abandon(entry)
        return [entry for entry in entries if not entry.noted("abandoned")]

    def _take(self, work: dict[str, Any]) -> None:
        try:
            entry = self._context.journal.open(_checked(work))
        except (KeyError, ValueError, TypeError) as error:
            raise AgentError(f"The marketplace handed out work that is none: {error}") from None
        self._outdated.discard(entry.id)
        log.info("%s %s is begun (attempt %s).", entry.kind, entry.id, entry.work["attempt"])
        try:
            self._acknowledge(entry)
        except Refused as error:
            if error.code not in GONE:
                raise
            self._abandon(entry)
            return
        self._do(entry)

    def _resume(self, entry: Entry) -> None:
        """Unfinished, but not handed out again: the lease may still be this agent's; else the work was taken back."""
        try:
            self._acknowledge(entry)
        except Refused as error:
            if error.code not in GONE + LATER:
                raise
            self._abandon(entry)
            return
        self._outdated.discard(entry.id)
        self._do(entry)

    def _do(self, entry: Entry) -> None:
        self._link.busy = [entry.id]
        try:
            if not self._settled(entry):
                with self._renewed(entry):
                    self._settle(entry, *self._outcome(entry))
            self._report(entry)
        finally:
            self._link.busy = []

    def _settled(self, entry: Entry) -> bool:
        """Whether there is an outcome for this very order: one with another nonce is to be done anew."""
        outcome = entry.noted("outcome")
        return outcome is not None and outcome.get("nonce") == entry.work["nonce"]

    def _settle(self, entry: Entry, status: str, error: str, result: dict[str, Any]) -> None:
        entry.note("outcome", status=status, error=error, result=result, nonce=entry.work["nonce"])
        log.log(
            logging.INFO if status == "done" else logging.ERROR, "%s %s: %s %s", entry.kind, entry.id, status, error
        )

    def _outcome(self, entry: Entry) -> tuple[str, str, dict[str, Any]]:
        """Run the handler: status, error and result for the report."""
        handler = self._handlers.get(entry.kind)
        if handler is None:
            return "failed", f"Version {VERSION} of the agent does not know this kind of work: {entry.kind}.", {}
        try:
            with self._accounts(entry):
                result = handler(self._context, entry)
            canonical(result)
        except WorkFailed as error:
            return "failed", str(error), error.result
        except Exception as error:
            log.exception("%s %s went wrong.", entry.kind, entry.id)
            return "failed", f"The agent met something unforeseen: {type(error).__name__}: {str(error)[:300]}", {}
        return "done", "", result

    @contextmanager
    def _accounts(self, entry: Entry) -> Iterator[None]:
        """What changes who gets in, and is quick, keeps the clock's own locking out meanwhile."""
        with ExitStack() as stack:
            if entry.kind in ("provision", "revoke"):
                stack.enter_context(self._context.accounts)
            yield

    def _report(self, entry: Entry) -> None:
        """Until the marketplace has taken it, or says that it does not want it."""
        backoff = self._pace.backoff()
        while not self._context.stopping.is_set():
            try:
                self._send(entry)
            except Away as error:
                wait = backoff.after_failure(error.retry_after)
                log.info("%s The report is sent again in %.0f s.", error, wait)
                self._context.stopping.wait(wait)
            except Unauthorized:
                raise
            except Refused as error:
                if not self._refused(entry, error):
                    return
            else:
                self._context.journal.close(entry)
                log.info("%s %s is reported.", entry.kind, entry.id)
                return

    def _send(self, entry: Entry) -> None:
        outcome = entry.noted("outcome") or {}
        message = {
            "kind": "report",
            "work": entry.id,
            "work_kind": entry.kind,
            "attempt": entry.work["attempt"],
            "status": outcome["status"],
            "error": outcome["error"],
            "result": outcome["result"],
        }
        self._context.wire.signed(f"/agent/v1/work/{entry.id}/report", message, nonce=str(entry.work["nonce"]))

    def _refused(self, entry: Entry, error: Refused) -> bool:
        """What a refused report means for its work. Whether another report is to be sent at once."""
        if error.code in LATER:
            log.info("%s %s: %s It is asked for again.", entry.kind, entry.id, error)
            self._outdated.add(entry.id)
            if entry.id in self._asked_again:
                raise error  # asking again did not help: slowly, from now on
            self._asked_again.add(entry.id)
            return False
        if error.code in GONE or (error.code in NEVER and entry.noted("curtailed")):
            log.warning("%s %s: %s", entry.kind, entry.id, error)
            self._abandon(entry)
            return False
        if error.code in NEVER:
            self._curtail(entry, error)
            return True
        raise error

    def _curtail(self, entry: Entry, error: Refused) -> None:
        """Its result will never be taken: what was done is undone and reported as failed, in one sentence."""
        log.error("%s %s: %s", entry.kind, entry.id, error)
        self._undone(entry)
        entry.note("curtailed")
        self._settle(entry, "failed", f"The marketplace did not take the result: {error}"[:500], {})

    def _abandon(self, entry: Entry) -> None:
        """The marketplace does not want it any more. Should undoing fail, it is tried again at the next round."""
        if not entry.noted("abandoned"):
            entry.note("abandoned")
        self._undone(entry)
        self._context.journal.close(entry)
        log.warning("%s %s is no longer wanted, and undone.", entry.kind, entry.id)

    def _undone(self, entry: Entry) -> None:
        if entry.kind in self._undo:
            with self._context.accounts:
                self._undo[entry.kind](self._context, entry)

    def _acknowledge(self, entry: Entry) -> None:
        self._context.wire.post(f"/agent/v1/work/{entry.id}/ack", {"attempt": entry.work["attempt"]}, timeout=20)

    @contextmanager
    def _renewed(self, entry: Entry) -> Iterator[None]:
        """The lease is renewed from beside for as long as the work goes on."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._pace.renew):
                try:
                    self._acknowledge(entry)
                except AgentError as error:
                    # What it means is seen when the report is sent; the work cannot be stopped in its middle.
                    log.info("The lease of %s could not be renewed: %s", entry.id, error)

        threading.Thread(target=renew, name="lease", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _checked(work: dict[str, Any]) -> dict[str, Any]:
    """The parts of a piece of work, of the kinds that they are to be. KeyError, ValueError or TypeError when it is none."""
    found = {key: work[key] for key in ("id", "kind", "nonce", "attempt", "payload")}
    if not isinstance(found["payload"], dict) or not isinstance(found["attempt"], int):
        raise ValueError("it has no payload or no attempt")
    if not all(isinstance(found[key], str) and found[key] == plain(found[key], 100) for key in ("id", "kind", "nonce")):
        raise ValueError("its id, kind or nonce is none")
    return found
