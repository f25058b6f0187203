"""Keeping secrets out of what is written down, and lines of the log what they are."""

import logging
import re
import time

#: An API token, whole or cut off: :mod:`accounts.tokens` makes them.
TOKEN = re.compile(r"rsm_[0-9A-Za-z]+")
INSTEAD = "rsm_…"
#: What would begin another line, or move the cursor of whoever reads it: controls, separators, marks of direction.
NOT_OF_A_LINE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def redacted(text: str) -> str:
    """The text with a stand-in for every token in it."""
    return TOKEN.sub(INSTEAD, text)


def one_line(text: str) -> str:
    """The text with what is no letter of a line written out, so that nobody can make up a line of the log."""
    return NOT_OF_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class RedactingFormatter(logging.Formatter):
    """Lines of the log, and the traces under them, in UTC and without tokens: addresses of feeds hold one.

    A message is one line, whatever somebody has put into it; only traces have several.
    """

    converter = time.gmtime  # type: ignore[assignment]  # typed for local time
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
