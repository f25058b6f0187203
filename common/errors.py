"""The family of errors that a person may read.

Every app derives its own from :class:`MarketplaceError`. The text says what is wrong and what to do next;
``field`` names the form field it belongs to, so that a form can say it there.
"""

from django.db import DatabaseError


class MarketplaceError(Exception):
    """Something the marketplace refuses, with a sentence for the person who asked."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self.args[0])


def violates(error: DatabaseError, constraint: str) -> bool:
    """Whether it is this rule by which the database refused."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) == constraint
