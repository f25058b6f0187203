"""Living through the planned bookings, each step by the service that does it, at the time it would have happened.

All bookings are lived through together, in the order of time, because invoices are numbered in that order. Each is a
story: a generator that says when it goes on. A story leaves out what was done before, so that a load that broke off is
begun again from the start and takes up where it was.
"""

import hashlib
import heapq
import random
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import OutgoingMail, User
from billing.models import Refund, RefundStatus
from billing.services import refunds
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, Charge, ChargeKind, WipeMethod, WipeStatus
from bookings.services import cancel, end_early, extend, handover, request, run
from machines.models import Listing, MachineKind
from marketplace.demo import money
from marketplace.demo.plan import MINUTE, Fate, Offer, Planned

SECOND = timedelta(seconds=1)
#: Yields when it goes on; returns once it has come to the present.
Story = Iterator[datetime]
#: The least that a planned booking costs by the hour, in USD.
LEAST = Decimal(1)

EVIDENCE = """\
Made for the demonstration; no machine was touched.
machine   {machine}
booking   {booking}
account   {account}
time      {time:%Y-%m-%d %H:%M:%S} UTC
method    NIST SP 800-88 Clear

{steps}
"""
STEPS: dict[WipeMethod, str] = {
    WipeMethod.SESSIONS: "loginctl terminate-user {account}; pkill -KILL -u {account}: no process left",
    WipeMethod.SSH_KEYS: "rm -f /home/{account}/.ssh/authorized_keys: removed",
    WipeMethod.HOME: "rm -rf /home/{account} /scratch/{account}; fstrim: done",
    WipeMethod.USER: "userdel {account}; groupdel {account}: done",
    WipeMethod.VERIFICATION: "find / -xdev -user {account}; ps -u {account}; crontab; ipcs: nothing found",
}


def offers() -> list[Offer]:
    """The listings that can be booked."""
    return [
        Offer(
            machine=listing.machine.name,
            provider=listing.machine.provider.email,
            is_cluster=listing.machine.kind == MachineKind.CLUSTER,
            turnaround=listing.machine.turnaround,
            # Processors take no payment below half a dollar.
            min_hours=max(listing.min_hours, ceil(LEAST / listing.price_hour)),
            max_hours=listing.max_hours,
            max_ahead_days=listing.max_ahead_days,
            currency=listing.currency,
        )
        for listing in Listing.objects.active().with_machine()
    ]


class Life:
    """Tells the stories of bookings."""

    def __init__(self) -> None:
        self.listings = {listing.machine.name: listing for listing in Listing.objects.active().with_machine()}
        self.buyers = {user.email: user for user in User.objects.filter(roles__contains=["buyer"])}
        self.before = {(row.machine.name, row.start): row for row in Booking.objects.select_related("machine")}
        self.wallet = money.Wallet()
        self.endings: dict[Fate, Callable[[Booking, Planned], Story]] = {
            Fate.COMPLETED: self._complete,
            Fate.ENDED_EARLY: self._complete,
            Fate.RUNNING: self._hand_over_and_start,
            Fate.RUNNING_WITHOUT_ACCESS: self._start,
            Fate.ERASING: self._end,
            Fate.CONFIRMED: lambda booking, planned: iter(()),
            Fate.CANCELED_BY_BUYER: self._cancel,
            Fate.CANCELED_BY_PROVIDER: self._cancel,
        }

    def is_new(self, planned: Planned) -> bool:
        return (planned.machine, planned.start) not in self.before

    def story(self, planned: Planned) -> Story:
        draw = random.Random(f"{planned.machine} {planned.start.isoformat()}")  # noqa: S311 no secret
        listing, buyer = self.listings[planned.machine], self.buyers[planned.buyer]
        asked = planned.asked + draw.randrange(60) * SECOND
        yield asked
        booking = self.before.get((planned.machine, planned.start)) or request.request_booking(
            listing=listing, buyer=buyer, start=planned.start, end=planned.end, now=asked
        )
        if planned.fate == Fate.NOT_PAID:
            yield (lapsed := booking.hold_expires_at + 4 * SECOND)
            if not _now(booking).is_canceled:
                _must(cancel.cancel_lapsed_hold(booking_id=booking.pk, now=lapsed), booking)
            return
        yield (paid := asked + draw.randrange(60, 360) * SECOND)
        self.wallet.pay(booking.charges.get(number=1), payer=buyer, keep=planned.keeps_card, now=paid)
        yield from self.endings[planned.fate](booking, planned)

    def _cancel(self, booking: Booking, planned: Planned) -> Story:
        assert planned.canceled is not None
        yield planned.canceled
        if not _now(booking).is_canceled:
            by = booking.buyer if planned.fate == Fate.CANCELED_BY_BUYER else booking.machine.provider
            cancel.cancel_booking(booking_id=booking.pk, by=by, now=planned.canceled)
        yield from self._give_back(booking, planned.canceled)

    def _give_back(self, booking: Booking, since: datetime) -> Story:
        yield (made := since + 20 * SECOND)
        waiting = Refund.objects.filter(payment__booking=booking, status=RefundStatus.REQUESTED)
        for pk in list(waiting.values_list("pk", flat=True)):
            _must(refunds.make_refund(refund_id=pk, now=made), booking)

    def _start(self, booking: Booking, planned: Planned) -> Story:
        yield (at := planned.start + 3 * SECOND)
        if _now(booking).status == BookingStatus.PENDING:
            _must(run.start_booking(booking_id=booking.pk, now=at), booking)

    def _hand_over_and_start(self, booking: Booking, planned: Planned) -> Story:
        """Access is entered half an hour before the start, or soon after it. What comes while it runs comes then."""
        if booking.pk.int % 3:
            yield from self._record_access(booking, planned.start - 30 * MINUTE)
            yield from self._start(booking, planned)
        else:
            yield from self._start(booking, planned)
            yield from self._record_access(booking, planned.start + 6 * MINUTE)
        if planned.extended is not None:
            yield from self._extend(booking, *planned.extended)
        if planned.keeps_card:
            yield from self._pay_stages(booking)

    def _record_access(self, booking: Booking, at: datetime) -> Story:
        yield at
        if hasattr(_now(booking), "access"):
            return
        digest = hashlib.sha256(booking.machine.name.encode()).digest()
        handover.record_access(
            booking_id=booking.pk,
            by=booking.machine.provider,
            host=f"{booking.machine.name}.hosts.example",
            port=22 if digest[0] % 2 else 20_000 + digest[1],
            username=_account(booking),
            host_key_fingerprint="SHA256:" + b64encode(digest).decode().rstrip("="),
            access_note="",
            now=at,
        )

    def _extend(self, booking: Booking, at: datetime, new_end: datetime) -> Story:
        yield at
        charge = booking.charges.filter(kind=ChargeKind.EXTENSION).first() or extend.request_extension(
            booking_id=booking.pk, by=booking.buyer, new_end=new_end, now=at
        )
        yield (paid := at + 2 * MINUTE)
        self.wallet.pay(charge, payer=booking.buyer, now=paid)

    def _pay_stages(self, booking: Booking) -> Story:
        """By themselves, from the card that was kept."""
        for stage in list(Charge.objects.filter(booking=booking, kind=ChargeKind.STAGE).order_by("number")):
            yield (due := stage.due_at + 4 * SECOND)
            money.charge_stage(stage, now=due)

    def _end(self, booking: Booking, planned: Planned) -> Story:
        yield from self._hand_over_and_start(booking, planned)
        if planned.ended is not None:
            yield planned.ended
            end_early.end_early(booking_id=booking.pk, by=booking.buyer, now=planned.ended)
            yield from self._give_back(booking, planned.ended)
        yield (over := _now(booking).end + 4 * SECOND)
        if _now(booking).wipe_opened_at is None:
            _must(run.end_booking(booking_id=booking.pk, now=over), booking)

    def _complete(self, booking: Booking, planned: Planned) -> Story:
        """Erased in two goes, within the turnaround."""
        yield from self._end(booking, planned)
        end = _now(booking).end
        *first, last = WipeMethod
        for methods, after in ((first, 7 * MINUTE), ([last], 15 * MINUTE)):
            yield (recorded := end + after + 2 * MINUTE)
            if booking.wipes.filter(method__in=methods).exists():
                continue
            at = end + after
            handover.record_wipe(
                booking_id=booking.pk,
                by=booking.machine.provider,
                methods=methods,
                status=WipeStatus.SUCCESS,
                executed_at=at,
                evidence=_evidence(booking, methods, at),
                wipe_note="",
                now=recorded,
            )


def live(plan: Iterable[Planned], *, now: datetime) -> Iterator[Booking]:
    """Live through the plan and what the marketplace does beside it, up to ``now``.

    Each booking is told of once its story has come to the present; one that was there before is not.
    """
    life = Life()
    stories = [(life.story(planned), planned if life.is_new(planned) else None) for planned in plan]
    ahead = [(at, number) for number, (story, _) in enumerate(stories) if (at := next(story, None)) is not None]
    heapq.heapify(ahead)
    chores = money.chores(ahead[0][0], now=now) if ahead else iter(())
    chore = next(chores, None)
    while ahead:
        at, number = ahead[0]
        if chore is not None and chore <= at:
            chore = _go_on(chores, chore)
            continue
        story, planned = stories[number]
        following = _go_on(story, at)
        if following is not None and following <= now:
            heapq.heapreplace(ahead, (following, number))
            continue
        heapq.heappop(ahead)
        if planned is not None:
            yield Booking.objects.get(machine__name=planned.machine, start=planned.start)
    while chore is not None:
        chore = _go_on(chores, chore)


def _go_on(story: Story, at: datetime) -> datetime | None:
    """Take the step that a story said it would take then, and learn when the next one is."""
    following = next(story, None)
    sweep_mails(at)
    return following


def _now(booking: Booking) -> Booking:
    return Booking.objects.select_related("access").get(pk=booking.pk)


def sweep_mails(at: datetime) -> None:
    """Mark what was just written as sent then: most of the people do not exist."""
    OutgoingMail.objects.filter(sent_at=None).update(created_at=at, next_attempt_at=at, sent_at=at, attempts=1)


def _account(booking: Booking) -> str:
    return f"rsm-{booking.reference}"


def _evidence(booking: Booking, methods: list[WipeMethod], at: datetime) -> SimpleUploadedFile:
    account = _account(booking)
    steps = "\n".join(f"{method.value}\n    {STEPS[method].format(account=account)}" for method in methods)
    text = EVIDENCE.format(
        machine=booking.machine.name, booking=booking.reference, account=account, time=at, steps=steps
    )
    return SimpleUploadedFile(f"wipe-{booking.reference}.log", text.encode(), content_type="text/plain")


def _must(happened: bool, booking: Booking) -> None:
    if not happened:
        raise RuntimeError(f"Booking {booking.reference} did not go on. Does a worker run at the same time?")
