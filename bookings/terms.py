"""What comes back when a booking is canceled or ended early: the terms that were frozen into it, read by code and pages alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from bookings.availability import MINUTE, whole_minute
from bookings.let_in import was_never_let_in
from bookings.models import Booking, Charge
from common.languages import said_later
from common.money import rounded
from machines import pricing

RESOLUTION = timedelta.resolution


@dataclass(frozen=True)
class Terms:
    """Steps of ``(time left before the start, share of the price that comes back)``; the first that fits counts."""

    steps: tuple[tuple[timedelta, Decimal], ...]

    def share(self, *, before_start: timedelta) -> Decimal:
        """The share of the price, 0 to 1, that a buyer gets back who cancels ``before_start``."""
        return next((share for at_least, share in self.steps if before_start >= at_least), Decimal(0))

    def spans(self) -> Iterator[tuple[timedelta, timedelta | None, Decimal]]:
        """Stretches of time, by how far ahead they lie, from the furthest: from, until (``None``: without end), share.

        What is nearer than the last step gets nothing.
        """
        until = None
        for at_least, share in self.steps:
            if until is None or at_least < until:
                yield at_least, until, share
                until = at_least
        if until is None or until > timedelta(0):
            yield timedelta(0), until, Decimal(0)

    def full_until(self, start: datetime) -> datetime | None:
        """Until when everything comes back, or ``None`` if never."""
        return next((start - at_least for at_least, share in self.steps if share == 1), None)

    @property
    def sentence(self) -> str:
        """In words, from the same numbers."""
        parts = [
            _("%(share)s until %(moment)s") % {"share": _share_words(share), "moment": _span_words(at_least)}
            for at_least, share in self.steps
        ]
        if self.steps[-1][0] > timedelta(0):
            parts.append(_("nothing after that"))
        return f"{', '.join(parts)}."

    def frozen(self) -> list[list[str | float]]:
        """As a booking keeps them: seconds and shares."""
        return [[at_least.total_seconds(), str(share)] for at_least, share in self.steps]


def current(name: str) -> Terms:
    """What terms of this name mean today (``settings.MARKETPLACE_CANCELLATION``; rules: When)."""
    return Terms(tuple((at_least, Decimal(share)) for at_least, share in settings.MARKETPLACE_CANCELLATION[name]))


def frozen_into(booking: Booking) -> Terms:
    """What the booking's terms meant when it was asked for: later changes of the settings do not touch it."""
    return Terms(tuple((timedelta(seconds=seconds), Decimal(share)) for seconds, share in booking.refund_steps))


@dataclass(frozen=True)
class Refund:
    """What a cancellation gives back, and why, line by line.

    ``price`` is what has been paid; ``share`` is the part of it, 0 to 1; ``before`` went back already, for whatever
    reason; ``back`` is what comes back now, no more than is left; ``kept`` is the rest. Amounts in ``currency``;
    ``before``, ``back`` and ``kept`` add up to ``price``. Stages that are not charged yet are not charged any more.
    """

    price: Decimal
    share: Decimal
    before: Decimal
    back: Decimal
    currency: str
    because: StrOrPromise

    @property
    def kept(self) -> Decimal:
        return self.price - self.before - self.back


def is_overdue(booking: Booking, *, now: datetime) -> bool:
    """Whether its time has come and the machine has not: it is in quarantine, or the start is overdue.

    The few seconds between a start and the sweep that notices it are no reason to give everything back.
    """
    if now < booking.start:
        return False
    overdue = now >= booking.start + settings.MARKETPLACE_LATE_START
    return overdue or Booking.objects.kept_waiting(now=now).filter(pk=booking.pk).exists()


def refund_for(booking: Booking, *, by_provider: bool, now: datetime) -> Refund:
    """What canceling the booking now gives back. Changes nothing."""
    because: StrOrPromise
    if not booking.is_paid:
        share, because = Decimal(0), gettext_lazy("Nothing has been paid.")
    elif by_provider:
        share, because = Decimal(1), gettext_lazy("The provider cancels: everything comes back.")
    elif is_overdue(booking, now=now):
        share = Decimal(1)
        because = gettext_lazy("The machine was not handed over in time: everything comes back.")
    else:
        terms = frozen_into(booking)
        share = terms.share(before_start=booking.start - now)
        because = said_later(
            lambda: (
                _("%(kind)s terms: %(terms)s")
                % {"kind": booking.get_cancellation_terms_display(), "terms": terms.sentence}
            )
        )
    return _refund(booking, share, because)


def everything(booking: Booking, because: StrOrPromise) -> Refund:
    """All that was paid, for a reason that no terms change."""
    return _refund(booking, Decimal(1), because)


def _refund(booking: Booking, share: Decimal, because: StrOrPromise) -> Refund:
    price = booking.paid_total
    before = min(booking.given_back, price)
    back = min(rounded(price * share, booking.currency), price - before)
    return Refund(price, share, before, back, booking.currency, because)


@dataclass(frozen=True)
class Unused:
    """A stretch of time that is left when a booking is ended early: ``back`` of the ``price`` that was paid for it."""

    length: timedelta
    share: Decimal
    price: Decimal
    back: Decimal

    @property
    def words(self) -> str:
        return {Decimal(1): _("all of it back"), Decimal(0): _("nothing back")}.get(
            self.share, _share_words(self.share)
        )


@dataclass(frozen=True)
class Ending:
    """What ending a booking at ``end`` gives back, line by line. Amounts in ``currency``.

    ``before``, ``back`` and ``kept`` add up to ``price``, which is what has been paid; ``before`` went back already,
    for whatever reason. ``not_charged`` are later stages that are not charged any more. ``used_alone`` is what the time
    until then costs by itself, at the rates of the booking: no less is kept, so less may come back than the lines say.
    """

    end: datetime
    lines: tuple[Unused, ...]
    price: Decimal
    before: Decimal
    not_charged: Decimal
    used_alone: Decimal
    currency: str
    because: StrOrPromise

    @property
    def by_terms(self) -> Decimal:
        return sum((line.back for line in self.lines), Decimal(0))

    @property
    def held_back(self) -> Decimal:
        """What comes back less than the terms say, because a shorter booking is dearer by the hour."""
        return max(self.by_terms - max(self.price - self.used_alone, Decimal(0)), Decimal(0))

    @property
    def back(self) -> Decimal:
        """No more than is left."""
        return min(self.by_terms - self.held_back, self.price - self.before)

    @property
    def kept(self) -> Decimal:
        return self.price - self.before - self.back


def earliest_end(booking: Booking, *, now: datetime) -> datetime:
    """The next whole minute, or its end if that is sooner. No booking is shorter than a minute."""
    return min(booking.end, max(whole_minute(now), booking.start + MINUTE))


def refund_for_ending(booking: Booking, *, now: datetime, at: datetime | None = None) -> Ending:
    """What ending a running booking early gives back. Changes nothing.

    Ending early is canceling the time that is left, by the terms that were frozen into the booking: each unused minute
    counts as if it began then. So the minutes that lie at least as far ahead of the new end as a step of the terms says
    get that step's share of what was paid for them. Rounded once a line, and never more than was paid.

    The time that was used never costs less than if it had been booked by itself: else who wants a day books a month.
    What of it was lost comes back when the booking ends, at what it was charged at: :func:`charged_for_used`.

    Args:
        at: the new end; if not given, the next whole minute.
    """
    end = at or earliest_end(booking, now=now)
    charges = list(booking.charges.kept())
    price = booking.paid_total
    open_stages = sum((charge.amount for charge in charges if charge.is_open and charge.is_stage), Decimal(0))
    alone = Decimal(0)
    if was_never_let_in(booking, now=now):
        lines: tuple[Unused, ...] = (Unused(booking.end - end, Decimal(1), price, price),)
        because: StrOrPromise = gettext_lazy("You have not been let in: everything comes back.")
    else:
        paid = [charge for charge in charges if charge.is_paid]
        lines = tuple(_unused(booking, paid, end, price))
        terms = frozen_into(booking)
        alone = _alone(booking, paid, end)
        because = said_later(
            lambda: (
                _("%(kind)s terms, as if each unused minute began then: %(terms)s")
                % {"kind": booking.get_cancellation_terms_display(), "terms": terms.sentence}
            )
        )
    before = min(booking.given_back, price)
    return Ending(end, lines, price, before, open_stages, alone, booking.currency, because)


def charged_for_used(booking: Booking) -> Decimal:
    """What a booking that was ended early was charged for the time until then, and is what lost time in it is worth.

    All that was kept, except what the terms keep of the time that was left.
    """
    lines = _unused(booking, list(booking.charges.paid()), booking.end, booking.price_total)
    for_the_rest = sum((line.price - line.back for line in lines), Decimal(0))
    return max(booking.price_total - booking.unused_amount - for_the_rest, Decimal(0))


def _alone(booking: Booking, paid: Sequence[Charge], end: datetime) -> Decimal:
    """What the time until ``end`` would have cost, had no more been booked.

    Extensions were sold at the rates of their day: of each counts as much as the booking's own rates would ask for the
    used part of it, in proportion to what it cost. So one that was bought at half the rates counts half.
    """
    rates, used = booking.rates, end - booking.made_up
    if rates is None or used <= booking.start:
        return Decimal(0)

    def listed(until: datetime) -> Decimal:
        return pricing.quote(rates, booking.start, until).total

    extensions = [charge for charge in paid if charge.is_extension and charge.covers_from < used]
    first = min((charge.covers_from for charge in extensions), default=used)
    alone = booking.treatment.payable(listed(first), booking.currency)
    for charge in extensions:
        until = min(used, charge.covers_until)
        before = listed(charge.covers_from)
        part, whole = listed(until) - before, listed(charge.covers_until) - before
        if not whole:  # those rates would have asked nothing for it: by its minutes
            part, whole = Decimal((until - charge.covers_from) // RESOLUTION), Decimal(charge.length // RESOLUTION)
        alone += charge.amount * part / whole
    return rounded(alone, booking.currency)


def _unused(booking: Booking, paid: Sequence[Charge], end: datetime, most: Decimal) -> Iterator[Unused]:
    """The furthest time first. ``most``: no more comes back of them together."""
    for ahead, until, share in frozen_into(booking).spans():
        first, last = end + ahead, None if until is None else end + until
        length, price = timedelta(0), Decimal(0)
        for charge in paid:
            begins, ends = charge.covers_from + booking.made_up, charge.covers_until + booking.made_up
            covered = (ends if last is None else min(ends, last)) - max(begins, first)
            if covered > timedelta(0):
                length += covered
                price += charge.amount * (covered // RESOLUTION) / (charge.length // RESOLUTION)
        if length:
            back = min(rounded(price * share, booking.currency), most)
            most -= back
            yield Unused(length, share, rounded(price, booking.currency), back)


def _share_words(share: Decimal) -> str:
    named = {Decimal("1"): _("full refund"), Decimal("0.5"): _("half back")}
    return named.get(share, _("%(share)s%% back") % {"share": f"{share * 100:.0f}"})


def _span_words(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    if hours <= 0:
        return _("the start")
    if hours % 24 == 0 and hours > 24:
        days = hours // 24
        return ngettext("%(days)s day before the start", "%(days)s days before the start", days) % {"days": days}
    return ngettext("%(hours)s hour before the start", "%(hours)s hours before the start", hours) % {"hours": hours}
