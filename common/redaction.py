"""Keeping secrets out of what is written down."""

import logging
import re

#: An API token, whole or cut off: :mod:`accounts.tokens` makes them.
TOKEN = re.compile(r"rsm_[0-9A-Za-z]+")
INSTEAD = "rsm_…"


def redacted(text: str) -> str:
    """The text with a stand-in for every token in it."""
    return TOKEN.sub(INSTEAD, text)


class RedactingFormatter(logging.Formatter):
    """Lines of the log, and the traces under them, without tokens: addresses of feeds hold one."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
