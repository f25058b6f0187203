"""What the history of a booking says, in the language of whoever reads it.

History is written once, in English and in UTC (:mod:`bookings.services.history`). Its lines are known here: whole
sentences, labels, and sentences with something in between. Money, lengths of time and moments are written as the reader
has them; what else is in between stays as it was written. A line that is not known is shown as it is: what people and agents write.

Other rooms that write history contribute their lines when they are ready (``<room>/records.py``); a test finds those
that nobody knows.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from babel.dates import get_month_names
from babel.numbers import get_currency_symbol
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop

from bookings.models import WipeMethod, WipeStatus
from bookings.services.cancel import CancelReason
from common.formats import duration, language, money, when_both, window_both
from common.languages import ENGLISH, in_english
from common.money import Currency
from machines import hardware_words

PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Lines:
    """What a room writes into the history of bookings.

    Args:
        whole: sentences of fixed words.
        filled: sentences with something in between, by the names in :data:`BETWEEN`.
        labels: of choices, which stand alone.
    """

    whole: Collection[str] = ()
    filled: Collection[str] = ()
    labels: Collection[Promise | str] = ()


#: Sentences of fixed words; also why charges were dropped.
WHOLE = {
    gettext_noop("Access brought up to date by the agent"),
    gettext_noop("Access corrected"),
    gettext_noop("Access entered"),
    gettext_noop("Approved"),
    gettext_noop("A key of the organization is let in within a minute."),
    gettext_noop("A key that is added lets them in again."),
    gettext_noop("A stage was not paid"),
    gettext_noop("Asked for"),
    gettext_noop("Delayed: the machine is still being erased after the booking before"),
    gettext_noop("Ended early by the buyer"),
    gettext_noop("Erased"),
    gettext_noop("Erased and completed"),
    gettext_noop("Extended"),
    gettext_noop("Extension asked for"),
    gettext_noop("Extension given back"),
    gettext_noop("Given back by the buyer"),
    gettext_noop("Handed over: log-in checked by the agent"),
    gettext_noop("Held while it is being paid."),
    gettext_noop("In quarantine until the erasure is shown."),
    gettext_noop("It was not paid in time"),
    gettext_noop("Late, or without a heartbeat: see the time line of the booking."),
    gettext_noop("Its agent was revoked, and no other is enrolled."),
    gettext_noop("Its time for that is over, and its agent has not shown the erasure. Look whether the agent runs."),
    gettext_noop("Left: the machine is not as booked"),
    gettext_noop("Locked: nobody is let in"),
    gettext_noop("Locked: the buyer has no keys"),
    gettext_noop("Not erased: somebody has to see to the machine"),
    gettext_noop("Not erased yet: it is tried again by itself"),
    gettext_noop("Not extended: not paid in time"),
    gettext_noop("Over, never entered: there was no SSH key"),
    gettext_noop("Over, never handed over"),
    gettext_noop("Over, never handed over: it is erased all the same"),
    gettext_noop("Over: the machine is being erased"),
    gettext_noop("Paid and confirmed"),
    gettext_noop("Started"),
    gettext_noop("The agent could not let the buyer in"),
    gettext_noop("The buyer books for their organization again: their own keys count."),
    gettext_noop("The buyer does not book for their organization any more: their own keys do not count."),
    gettext_noop("The agent does not say why."),
    gettext_noop("The booking is over"),
    gettext_noop("The erasure is tried again"),
    gettext_noop("The hand-over was late: the time that it cost came first"),
    gettext_noop("The machine is not as booked"),
    gettext_noop(
        "The machine is promised after the booking, so the end stays. The time lost is refunded when it ends."
    ),
    gettext_noop("The machine signed evidence of its erasure"),
    gettext_noop("Waits for approval"),
}
#: Sentences with something in between.
FILLED = {
    gettext_noop("%(back)s comes back for %(count)s minute that were lost"),
    gettext_noop("%(back)s comes back for %(count)s minutes that were lost"),
    gettext_noop("By %(name)s, until %(moment)s."),
    gettext_noop("Ends early: stage %(number)s was not paid"),
    gettext_noop("Handed over %(count)s minute late"),
    gettext_noop("Handed over %(count)s minute late: the end moves"),
    gettext_noop("Handed over %(count)s minutes late"),
    gettext_noop("Handed over %(count)s minutes late: the end moves"),
    gettext_noop("It ends %(moment)s."),
    gettext_noop("It ends %(moment)s. %(back)s comes back."),
    gettext_noop("It ends %(moment)s. %(back)s of %(price)s comes back."),
    gettext_noop("Not done: %(steps)s."),
    gettext_noop("%(price)s for %(window)s."),
    gettext_noop("Stage %(number)s paid"),
    gettext_noop("The agent could not let the buyer in (attempt %(number)s)"),
    gettext_noop("The end stays at %(moment)s."),
    gettext_noop("To %(moment)s. All of the booked time is there."),
    gettext_noop("To %(moment)s. Held while it is being paid."),
    gettext_noop("To %(moment)s. It costs nothing."),
    gettext_noop("To %(moment)s. %(price)s, paid."),
    gettext_noop("%(done)s of %(all)s steps done, in %(time)s. SHA-256 of the evidence %(digest)s."),
    gettext_noop("%(what)s: %(before)s was booked, it is %(after)s now"),
    gettext_noop("%(back)s comes back."),
    gettext_noop("%(why)s It tries again in %(time)s."),
    gettext_noop("It tries again in %(time)s."),
    gettext_noop("%(why)s Next try in %(time)s."),
    gettext_noop("%(count)s SSH key is let in now"),
    gettext_noop("%(count)s SSH keys are let in now"),
}

MONEY, COUNT = r"[^ ]*\d[^ ]*", r"\d+"
LENGTH = r"\d+ (?:day|hour|minute|second)s?(?: \d+ (?:hour|minute|second)s?)?"
MOMENT = r"[^.]*\d\d:\d\d[^.]*"
#: As English days name them: :data:`common.formats.DAYS`.
MONTHS = [name for _number, name in sorted(get_month_names("abbreviated", locale=ENGLISH).items())]
#: What stands in between, by its name. Not just anything: people write into history too.
BETWEEN = {
    "after": ".+",
    "all": COUNT,
    "back": MONEY,
    "before": ".+",
    "count": COUNT,
    "digest": r"\w+",
    "done": COUNT,
    "moment": MOMENT,
    "name": ".+",
    "number": COUNT,
    "price": MONEY,
    "steps": ".+",
    "time": LENGTH,
    "what": ".+",
    "why": ".+",
    "window": MOMENT,
}


def said(line: str, *, at: datetime | None = None) -> str:
    """The line in the active language, as far as it is known. ``at``: when it was written; it tells the year of moments."""
    return line if language() == ENGLISH else _known(line, at) or line


def knows(line: str) -> bool:
    """Whether it can be said in another language."""
    return _known(line, None) is not None


_contributed: list[Lines] = [Lines(WHOLE, FILLED)]


def contribute(lines: Lines) -> None:
    """Know what another room writes, too."""
    _contributed.append(lines)
    for made in (_whole, _patterns, _labels):
        made.cache_clear()


def _known(line: str, at: datetime | None) -> str | None:
    if line in _whole():
        return gettext(line)
    if line in _labels():
        return ": ".join(map(str, _labels()[line]))
    parts = AFTER_DIFFERENCE.split(line)
    if len(parts) > 1:
        return "; ".join(map(said, parts)) if all(map(knows, parts)) else None
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(line):
            return gettext(sentence) % {name: _between(name, words, at) for name, words in found.groupdict().items()}
    # What one server of a cluster has to say begins with its name.
    server, colon, rest = line.partition(": ")
    return f"{server}: {said(rest, at=at)}" if colon and knows(rest) else None


#: Differences of hardware stand in one line.
AFTER_DIFFERENCE = re.compile(r"(?<= now); ")


@cache
def _whole() -> frozenset[str]:
    return frozenset(sentence for lines in _contributed for sentence in lines.whole)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence, and what its lines look like; those of more words first, since they say more."""
    found = [sentence for lines in _contributed for sentence in lines.filled]
    return [(one, _pattern(one)) for one in sorted(found, key=lambda one: (-len(PLACE.sub("", one)), one))]


def _pattern(sentence: str) -> re.Pattern[str]:
    fixed = PLACE.split(sentence)  # words, name, words, name, …
    parts = [f"(?P<{part}>{BETWEEN[part]})" if place % 2 else re.escape(part) for place, part in enumerate(fixed)]
    return re.compile("".join(parts), re.DOTALL)


@cache
@in_english()
def _labels() -> dict[str, tuple[Promise | str, ...]]:
    """Lines that are made of labels: the reasons of cancellations, and what came of each step of a wipe."""
    alone: list[Promise | str] = [reason.label for reason in CancelReason]
    alone += [label for lines in _contributed for label in lines.labels]
    labels: dict[str, tuple[Promise | str, ...]] = {str(label): (label,) for label in alone}
    return labels | {
        f"{method.label}: {status.label.lower()}": (method.label, status.label)
        for method in WipeMethod
        for status in WipeStatus
    }


# In between -------------------------------------------------------------------------------------------


def _between(name: str, words: str, at: datetime | None) -> str:
    match name:
        case "why":
            return said(words, at=at)
        case "moment" | "window":
            return _moments(words, at)
    return _READ.get(name, str)(words)


def _moments(words: str, at: datetime | None) -> str:
    """``Tue 24 Nov, 16:00 UTC``, or a window, as the reader has it: in their zone, too.

    A year that goes without saying is that of ``at``. What would not have been written just like this then stays.
    """
    if at is None:
        return words
    first, dash, last = words.removesuffix(" UTC").partition(" – ")
    start = _moment(first, at)
    end = _moment(last, at, day=start)
    if start is None or (dash and end is None):
        return words
    with in_english():
        written = window_both(start, end, now=at) if dash else when_both(start, now=at)
    if written != words:
        return words
    return window_both(start, end) if dash else when_both(start)


def _moment(words: str, at: datetime, *, day: datetime | None = None) -> datetime | None:
    """``day``: that of a time by itself."""
    found = re.fullmatch(r"(?:\w+ (\d+) (\w+)(?: (\d{4}))?, )?(\d\d):(\d\d)", words)
    if found is None:
        return None
    number, month, year, hour, minute = found.groups()
    try:
        if number is None:
            return day and day.replace(hour=int(hour), minute=int(minute))
        which = MONTHS.index(month) + 1
        return datetime(int(year or at.astimezone(UTC).year), which, int(number), int(hour), int(minute), tzinfo=UTC)
    except ValueError:
        return None


def _money(words: str) -> str:
    """``€1,236.00`` as the reader has it."""
    for currency in Currency.values:
        symbol = get_currency_symbol(currency, locale=ENGLISH)
        if re.fullmatch(rf"{re.escape(symbol)}\d[\d,]*(?:\.\d+)?", words):
            return money(Decimal(words.removeprefix(symbol).replace(",", "")), currency)
    return words


def _length(words: str) -> str:
    """``1 hour 20 minutes`` as the reader has it."""
    parts = re.findall(r"(\d+) (day|hour|minute|second)", words)
    return duration(timedelta(**{f"{unit}s": int(count) for count, unit in parts}))


def _steps(words: str) -> str:
    """``SSH keys removed, Account deleted``: steps of a wipe."""
    with in_english():
        labels = [(str(method.label), method.label) for method in WipeMethod]
    for english, label in labels:
        words = words.replace(english, str(label))
    return words


_READ: dict[str, Callable[[str], str]] = {
    "what": hardware_words.said,
    "before": hardware_words.said,
    "after": hardware_words.said,
    "back": _money,
    "price": _money,
    "time": _length,
    "steps": _steps,
}
