"""Hearing of what was never told: refunds and disputes that somebody else began, and whose webhook did not arrive.

Payments, payouts and plans are asked after by the ids that we have. Of what is begun elsewhere we have none, so the
processor's lists are read.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from billing.errors import PaymentError, ProcessorAway, ProcessorRefused
from billing.gateway.listing import Listed, Lists
from billing.models import Chargeback, Refund, SubscriptionPayment
from billing.services.chargebacks import STATES, take_dispute_named
from billing.services.comparisons import REFUNDS
from billing.services.outside import take_refund
from billing.services.plan_payments import take_over_refunds
from common.money import from_minor

log = logging.getLogger(__name__)

#: How far back lists are read: a refund may fail weeks later, a dispute takes months.
REFUNDS_SINCE = timedelta(days=45)
DISPUTES_SINCE = timedelta(days=180)
BATCH = 500


def catch_up(*, now: datetime) -> int:
    """Sweep: bring what differs to where the processor says that it is. Returns how many did.

    Stops when the processor is away. One that cannot be taken is logged, and found by the reconciliation.
    """
    refunds = _differing(Lists(now - REFUNDS_SINCE).refunds(), _refunds_are)
    disputes = _differing(Lists(now - DISPUTES_SINCE).disputes(), _disputes_are)
    try:
        return _take(refunds, _take_refund, now=now) + _take(disputes, _take_dispute, now=now)
    except ProcessorAway:
        return 0


def _take(listed: Iterator[Listed], take: Callable[..., bool], *, now: datetime) -> int:
    taken = 0
    try:
        for thing in listed:
            try:
                taken += take(thing, now=now)
            except ProcessorAway:
                raise
            except PaymentError:
                log.exception("%s could not be taken", thing.id)
    except ProcessorRefused as error:
        if not error.is_missing:  # a stand-in has no such list
            raise
    return taken


def _take_refund(thing: Listed, *, now: datetime) -> bool:
    plan = SubscriptionPayment.objects.filter(stripe_payment_intent=thing.about or None).first()
    if plan is None:
        return take_refund(thing.id, now=now) is not None
    take_over_refunds(payment=plan, now=now)
    return True


def _take_dispute(thing: Listed, *, now: datetime) -> bool:
    return take_dispute_named(thing.id, now=now) is not None


def _differing(listed: Iterator[Listed], are: Callable[[list[Listed]], dict[str, bool]]) -> Iterator[Listed]:
    """Those that are not here as they are there, looked up by the hundred."""
    while batch := list(islice(listed, BATCH)):
        known = are(batch)
        yield from (thing for thing in batch if not known.get(thing.id))


def _refunds_are(listed: list[Listed]) -> dict[str, bool]:
    ours = Refund.objects.filter(stripe_refund__in=[thing.id for thing in listed])
    status = dict(ours.values_list("stripe_refund", "status"))
    settled = _plans_whose_refunds_are_here(listed)
    return {
        thing.id: thing.about in settled or thing.status in REFUNDS.agree.get(status.get(thing.id, ""), ())
        for thing in listed
    }


def _plans_whose_refunds_are_here(listed: list[Listed]) -> set[str]:
    """PaymentIntents of plans. Their refunds have no rows here, only a sum, which older ones may be in."""
    plans = SubscriptionPayment.objects.filter(stripe_payment_intent__in={thing.about for thing in listed})
    back: dict[str, int] = defaultdict(int)
    for thing in listed:
        if thing.status in REFUNDS.moves:
            back[thing.about] += thing.amount
    return {
        plan.stripe_payment_intent or ""
        for plan in plans
        if from_minor(back[plan.stripe_payment_intent or ""], plan.currency) <= plan.refunded
    }


def _disputes_are(listed: list[Listed]) -> dict[str, bool]:
    ours = Chargeback.objects.filter(stripe_dispute__in=[thing.id for thing in listed])
    state = dict(ours.values_list("stripe_dispute", "state"))
    plans = SubscriptionPayment.objects.filter(stripe_payment_intent__in={thing.about for thing in listed})
    for disputes in plans.values_list("disputes", flat=True):
        state |= {dispute: said["state"] for dispute, said in disputes.items()}
    return {thing.id: STATES.get(thing.status, "?") == state.get(thing.id) for thing in listed}
