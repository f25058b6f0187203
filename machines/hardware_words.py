"""What differs between two readings of a server, in the language of whoever reads it.

Differences are kept in English (:func:`machines.hardware.node_changes`); names and numbers stay as they were written.
"""

import re

from django.utils.translation import gettext, gettext_noop

from machines.hardware import GONE, MISSING, NEW, NOT_READ

#: What stands alone.
WHOLE = {
    MISSING: gettext_noop("missing"),
    NEW: gettext_noop("not there"),
    NOT_READ: gettext_noop("not read"),
    GONE: gettext_noop("no longer part of it"),
    "The machine": gettext_noop("The machine"),
    "Architecture": gettext_noop("Architecture"),
    "unnamed GPU": gettext_noop("unnamed GPU"),
}
#: What stands before or around a name or a number.
AROUND = [
    (re.compile("another (?P<part>.+)"), gettext_noop("another %(part)s")),
    (re.compile("Disk (?P<name>.+)"), gettext_noop("Disk %(name)s")),
    (re.compile("Node (?P<name>.+)"), gettext_noop("Node %(name)s")),
    (
        re.compile(r"(?P<model>.+), (?P<cores>[\d,]+) cores, (?P<threads>[\d,]+) threads"),
        gettext_noop("%(model)s, %(cores)s cores, %(threads)s threads"),
    ),
    (re.compile(r"(?P<model>.+), (?P<cores>[\d,]+) cores"), gettext_noop("%(model)s, %(cores)s cores")),
]


def said(words: str) -> str:
    """What a difference is of, or one of its sides."""
    if words in WHOLE:
        return gettext(WHOLE[words])
    for pattern, sentence in AROUND:
        if found := pattern.fullmatch(words):
            return gettext(sentence) % found.groupdict()
    server, colon, part = words.partition(": ")  # of a cluster: which of its servers
    return f"{server}: {said(part)}" if colon else words
