"""What has to hold when everything has come to rest. Reckoned from the processor's objects and the rows, not by services."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from django.db.models import Q, Sum

from accounts.tax import TaxKind
from billing.models import (
    Chargeback,
    ChargebackState,
    Invoice,
    LedgerEntry,
    Payment,
    PaymentStatus,
    Payout,
    PayoutStatus,
    Refund,
    RefundStatus,
    Series,
    WebhookEvent,
)
from billing.services import check, invoice_checks, reconcile
from billing.services.owed import in_the_way
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, BookingEvent, Charge, ChargeStatus
from machines.models import Outage
from tests.lives.world import World

ZERO = Decimal(0)
MINUTE = timedelta(minutes=1)


def faults(world: World) -> Iterator[str]:
    """Everything that is not as it should be, in words."""
    yield from (f"the ledger: {problem}" for problem in check.problems())
    yield from (f"documents: {finding}" for finding in invoice_checks.findings())
    run = reconcile.reconcile(now=world.now)
    yield from (f"reconciliation: {difference.what}" for difference in run.differences.all())
    if run.error:
        yield f"reconciliation was not finished: {run.error}"
    yield from (f"a call that Stripe's types do not allow: {violation}" for violation in world.processor.violations)
    yield from _open_ends(world)
    yield from _numbers()
    there = _kept_by_the_processor(world)
    for booking in Booking.objects.order_by("pk"):
        yield from (f"booking {booking.reference}: {fault}" for fault in _of(booking, there[str(booking.pk)]))


def _open_ends(world: World) -> Iterator[str]:
    """Nothing is left half done."""
    for payment in Payment.objects.filter(status=PaymentStatus.INCOMPLETE):
        if not payment.charge.booking.is_going_on(now=payment.timestamp + timedelta(days=365)):
            yield f"payment {payment.pk} is neither paid nor failed"
    for refund in Refund.objects.filter(status=RefundStatus.REQUESTED):
        yield f"refund {refund.pk} was never made: {refund.failure}"
    # What was given back after a payout was scheduled is taken off what the provider earns next: until then it waits.
    open_ones = list(Payout.objects.filter(status__in=[PayoutStatus.SCHEDULED, PayoutStatus.SENT]))
    waiting = in_the_way([one for one in open_ones if one.status == PayoutStatus.SCHEDULED], now=world.now)
    for payout in open_ones:
        if payout.pk not in waiting:
            yield f"payout {payout.pk} is {payout.status}: {payout.failure}"
    for chargeback in Chargeback.objects.undecided():
        yield f"chargeback {chargeback.pk} was never decided"
    for booking in Booking.objects.filter(status__in=[BookingStatus.PENDING, BookingStatus.ACTIVE]):
        yield f"booking {booking.reference} is {booking.status} for ever"
    for event in WebhookEvent.objects.filter(processed_at=None):
        yield f"event {event.event_id} {event.type} was never processed: {event.error}"


def _numbers() -> Iterator[str]:
    """Of each series and year: 1, 2, 3 …"""
    taken = defaultdict(list)
    for series, year, sequence in Invoice.objects.values_list("series", "year", "sequence"):
        taken[series, year].append(sequence)
    for key, numbers in taken.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"the numbers of {key} have a gap"


def _minor(amount: Decimal, currency: str) -> int:
    return int(amount * (1 if currency == "JPY" else 100))


def _of(booking: Booking, there: int) -> Iterator[str]:
    kept = {payment.pk: _kept(payment) for payment in booking.payments.filter(status=PaymentStatus.PAID)}
    total = sum(kept.values(), ZERO)
    if there != _minor(total, booking.currency):
        yield f"we count {total} as kept, the processor has {there}"
    # What the buyer has with us, because a refund failed for good, nobody has earned: a person has to see to it.
    kept = {pk: amount - _with_us(pk) for pk, amount in kept.items()}
    total = sum(kept.values(), ZERO)
    yield from _charged_once(booking, kept)
    paid = sum((charge.amount for charge in booking.charges.all() if charge.status == ChargeStatus.PAID), ZERO)
    if booking.given_back != paid - total:
        yield f"{booking.given_back} is said to have gone back, {paid} is paid and {total} is kept"
    if (most := _worth(booking)) is not None and total > most:
        yield f"the buyer has paid {total} for what was worth {most}"
    wanted = sum(
        (_providers(payment, kept[payment.pk]) for payment in booking.payments.all() if payment.pk in kept), ZERO
    )
    credited = -_sum(
        LedgerEntry.objects.filter(booking=booking, account__kind="provider_payable", transaction__payout=None)
    )
    if credited != wanted:
        yield f"the provider is credited {credited} of {total}, and should be {wanted}"
    yield from _documents(booking, kept)


def _sum(entries) -> Decimal:
    return entries.aggregate(total=Sum("amount"))["total"] or ZERO


def _kept(payment: Payment) -> Decimal:
    """What was neither given back nor taken back, and is not owed to the buyer either."""
    given = sum((r.amount for r in payment.refunds.all() if r.status == RefundStatus.MADE), ZERO)
    taken = sum((c.amount for c in Chargeback.objects.filter(payment=payment, state=ChargebackState.LOST)), ZERO)
    return payment.amount_total - given - taken


def _with_us(payment_pk: object) -> Decimal:
    return -_sum(LedgerEntry.objects.filter(transaction__payment=payment_pk, account__kind="buyer"))


def _kept_by_the_processor(world: World) -> dict[str, int]:
    """Minor units by booking: what succeeded, less what was refunded and what banks have taken for good."""
    kept: dict[str, int] = defaultdict(int)
    booking_of = {}
    for intent in world.processor.holds("payment_intent", status="succeeded"):
        booking_of[intent["id"]] = intent["metadata"]["booking_id"]
        kept[intent["metadata"]["booking_id"]] += intent["amount"]
    for kind, status in (("refund", "succeeded"), ("dispute", "lost")):
        for thing in world.processor.holds(kind, status=status):
            kept[booking_of[thing["payment_intent"]]] -= thing["amount"]
    return kept


def _charged_once(booking: Booking, kept: dict) -> Iterator[str]:
    for charge in booking.charges.all():
        of_it = [kept[payment.pk] for payment in charge.payments.all() if payment.pk in kept]
        if sum(of_it, ZERO) > (charge.amount if charge.status == ChargeStatus.PAID else ZERO):
            yield f"{charge.kind} {charge.number} of {charge.amount} is {charge.status}, and {of_it} was kept for it"


def _worth(booking: Booking) -> Decimal | None:
    """The most that the buyer may have paid: nothing where nothing was to be had, else what was paid for time that was.

    Time that the buyer could have used and did not, by their own doing, counts as had.
    """
    if booking.status == BookingStatus.CANCELED:
        by = BookingEvent.objects.filter(booking=booking, status_after=BookingStatus.CANCELED).first().actor_id
        if by == booking.buyer_id:
            return None
        return ZERO
    paid = list(Charge.objects.filter(booking=booking, status=ChargeStatus.PAID))
    access = getattr(booking, "access", None)
    if access is None:
        return ZERO
    price = sum((charge.amount for charge in paid), ZERO)
    late = access.ready_at - max(booking.start, booking.paid_at, _first_key(booking))
    lost = 0 if booking.booked_end or late <= MINUTE else -(-late // MINUTE)  # made up for at the end, or on time
    lost += max(sum(_silent_minutes(booking, access.ready_at)) - 5, 0)
    whole = sum(((charge.covers_until - charge.covers_from) // MINUTE for charge in paid), 0)
    unit = Decimal(1) if booking.currency == "JPY" else Decimal("0.01")
    if not booking.ended_early_at:
        return price * (whole - min(lost, whole)) / whole + unit
    # What was lost is worth what the used time was charged at.
    used = max((booking.booked_until - booking.start) // MINUTE, 1)
    for_the_rest = sum((_kept_by_terms(booking, charge) for charge in paid), ZERO)
    for_used = max(price - booking.unused_amount - for_the_rest, ZERO)
    return for_the_rest + for_used * (used - min(lost, used)) / used + 3 * unit


def _kept_by_terms(booking: Booking, charge: Charge) -> Decimal:
    """What of a charge stays for time after the end: each minute as if it began then."""
    steps = [(timedelta(seconds=seconds), Decimal(share)) for seconds, share in booking.refund_steps]
    since = max(charge.covers_from + booking.made_up, booking.end)
    until = charge.covers_until + booking.made_up
    cuts = sorted({since, until, *(booking.end + ahead for ahead, _ in steps)})
    kept = ZERO
    for begin, finish in pairwise(cut for cut in cuts if since <= cut <= until):
        back = next((share for ahead, share in steps if begin - booking.end >= ahead), ZERO)
        kept += charge.amount * (1 - back) * ((finish - begin) // MINUTE) / (charge.length // MINUTE)
    return kept


def _first_key(booking: Booking) -> datetime:
    keys = booking.buyer.ssh_keys.order_by("created_at").values_list("created_at", flat=True)
    return keys[0] if keys else booking.start


def _silent_minutes(booking: Booking, ready: datetime) -> Iterator[int]:
    for outage in Outage.objects.filter(machine=booking.machine_id):
        length = min(outage.ended_at, booking.end) - max(outage.began_at, ready, booking.start)
        yield max(-(-length // MINUTE), 0)


def _providers(payment: Payment, kept: Decimal) -> Decimal:
    unit = Decimal(1) if payment.currency == "JPY" else Decimal("0.01")
    booking = payment.booking
    rate = booking.tax_rate if booking.tax_kind == TaxKind.STANDARD else ZERO
    net = (kept / (1 + rate)).quantize(unit, rounding=ROUND_HALF_EVEN)
    return net - (net * Decimal("0.10")).quantize(unit, rounding=ROUND_HALF_EVEN)


def _corrects(invoice: Invoice) -> Q:
    """Its credit notes, and what was invoiced again of them."""
    return Q(corrects=invoice) | Q(corrects__corrects=invoice)


def _documents(booking: Booking, kept: dict) -> Iterator[str]:
    for invoice in booking.invoices.filter(series=Series.INVOICE, corrects=None):
        credited = -sum((row.signed_gross for row in Invoice.objects.filter(_corrects(invoice))), ZERO)
        if invoice.gross - credited != max(kept[invoice.payment_id], ZERO):
            yield f"{invoice.number} less its credit notes is {invoice.gross - credited}, kept is {kept[invoice.payment_id]}"
    for payment in booking.payments.filter(status=PaymentStatus.PAID):
        if kept[payment.pk] > 0 and not payment.invoice_number:
            yield f"{kept[payment.pk]} was kept of payment {payment.pk}, which has no invoice"
