"""Whatever is given back and taken back of a payment, in whatever order: the shares sum, and reverse to the last cent."""

from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tax import TaxKind
from billing.models import AccountKind, Chargeback, LedgerEntry, Payment, Refund
from billing.services import postings
from billing.services.ledger import balance
from bookings.models import Booking
from common.money import from_minor

pytestmark = pytest.mark.django_db

KINDS = (*postings.EARNINGS, AccountKind.BUYER, AccountKind.PROCESSOR, AccountKind.REFUNDS, AccountKind.CHARGEBACKS,
         AccountKind.LOSSES)  # fmt: skip
RATES = {TaxKind.STANDARD: Decimal("0.19"), TaxKind.REVERSE_CHARGE: Decimal(0), TaxKind.OUTSIDE_EU: Decimal(0)}
#: What may happen: a refund or a chargeback of so many hundredths of the payment, or one that is there moves on.
HAPPENING = st.one_of(
    st.tuples(st.just("refund"), st.integers(1, 100), st.just("")),
    st.tuples(st.just("chargeback"), st.integers(1, 100), st.sampled_from(["inquiry", "open", "lost"])),
    st.tuples(st.just("refund moves"), st.integers(0, 5), st.sampled_from(["made", "failed"])),
    st.tuples(st.just("chargeback moves"), st.integers(0, 5), st.sampled_from(["open", "won", "lost", "closed"])),
)


@st.composite
def stories(draw):
    """A payment and what happens to it."""
    currency, most = draw(st.sampled_from([("EUR", 500_000), ("USD", 999), ("GBP", 7), ("JPY", 100_000)]))
    commission = draw(st.sampled_from(["0", "0.1", "0.1234", "0.3333"]))
    kind = draw(st.sampled_from(list(RATES)))
    return currency, draw(st.integers(1, most)), Decimal(commission), kind, draw(st.lists(HAPPENING, max_size=8))


def make_payment(held: Booking, currency: str, minor: int, commission: Decimal, kind: str, now) -> Payment:
    """Earned, of so much, by the frozen shares."""
    Booking.objects.filter(pk=held.pk).update(tax_kind=kind, tax_rate=RATES[kind])
    payment = Payment.objects.create(
        booking=Booking.objects.get(pk=held.pk), charge=held.charges.get(), machine=held.machine, payer=held.buyer,
        provider=held.machine.provider, amount_total=from_minor(minor, currency), currency=currency, status="paid",
        paid_at=now, stripe_payment_intent="pi_1", commission_rate=commission,
    )  # fmt: skip
    postings.payment_received(payment, now=now)
    postings.charge_earned(payment, now=now)
    return payment


def happen(payment: Payment, what: str, number: int, state: str, now) -> None:
    refunds, chargebacks = list(payment.refunds.order_by("pk")), list(payment.chargebacks.order_by("pk"))
    if what == "refund":
        # As billing.services.refunds promises it: what the buyer has with us for a refund that failed pays no other.
        amount = _part(min(payment.refundable, postings.earned_of(payment)), number, payment.currency)
        if amount > 0:
            postings.refund_owed(
                Refund.objects.create(payment=payment, amount=amount, currency=payment.currency, reason="goodwill"), now=now
            )  # fmt: skip
    elif what == "chargeback":
        amount = _part(payment.amount_total, number, payment.currency)
        if amount > 0:
            chargeback = Chargeback.objects.create(
                payment=payment, stripe_dispute=f"du_{len(chargebacks)}", amount=amount, currency=payment.currency,
                state=state, stripe_status=state,
            )  # fmt: skip
            postings.chargeback_moved(chargeback, now=now)
    elif what == "refund moves" and number < len(refunds):
        refund = refunds[number]
        refund.status = state
        if state == "made":
            refund.stripe_refund, refund.made_at = f"re_{number}", now
        refund.save()
        postings.refund_moved(refund, now=now)
    elif what == "chargeback moves" and number < len(chargebacks):
        chargeback = chargebacks[number]
        chargeback.state = state
        chargeback.save()
        postings.chargeback_moved(chargeback, now=now)


def _part(amount: Decimal, hundredths: int, currency: str) -> Decimal:
    step = 1 if currency == "JPY" else 100
    return Decimal(int(amount * step) * hundredths // 100) / step


def of(payment: Payment, kind: str) -> Decimal:
    return balance(kind, currency=payment.currency, transaction__payment=payment)


def in_order(payment: Payment, *, made_after_all: Decimal = Decimal(0)) -> None:
    """What holds whatever has happened. ``made_after_all``: refunds that had failed, and what they were for may have
    gone to the buyer by another way meanwhile: so much the buyer may owe us.
    """
    payment = Payment.objects.select_related("booking", "payer", "provider").get(pk=payment.pk)
    earned = postings.earned_of(payment)
    shares = postings.shares_of(payment, earned)
    assert sum(of(payment, kind) for kind in KINDS) == 0
    assert (shares.provider, shares.commission, shares.tax) == (
        -of(payment, AccountKind.PROVIDER_PAYABLE), -of(payment, AccountKind.COMMISSION), -of(payment, AccountKind.TAX),
    )  # fmt: skip
    assert shares.net + shares.tax == earned
    assert 0 <= earned <= payment.amount_total
    assert min(shares.provider, shares.commission, shares.tax) >= 0
    assert of(payment, AccountKind.BUYER) <= made_after_all
    assert of(payment, AccountKind.LOSSES) >= 0
    refunds, chargebacks = payment.refunds.all(), payment.chargebacks.all()
    assert -of(payment, AccountKind.REFUNDS) == sum(row.amount for row in refunds if row.status == "requested")
    assert of(payment, AccountKind.CHARGEBACKS) == sum(row.amount for row in chargebacks if row.state == "open")
    gone = sum(row.amount for row in refunds if row.status == "made") + sum(
        row.amount for row in chargebacks if row.counts
    )
    assert of(payment, AccountKind.PROCESSOR) == payment.amount_total - gone


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_the_shares_are_always_those_of_what_is_kept(held, now, story):
    currency, minor, commission, kind, happenings = story
    with transaction.atomic():
        payment = make_payment(held, currency, minor, commission, kind, now)
        in_order(payment)
        made_after_all = Decimal(0)
        for what, number, state in happenings:
            before = dict(payment.refunds.filter(status="failed").values_list("pk", "amount"))
            happen(
                Payment.objects.select_related("booking", "payer", "provider").get(pk=payment.pk),
                what,
                number,
                state,
                now,
            )
            made = payment.refunds.filter(status="made", pk__in=before).values_list("pk", flat=True)
            made_after_all += sum((before[pk] for pk in made), Decimal(0))
            in_order(payment, made_after_all=made_after_all)
        transaction.set_rollback(True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), parts=st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_all_of_it_given_back_in_parts_leaves_nothing_behind(held, now, story, parts):
    currency, minor, commission, kind, _ = story
    with transaction.atomic():
        payment = make_payment(held, currency, minor, commission, kind, now)
        for part in [*parts, 100]:
            happen(payment, "refund", part, "", now)
            payment = Payment.objects.select_related("booking", "payer", "provider").get(pk=payment.pk)
        for number in range(payment.refunds.count()):
            happen(payment, "refund moves", number, "made", now)
        assert {kind: of(payment, kind) for kind in KINDS if of(payment, kind)} == {}
        transaction.set_rollback(True)


def test_moving_to_where_it_is_already_posts_nothing(held, now):
    payment = make_payment(held, "EUR", 1999, Decimal("0.1"), TaxKind.STANDARD, now)
    happen(payment, "refund", 33, "", now)
    happen(payment, "refund moves", 0, "made", now)
    happen(payment, "chargeback", 50, "open", now)
    before = LedgerEntry.objects.count()
    for refund in payment.refunds.all():
        postings.refund_moved(refund, now=now)
    for chargeback in payment.chargebacks.all():
        postings.chargeback_moved(chargeback, now=now)
    assert LedgerEntry.objects.count() == before


def test_a_bank_that_changes_its_mind_gives_back_to_whom_it_took_from(held, now):
    """All had been refunded before: the loss was ours, and nobody earns twice what the buyer was given back."""
    payment = make_payment(held, "EUR", 1999, Decimal("0.1"), TaxKind.STANDARD, now)
    happen(payment, "refund", 100, "", now)
    happen(payment, "refund moves", 0, "made", now)
    happen(payment, "chargeback", 100, "lost", now)
    assert of(payment, AccountKind.LOSSES) == Decimal("19.99")
    happen(payment, "chargeback moves", 0, "won", now)
    assert of(payment, AccountKind.LOSSES) == 0
    assert of(payment, AccountKind.PROVIDER_PAYABLE) == 0
    in_order(payment)
