"""Which bookings there are in the demonstration: who, what, when, and what becomes of each. Touches nothing.

First scenes for the demo sign-ins, so that every page has something to show to each of them; then chains of
bookings on other machines, so that calendars look used. The same ``now``, offers and seed give the same plan.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from marketplace.demo.people import BUYER, BUYER2, MEMBER, ORGADMIN, PROVIDER, PROVIDER2

SEED = "demonstration"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

#: Between two bookings of a machine; longer than the turnaround, apart from the first, which touches.
GAPS = [30 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR, DAY, 2 * DAY, 5 * DAY]
LENGTHS = [2, 4, 8, 12, 24, 24, 36, 48, 72, 120, 168]
LONGEST_CHAIN = 3
#: Nothing starts or ends this close to now, so that the sweeps find nothing to do right after loading.
QUIET = HOUR


class Fate(StrEnum):
    COMPLETED = "completed"
    ENDED_EARLY = "ended early by the buyer"
    RUNNING = "running"
    RUNNING_WITHOUT_ACCESS = "running, access not entered"
    ERASING = "over, not erased yet"
    CONFIRMED = "confirmed"
    CANCELED_BY_BUYER = "canceled by the buyer"
    CANCELED_BY_PROVIDER = "canceled by the provider"
    NOT_PAID = "never paid"


@dataclass(frozen=True)
class Offer:
    """A listing that can be booked, by its machine's name."""

    machine: str
    provider: str
    is_cluster: bool
    turnaround: timedelta
    min_hours: int
    max_hours: int
    max_ahead_days: int
    currency: str = "USD"


@dataclass(frozen=True)
class Planned:
    """One booking: asked for at ``asked``.

    Attributes:
        end: what was asked for at first.
        canceled: when, of those that someone cancels.
        ended: when the buyer ends it, of those that are ended early.
        extended: when the buyer extends it, and the end from then on.
        keeps_card: whether the card is kept, so that later stages can be charged to it.
    """

    machine: str
    buyer: str
    asked: datetime
    start: datetime
    end: datetime
    fate: Fate
    canceled: datetime | None = None
    ended: datetime | None = None
    extended: tuple[datetime, datetime] | None = None
    keeps_card: bool = False

    @property
    def last_end(self) -> datetime:
        """The end as the calendar has it once all is done; of one that is ended early, the one that was booked."""
        return self.extended[1] if self.extended else self.end


class Planner:
    def __init__(self, offers: Iterable[Offer], buyers: Sequence[str], *, now: datetime, seed: str = SEED) -> None:
        self.draw = random.Random(seed)  # noqa: S311 no secret
        self.now = now
        self.minute = now.replace(second=0, microsecond=0)
        self.hour = self.minute.replace(minute=0)
        self.buyers = list(buyers)
        self.offers = sorted(offers, key=lambda offer: offer.machine)
        self.plan: dict[str, list[Planned]] = {}

    def scenes(self) -> None:
        """What the demo sign-ins find. Hours are counted from the full hour, back into the past too."""
        mine = self._singles_of(PROVIDER)
        yours = self._singles_of(PROVIDER2)
        (cluster,) = (offer for offer in self.offers if offer.is_cluster)
        roomy = [
            offer
            for offer in self.offers
            if offer.provider not in (PROVIDER, PROVIDER2) and offer.max_hours >= 7 * 24 and offer.min_hours <= 12
        ]
        far, near, other = self.draw.sample(roomy, 3)

        self._scene(mine[0], BUYER, -12 * 24, 48, Fate.COMPLETED)
        self._scene(far, BUYER, -6 * 24, 24, Fate.COMPLETED)
        self._scene(mine[1], BUYER, -20, 72, Fate.RUNNING)
        self._scene(mine[2], BUYER, 26, 24, Fate.CONFIRMED)
        self._scene(near, BUYER, 9 * 24, 120, Fate.CONFIRMED)
        # Eleven days before the start: every kind of terms gives something back.
        self._scene(other, BUYER, 8 * 24, 48, Fate.CANCELED_BY_BUYER, canceled=-72, lead=14 * DAY)

        self._scene(mine[3], BUYER2, -26, 24, Fate.ERASING)
        self._scene(mine[3], MEMBER, 50, 24, Fate.CONFIRMED)
        just_begun = self.minute - 20 * MINUTE
        self._add(mine[4], BUYER2, just_begun, just_begun + DAY, Fate.RUNNING_WITHOUT_ACCESS, lead=2 * DAY)
        self._scene(yours[0], BUYER2, -5, 48, Fate.RUNNING)
        self._scene(yours[1], BUYER2, -4 * 24, 24, Fate.COMPLETED)
        self._scene(yours[1], BUYER2, 3 * 24, 24, Fate.CONFIRMED)
        self._scene(yours[2], BUYER2, -30, 12, Fate.NOT_PAID)
        self._scene(mine[0], BUYER2, 5 * 24, 48, Fate.CONFIRMED)

        self._scene(yours[3], ORGADMIN, -9 * 24, 72, Fate.COMPLETED)
        self._scene(mine[5], ORGADMIN, 30, 48, Fate.CONFIRMED)
        self._scene(cluster, ORGADMIN, 6 * 24, 48, Fate.CONFIRMED)
        self._scene(cluster, MEMBER, -15 * 24, 48, Fate.COMPLETED)
        self._scene(mine[2], MEMBER, -8 * 24, 24, Fate.COMPLETED)
        self._scene(yours[0], MEMBER, 4 * 24, 24, Fate.CONFIRMED)
        self._scene(yours[2], MEMBER, 6 * 24, 24, Fate.CANCELED_BY_PROVIDER, canceled=-24, lead=9 * DAY)
        self._scenes_of_money()

    def _scenes_of_money(self) -> None:
        """Bookings in euros, which are paid out, and in yen, which wait for an account that takes them."""
        (first,) = self._let_in(PROVIDER, "EUR")
        second, third = self._let_in(PROVIDER2, "EUR")
        (yen,) = self._let_in(PROVIDER, "JPY")

        self._scene(first, BUYER, -45 * 24, 72, Fate.COMPLETED)
        self._scene(first, BUYER2, -35 * 24, 48, Fate.COMPLETED)
        # Its second stage was charged to the kept card four days ago; the third comes in 24 days.
        self._scene(first, ORGADMIN, -25 * 24, 70 * 24, Fate.RUNNING, keeps_card=True)

        self._scene(second, MEMBER, -40 * 24, 96, Fate.COMPLETED)
        self._scene(second, BUYER, -20 * 24, 120, Fate.ENDED_EARLY, ended=-18 * 24 + 2)
        self._scene(second, BUYER2, -9 * 24, 48, Fate.COMPLETED)
        self._scene(second, ORGADMIN, -108, 24, Fate.COMPLETED)
        self._scene(second, BUYER, 50, 24, Fate.CONFIRMED)

        self._scene(third, BUYER2, -30 * 24, 48, Fate.COMPLETED, extended=(-29 * 24, 24))
        self._scene(third, MEMBER, -6 * 24, 72, Fate.ENDED_EARLY, ended=-5 * 24)
        self._scene(third, BUYER, -30, 48, Fate.RUNNING, extended=(-10, 24))

        self._scene(yen, BUYER, -10 * 24, 24, Fate.COMPLETED)
        self._scene(yen, ORGADMIN, -20, 72, Fate.RUNNING)

    def fill(self, count: int) -> None:
        """Add ``count`` further bookings, in chains on machines drawn at random."""
        left = count
        while left > 0:
            for offer in self.draw.sample(self.offers, len(self.offers)):
                if left <= 0:
                    return
                left -= self._chain(offer, most=min(left, LONGEST_CHAIN))

    def in_order(self) -> list[list[Planned]]:
        """The plan, machine by machine, each in order of time; machines with scenes first."""
        return [sorted(bookings, key=lambda one: one.start) for bookings in self.plan.values()]

    def _singles_of(self, provider: str) -> list[Offer]:
        """The file's machines, which are let in US dollars."""
        return [offer for offer in self._let_in(provider, "USD") if not offer.is_cluster]

    def _let_in(self, provider: str, currency: str) -> list[Offer]:
        return [offer for offer in self.offers if offer.provider == provider and offer.currency == currency]

    def _scene(
        self,
        offer: Offer,
        buyer: str,
        start: int,
        hours: int,
        fate: Fate,
        *,
        canceled: int | None = None,
        ended: int | None = None,
        extended: tuple[int, int] | None = None,
        keeps_card: bool = False,
        lead: timedelta = 3 * DAY,
    ) -> None:
        """
        Args:
            extended: when, as the start is given, and by how many hours.
        """
        begins = self.hour + start * HOUR
        ends = begins + max(offer.min_hours, min(hours, offer.max_hours)) * HOUR
        self._add(
            offer,
            buyer,
            begins,
            ends,
            fate,
            lead=lead,
            canceled=None if canceled is None else self.hour + canceled * HOUR,
            ended=None if ended is None else self.hour + ended * HOUR,
            extended=(self.hour + extended[0] * HOUR, ends + extended[1] * HOUR) if extended else None,
            keeps_card=keeps_card,
        )

    def _chain(self, offer: Offer, *, most: int) -> int:
        """Bookings one after the other on one machine, from some days ago on. Returns how many there are."""
        added = 0
        start = self.hour - self.draw.randint(1, 7 * 24) * HOUR
        while added < most and start < self.now + 24 * DAY:
            hours = self.draw.choice(LENGTHS)
            end = start + max(offer.min_hours, min(hours, offer.max_hours)) * HOUR
            if self._is_free(offer, start, end) and self._is_calm(start, end):
                self._draw_one(offer, start, end)
                added += 1
            start = end + max(self.draw.choice(GAPS), offer.turnaround)
        return added

    def _draw_one(self, offer: Offer, start: datetime, end: datetime) -> None:
        buyer = self.draw.choice(self.buyers)
        chance = self.draw.random()
        canceled = None
        if chance < 0.08:
            fate = Fate.CANCELED_BY_BUYER
        elif chance < 0.11:
            fate = Fate.CANCELED_BY_PROVIDER
        elif chance < 0.15:
            fate = Fate.NOT_PAID
        else:
            fate = Fate.COMPLETED if end < self.now else Fate.RUNNING if start < self.now else Fate.CONFIRMED
        lead = self.draw.randint(3 * 60, 9 * 24 * 60) * MINUTE
        if fate in (Fate.CANCELED_BY_BUYER, Fate.CANCELED_BY_PROVIDER):
            asked = self._asked(start, lead)
            latest = min(start, self.now)
            canceled = asked + HOUR + (latest - asked - 2 * HOUR) * self.draw.random()
        self._add(offer, buyer, start, end, fate, lead=lead, canceled=canceled)

    def _asked(self, start: datetime, lead: timedelta) -> datetime:
        """When it was asked for: before its start, and before now, but not so early that no offer reaches so far."""
        return min(start - lead, self.minute - lead % DAY - 3 * HOUR)

    def _add(
        self,
        offer: Offer,
        buyer: str,
        start: datetime,
        end: datetime,
        fate: Fate,
        *,
        lead: timedelta,
        **further: Any,
    ) -> None:
        asked = self._asked(start, lead)
        planned = Planned(offer.machine, buyer, asked, start, end, fate, **further)
        assert start - asked <= offer.max_ahead_days * DAY
        assert self._is_free(offer, start, planned.last_end)
        self.plan.setdefault(offer.machine, []).append(planned)

    def _is_free(self, offer: Offer, start: datetime, end: datetime) -> bool:
        return all(
            end + offer.turnaround <= other.start or other.last_end + offer.turnaround <= start
            for other in self.plan.get(offer.machine, [])
        )

    def _is_calm(self, start: datetime, end: datetime) -> bool:
        return all(abs(moment - self.now) > QUIET for moment in (start, end))
