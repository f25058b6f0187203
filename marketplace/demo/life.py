"""Living through the planned bookings, each step by the service that does it, at the time it would have happened."""

import hashlib
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import OutgoingMail, User
from billing.models import Refund
from billing.services import cards, refunds
from bookings.models import Booking, WipeMethod, WipeStatus
from bookings.services import cancel, handover, request, run
from machines.models import Listing, MachineKind
from marketplace.demo import money
from marketplace.demo.plan import MINUTE, Fate, Offer, Planned

SECOND = timedelta(seconds=1)
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
        )
        for listing in Listing.objects.active().with_machine()
    ]


class Life:
    """Lives through bookings. ``sweep_mails`` runs after each step: nothing of this is ever to be sent."""

    def __init__(self) -> None:
        self.listings = {listing.machine.name: listing for listing in Listing.objects.active().with_machine()}
        self.buyers = {user.email: user for user in User.objects.filter(roles__contains=["buyer"])}
        self.customers: dict[str, str] = {}
        self.steps: dict[Fate, Callable[[Booking, Planned], None]] = {
            Fate.COMPLETED: self._complete,
            Fate.RUNNING: self._hand_over_and_start,
            Fate.RUNNING_WITHOUT_ACCESS: self._start,
            Fate.ERASING: self._end,
            Fate.CONFIRMED: lambda booking, planned: None,
            Fate.CANCELED_BY_BUYER: self._cancel,
            Fate.CANCELED_BY_PROVIDER: self._cancel,
        }

    def through(self, planned: Planned) -> Booking:
        draw = random.Random(f"{planned.machine} {planned.start.isoformat()}")  # noqa: S311 no secret
        listing, buyer = self.listings[planned.machine], self.buyers[planned.buyer]
        asked = planned.asked + draw.randrange(60) * SECOND
        booking = request.request_booking(listing=listing, buyer=buyer, start=planned.start, end=planned.end, now=asked)
        sweep_mails(booking, asked)
        if planned.fate == Fate.NOT_PAID:
            lapsed = booking.hold_expires_at + 4 * SECOND
            _must(cancel.cancel_lapsed_hold(booking_id=booking.pk, now=lapsed), booking)
            sweep_mails(booking, lapsed)
            return booking
        paid = asked + draw.randrange(60, 360) * SECOND
        money.pay(booking=booking, payer=buyer, customer=self._customer(buyer), now=paid)
        sweep_mails(booking, paid)
        self.steps[planned.fate](booking, planned)
        return booking

    def _customer(self, buyer: User) -> str:
        if buyer.email not in self.customers:
            self.customers[buyer.email] = cards.customer_of(buyer)
        return self.customers[buyer.email]

    def _cancel(self, booking: Booking, planned: Planned) -> None:
        assert planned.canceled is not None
        by = booking.buyer if planned.fate == Fate.CANCELED_BY_BUYER else booking.machine.provider
        cancel.cancel_booking(booking_id=booking.pk, by=by, now=planned.canceled)
        sweep_mails(booking, planned.canceled)
        made = planned.canceled + 20 * SECOND
        for pk in list(Refund.objects.filter(payment__booking=booking).values_list("pk", flat=True)):
            _must(refunds.make_refund(refund_id=pk, now=made), booking)
        sweep_mails(booking, made)

    def _start(self, booking: Booking, planned: Planned) -> None:
        _must(run.start_booking(booking_id=booking.pk, now=planned.start + 3 * SECOND), booking)
        sweep_mails(booking, planned.start + 3 * SECOND)

    def _hand_over_and_start(self, booking: Booking, planned: Planned) -> None:
        """Access is entered half an hour before the start, or soon after it."""
        if booking.pk.int % 3:
            self._record_access(booking, planned.start - 30 * MINUTE)
            self._start(booking, planned)
        else:
            self._start(booking, planned)
            self._record_access(booking, planned.start + 6 * MINUTE)

    def _record_access(self, booking: Booking, at: datetime) -> None:
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
        sweep_mails(booking, at)

    def _end(self, booking: Booking, planned: Planned) -> None:
        self._hand_over_and_start(booking, planned)
        _must(run.end_booking(booking_id=booking.pk, now=planned.end + 4 * SECOND), booking)
        sweep_mails(booking, planned.end + 4 * SECOND)

    def _complete(self, booking: Booking, planned: Planned) -> None:
        """Erased in two goes, within the turnaround."""
        self._end(booking, planned)
        *first, last = WipeMethod
        for methods, after in ((first, 7 * MINUTE), ([last], 15 * MINUTE)):
            at = planned.end + after
            handover.record_wipe(
                booking_id=booking.pk,
                by=booking.machine.provider,
                methods=methods,
                status=WipeStatus.SUCCESS,
                executed_at=at,
                evidence=_evidence(booking, methods, at),
                wipe_note="",
                now=at + 2 * MINUTE,
            )
            sweep_mails(booking, at + 2 * MINUTE)


def live(plan: list[list[Planned]]) -> Iterator[Booking]:
    """Live through the plan, machine by machine. A machine that has bookings already was lived through before."""
    life = Life()
    begun = set(Booking.objects.values_list("machine__name", flat=True).distinct())
    for bookings in plan:
        for planned in bookings:
            if planned.machine not in begun:
                yield life.through(planned)


def sweep_mails(booking: Booking, at: datetime) -> None:
    """Mark what was just written to the booking's people as sent then: most of them do not exist."""
    OutgoingMail.objects.filter(sent_at=None, user__in=[booking.buyer_id, booking.machine.provider_id]).update(
        created_at=at, next_attempt_at=at, sent_at=at, attempts=1
    )


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
