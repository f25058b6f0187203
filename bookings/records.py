"""What the history of a booking says, in the language of whoever reads it.

History is written once, in English. Its lines are known here: whole sentences, and those with something in between, which
stays as it was written. A line that is not known is shown as it is.
"""

import re
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop

from bookings.models import WipeMethod, WipeStatus
from bookings.services.cancel import CancelReason
from common.formats import language
from common.languages import ENGLISH, in_english

PLACE = re.compile(r"%\((\w+)\)s")

#: Sentences of fixed words.
WHOLE = {
    gettext_noop("Access brought up to date by the agent"),
    gettext_noop("Access corrected"),
    gettext_noop("Access entered"),
    gettext_noop("Approved"),
    gettext_noop("A key that is added lets them in again."),
    gettext_noop("Asked for"),
    gettext_noop("Delayed: the machine is still being erased after the booking before"),
    gettext_noop("Ended early by the buyer"),
    gettext_noop("Erased"),
    gettext_noop("Erased and completed"),
    gettext_noop("Extended"),
    gettext_noop("Extension asked for"),
    gettext_noop("Extension given back"),
    gettext_noop("Handed over: log-in checked by the agent"),
    gettext_noop("Held while it is being paid."),
    gettext_noop("In quarantine until the erasure is shown."),
    gettext_noop("Late, or without a heartbeat: see the time line of the booking."),
    gettext_noop("Left: the machine is not as booked"),
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
    gettext_noop("The erasure is tried again"),
    gettext_noop("The machine is not as booked"),
    gettext_noop(
        "The machine is promised after the booking, so the end stays. The time lost is refunded when it ends."
    ),
    gettext_noop("The machine signed evidence of its erasure"),
    gettext_noop("Waits for approval"),
}
#: Sentences with something in between; the more particular first.
FILLED = [
    gettext_noop("%(back)s comes back for %(count)s minute that were lost"),
    gettext_noop("%(back)s comes back for %(count)s minutes that were lost"),
    gettext_noop("%(back)s given back at the payment processor"),
    gettext_noop("%(back)s refunded"),
    gettext_noop("%(back)s to be given back"),
    gettext_noop("By %(name)s, until %(moment)s."),
    gettext_noop("Ends early: stage %(number)s was not paid"),
    gettext_noop("Handed over %(count)s minute late"),
    gettext_noop("Handed over %(count)s minute late: the end moves"),
    gettext_noop("Handed over %(count)s minutes late"),
    gettext_noop("Handed over %(count)s minutes late: the end moves"),
    gettext_noop("It ends %(moment)s. %(back)s of %(price)s comes back."),
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
    gettext_noop("%(why)s Next try in %(time)s."),
    gettext_noop("%(count)s SSH key is let in now"),
    gettext_noop("%(count)s SSH keys are let in now"),
]


def said(line: str) -> str:
    """The line in the active language, as far as it is known."""
    if language() == ENGLISH:
        return line
    if line in WHOLE:
        return gettext(line)
    if line in _labels():
        return ": ".join(map(str, _labels()[line]))
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(line):
            return gettext(sentence) % found.groupdict()
    return line


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence, and what its lines look like."""
    made = []
    for sentence in FILLED:
        fixed = PLACE.split(sentence)  # words, name, words, name, …
        parts = [f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(fixed)]
        made.append((sentence, re.compile("".join(parts), re.DOTALL)))
    return made


@cache
@in_english()
def _labels() -> dict[str, tuple[Promise | str, ...]]:
    """Lines that are made of labels: the reasons of cancellations, and what came of each step of a wipe."""
    reasons: dict[str, tuple[Promise | str, ...]] = {str(reason.label): (reason.label,) for reason in CancelReason}
    return reasons | {
        f"{method.label}: {status.label.lower()}": (method.label, status.label)
        for method in WipeMethod
        for status in WipeStatus
    }
