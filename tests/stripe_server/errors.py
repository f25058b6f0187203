"""What goes wrong with a request, as Stripe answers it."""

from typing import Any


class Failure(Exception):
    """An answer that is an error object. ``fields`` are its further keys (decline_code, payment_intent …)."""

    def __init__(self, status: int, kind: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.fields = {"message": message, "type": kind} | {k: v for k, v in fields.items() if v is not None}


def invalid(message: str, *, status: int = 400, **fields: Any) -> Failure:
    """The request cannot be done: an unknown thing, a wrong value, a state that does not allow it."""
    return Failure(status, "invalid_request_error", message, **fields)


def missing(kind: str, wanted: str, *, param: str | None = None) -> Failure:
    """There is no such object: 404 for the one in the path, 400 for one named in a parameter."""
    message = f"No such {kind}: '{wanted}'"
    return invalid(message, status=400 if param else 404, code="resource_missing", param=param or "id")
