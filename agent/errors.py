"""What can go wrong, in words for the person who reads the journal."""

from __future__ import annotations

from typing import Any


class AgentError(Exception):
    """Something the agent cannot go on with; its text is for a person."""


class WorkFailed(AgentError):
    """A piece of work did not succeed. ``result`` is reported beside the text: a failed wipe still has its evidence."""

    def __init__(self, message: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result or {}


class WireError(AgentError):
    """The marketplace did not do what was asked."""


class Away(WireError):
    """It could not be reached, or is too busy: the same may be tried again, after ``retry_after`` seconds if it says so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(WireError):
    """It answered no: HTTP ``status``, the protocol's ``code``, a sentence in ``detail``, and the whole ``answer``."""

    def __init__(self, status: int, code: str, detail: str, answer: dict[str, Any] | None = None) -> None:
        super().__init__(f"{detail or 'The marketplace refused it.'} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.answer = answer or {}


class Unauthorized(Refused):
    """The token is unknown or the agent was revoked: nothing more is to be asked for."""
