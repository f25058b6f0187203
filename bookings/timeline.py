"""A booking as a timeline: what happened, what is now, what comes next and when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext as _

from bookings.let_in import is_left_out
from bookings.lifecycle import BookingStatus
from bookings.models import ACCESS_WORK, Booking, BookingEvent, Charge, DataWipe, WipeMethod, WipeStatus
from bookings.records import said
from bookings.services.erasure import NOT_ERASED
from bookings.services.mismatch import NOT_AS_BOOKED
from bookings.services.provision import COULD_NOT, TRIES
from bookings.terms import is_overdue
from common.formats import duration, money
from common.languages import in_english
from machines.models import Work, WorkKind, WorkState

#: Who did it, as the lines of the history call them, and as it is said after “by”.
BUYER, PROVIDER, ADMINISTRATOR = "the buyer", "the provider", "an administrator"
AFTER_BY = {
    BUYER: pgettext_lazy("by", "the buyer"),
    PROVIDER: pgettext_lazy("by", "the provider"),
    ADMINISTRATOR: pgettext_lazy("by", "an administrator"),
}


@dataclass(frozen=True)
class Step:
    """``state`` is done, now, next or bad; ``at`` a moment or words."""

    title: str
    state: str
    at: datetime | str = ""
    detail: str = ""
    by: str = ""


def steps(booking: Booking, *, is_buyer: bool = True, now: datetime) -> list[Step]:
    """Every recorded event, then where it stands, then what follows from its times.

    Args:
        is_buyer: whoever reads it is spoken to as the buyer.
    """
    present = _present(booking, is_buyer=is_buyer, now=now)
    return [*_past(booking), *present, *_future(booking, is_buyer=is_buyer, now=now)]


def _past(booking: Booking) -> list[Step]:
    people = {booking.buyer_id: BUYER, booking.machine.provider_id: PROVIDER}
    unclean = _unclean(booking)
    return [
        Step(
            said(event.what, at=event.at),
            # What a person canceled is as they wanted it; what the marketplace had to cancel went wrong.
            "bad" if _went_wrong(event) or _tells_of(event, unclean) else "done",
            event.at,
            said(event.detail, at=event.at),
            _by(event, people),
        )
        for event in booking.events.all()
    ]


def _went_wrong(event: BookingEvent) -> bool:
    if event.what.startswith((COULD_NOT, NOT_AS_BOOKED, NOT_ERASED)):
        return True
    return event.status_after == BookingStatus.CANCELED and event.actor_id is None


def _by(event: BookingEvent, people: dict[UUID, str]) -> str:
    """Who did it, unless the line says so itself."""
    who = people.get(event.actor_id, ADMINISTRATOR) if event.actor_id else ""
    return "" if not who or who in event.what else str(AFTER_BY[who])


def _unclean(booking: Booking) -> list[DataWipe]:
    """The steps of the wipe that did not succeed."""
    if booking.wipe_opened_at is None:
        return []
    return [wipe for wipe in booking.wipes.all() if wipe.status != WipeStatus.SUCCESS]


@in_english()
def _tells_of(event: BookingEvent, wipes: list[DataWipe]) -> bool:
    """Whether the event is the line that was written with one of these records, by the same person at the same time."""
    return any(
        (event.at, event.actor_id) == (wipe.recorded_at, wipe.recorded_by_id)
        and event.what.startswith(f"{wipe.get_method_display()}:")
        for wipe in wipes
    )


def _present(booking: Booking, *, is_buyer: bool, now: datetime) -> list[Step]:
    access = getattr(booking, "access", None)
    if booking.is_hold:
        what = _("Waiting for approval") if booking.awaits_approval else _("Waiting for payment")
        return [Step(what, "now", booking.hold_expires_at, _("The window is given back at this time."))]
    if booking.is_confirmed and booking.start > now:
        return [
            Step(
                _("Confirmed, waiting for the start"),
                "now",
                _("now"),
                _("%(time)s to go") % {"time": duration(booking.start - now)},
            )
        ]
    if booking.is_confirmed and not is_overdue(booking, now=now):
        tells = (
            _("This page tells by itself when it is yours.")
            if is_buyer
            else _("This page tells by itself when it is handed over.")
        )
        return [Step(_("Starting"), "now", _("now"), tells)]
    if booking.is_confirmed:
        return [
            Step(
                _("Not handed over in time"),
                "bad",
                _("now"),
                _(
                    "Nothing starts on a machine that has not been shown to be erased after the booking before. You can wait: "
                    "the time is added at the end, or refunded. Or cancel with a full refund."
                )
                if is_buyer
                else _(
                    "Nothing starts on a machine that has not been shown to be erased after the booking before. The buyer "
                    "can wait: the time is added at the end, or refunded. Or they cancel with a full refund."
                ),
            )
        ]
    if booking.is_awaiting_wipe and booking.is_automatic:
        return [_erasing(booking, now=now)]
    if booking.is_awaiting_wipe:
        return [Step(_("Being erased"), "now", _("now"), _("The machine is in quarantine until every step is shown."))]
    if booking.is_active and booking.end > now and is_left_out(booking) and not booking.keys_let_in().exists():
        why = _("The buyer does not book for their organization any more, and it has no key of its own.")
        return [Step(_("Nobody is let in"), "now", _("now"), why)]
    if booking.is_active and booking.end > now and booking.is_automatic and not access:
        return [_letting_in(booking, now=now)]
    if booking.is_active and booking.end > now:
        if access:
            what = _("Yours") if is_buyer else _("In use")
        elif is_buyer:
            what = _("Started: the provider is letting you in")
        else:
            what = _("Started: the provider is letting the buyer in")
        return [Step(what, "now", _("now"), _("%(time)s left") % {"time": duration(booking.end - now)})]
    return []


@dataclass(frozen=True)
class _Asked:
    """How far the agents of a machine are with what they were asked for last: one piece of work each."""

    works: list[Work]
    #: Of all that they were ever asked for.
    failures: int = 0

    @property
    def is_stubborn(self) -> bool:
        return self.failures >= TRIES

    def has(self, state: str) -> bool:
        return any(work.state == state for work in self.works)

    @property
    def done(self) -> int:
        return sum(work.state == WorkState.DONE for work in self.works)

    @property
    def of_all(self) -> str:
        """``2 of 4 servers are ready`` for a cluster, nothing for a single server."""
        if len(self.works) < 2:
            return ""
        return _("%(done)s of %(all)s servers are ready.") % {"done": self.done, "all": len(self.works)}

    def next_try(self, *, now: datetime) -> datetime | None:
        """When it goes on, where nothing but a pause is in the way."""
        waiting = [work.not_before for work in self.works if work.state == WorkState.WAITING]
        return min(waiting) if waiting and min(waiting) > now else None


def _told(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _asked(booking: Booking, *kinds: str) -> _Asked:
    found = Work.objects.filter(booking_id=booking.pk, kind__in=kinds).exclude(state=WorkState.CANCELED)
    rows = list(found.order_by("created_at", "pk"))
    failures = sum(work.state == WorkState.FAILED for work in rows)
    return _Asked(list({work.agent_id: work for work in rows}.values()), failures)


def _letting_in(booking: Booking, *, now: datetime) -> Step:
    """What the agents are doing to let the buyer in."""
    asked = _asked(booking, *ACCESS_WORK)
    if not booking.keys_let_in().exists():
        return Step(
            _("Waiting for the buyer's SSH key"), "now", _("now"), _("Without one the agent cannot let anybody in.")
        )
    if asked.has(WorkState.LEASED):
        what = _("The agent is making the account")
        return Step(what, "now", _("now"), _told(_("It checks by a log-in of its own that it works."), asked.of_all))
    if next_try := asked.next_try(now=now):
        told = _("The provider has been told. If it stays so, everything comes back.") if asked.is_stubborn else ""
        state = "bad" if asked.is_stubborn else "now"
        return Step(
            _("The agent tries again"), state, next_try, _told(_("It could not let the buyer in."), asked.of_all, told)
        )
    if asked.has(WorkState.WAITING) or not asked.works:
        return Step(
            _("Waiting for the machine's agent"),
            "now",
            _("now"),
            _told(_("It begins as soon as it answers."), asked.of_all),
        )
    if asked.has(WorkState.FAILED):
        return Step(
            gettext(COULD_NOT), "bad", _("now"), _("The provider has been told. If it stays so, everything comes back.")
        )
    return Step(_("Almost there"), "now", _("now"), asked.of_all)


def _erasing(booking: Booking, *, now: datetime) -> Step:
    """What the agents are doing to erase the machine."""
    asked = _asked(booking, WorkKind.WIPE)
    shown = {wipe.method for wipe in booking.wipes.all() if wipe.status == WipeStatus.SUCCESS}
    steps = _("%(shown)s of %(all)s steps were done at the last try.") if shown else ""
    kept = _told(
        _("The machine is in quarantine until every step is shown."),
        steps and steps % {"shown": len(shown), "all": len(WipeMethod)},
    )
    if asked.has(WorkState.LEASED):
        return Step(_("Being erased by the agent"), "now", _("now"), kept)
    if next_try := asked.next_try(now=now):
        return Step(_("The agent erases it once more"), "now", next_try, kept)
    if asked.has(WorkState.WAITING):
        return Step(
            _("Waiting for the agent to erase it"), "now", _("now"), _told(_("It begins as soon as it answers."), kept)
        )
    return Step(_("Not erased yet"), "bad", _("now"), _told(_("Somebody has to see to the machine."), kept))


def _price(charge: Charge) -> str:
    return f"{money(charge.amount, charge.currency)}."


def _future(booking: Booking, *, is_buyer: bool, now: datetime) -> list[Step]:
    if booking.is_canceled or booking.is_completed:
        return []
    timed = [
        (
            charge.due_at,
            Step(_("Stage %(number)s is charged") % {"number": charge.number}, "next", charge.due_at, _price(charge)),
        )
        for charge in booking.charges.all()
        if charge.is_open and charge.is_stage and charge.due_at > now
    ]
    if booking.start > now:
        expect = (
            _("You get the command and the host key to expect.")
            if is_buyer
            else _("The buyer gets the command and the host key to expect.")
        )
        timed.append((booking.start, Step(_("Handed over"), "next", booking.start, expect)))
    coming = [step for _, step in sorted(timed, key=lambda one: one[0])]
    if booking.end > now:
        coming.append(
            Step(
                _("Access ends, the machine is erased"),
                "next",
                booking.end,
                _("Keys, processes, home, account; then verified."),
            )
        )
    held = sum(
        (charge.length for charge in booking.charges.all() if charge.is_open and charge.is_extension), timedelta(0)
    )
    free = booking.blocked_until - held
    by = free if free > now else ""
    coming.append(Step(_("Erased, with evidence"), "next", by, _("Never billed.")))
    return coming
