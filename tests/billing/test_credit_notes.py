"""What corrects invoices: credit notes, and invoices that correct those."""

from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import BillingDetails
from billing.documents.figures import check
from billing.gateway import Intent
from billing.models import (
    Chargeback,
    ChargebackState,
    Invoice,
    Payment,
    RefundReason,
    Series,
    Subscription,
    SubscriptionPayment,
)
from billing.services import payments, postings, refunds
from billing.services.cards import Means
from billing.services.credit_notes import (
    issue_chargeback_note,
    issue_credit_note,
    issue_subscription_credit_note,
    issue_subscription_reinstatement,
)
from billing.services.invoice_checks import findings
from billing.services.invoices import issue_subscription_invoice
from billing.services.issuing import document_of
from bookings.services.cancel import cancel_lapsed_hold
from common.money import minor_unit, shared_out, to_minor
from tests.invoicing import AUSTRIAN, give_back, invoice_of
from tests.papers import CURRENCIES, is_faultless
from tests.people import DAY, HOUR, make_billing_details, make_hold

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


def test_a_refund_that_is_owed_has_a_credit_note(paid, now):
    payment = paid.payments.get()
    note = give_back(payment, "3.33", now, RefundReason.TIME_LOST)
    document, original = document_of(note), document_of(invoice_of(paid))
    assert note.number == f"CN-{now.year}-000001"
    assert note.corrects == invoice_of(paid)
    assert (document.corrects_number, document.corrects_on) == (original.number, original.issued_on)
    assert (document.gross, document.net + document.tax) == (Decimal("3.33"), Decimal("3.33"))
    assert document.lines[0].description == "Time lost: late or down"
    assert document.notes == ("It goes back to Visa 4242.",)
    assert document.buyer == original.buyer
    assert document.paid == 0
    assert is_faultless(document)


def test_asking_for_the_same_credit_note_again_gives_the_first(paid, now):
    note = give_back(paid.payments.get(), "1.00", now)
    assert issue_credit_note(refund=note.refund, now=now + DAY) == note
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == 1


def test_the_last_credit_note_takes_what_is_left_to_the_cent(paid, now):
    payment, invoice = paid.payments.get(), invoice_of(paid)
    for amount in ("0.01", "0.02", "1.11", "2.22"):
        give_back(payment, amount, now)
    give_back(payment, payment.refundable, now)
    notes = [document_of(note) for note in invoice.corrections.all()]
    for name in ("net", "tax", "gross"):
        assert sum(getattr(note, name) for note in notes) == getattr(invoice, name)
    assert list(findings()) == []


def test_a_refund_that_failed_and_is_asked_for_again_is_credited_once(paid, administrator, now):
    note = give_back(paid.payments.get(), "2.00", now)
    refunds.give_up(refund_id=note.refund_id, why="The card is gone.", now=now)
    again = refunds.ask_again(refund=note.refund, by=administrator, now=now)
    assert not Invoice.objects.filter(refund=again).exists()
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == 1
    assert list(findings()) == []


def test_what_was_paid_too_late_has_neither_invoice_nor_credit_note(listing, buyer, now):
    held = make_hold(listing, buyer, start=now + 2 * DAY, asked=now - HOUR)
    mark_paid_late(held, now=now)
    assert Payment.objects.get(booking=held).refunds.count() == 1
    assert not Invoice.objects.exists()
    assert list(findings()) == []


def mark_paid_late(held, *, now) -> None:
    """Begun while it was held, and taken by the processor after it had lapsed."""
    payment = payments.begin(
        charge_id=held.charges.get().pk,
        payer=held.buyer,
        means=Means("cus_nobody", "pm_nobody", "Visa 4242"),
        now=held.created_at,
    )
    cancel_lapsed_hold(booking_id=held.pk, now=now)
    amount = to_minor(payment.amount_total, payment.currency)
    payments.apply(Intent("pi_late", "succeeded", amount, payment.currency, "", str(payment.pk), ""), now=now)


def test_what_a_bank_took_for_good_is_credited_and_no_more_than_was_left(paid, now):
    payment = paid.payments.get()
    give_back(payment, "3.00", now)
    lost = Chargeback.objects.create(
        payment=payment, stripe_dispute="dp_1", amount=payment.amount_total, currency="EUR",
        state=ChargebackState.LOST, stripe_status="lost", opened_at=now,
    )  # fmt: skip
    postings.chargeback_moved(lost, now=now)
    note = issue_chargeback_note(chargeback=lost, now=now)
    assert note.gross == payment.amount_total - 3
    assert issue_chargeback_note(chargeback=lost, now=now) == note
    assert document_of(note).lines[0].description == "Taken back by the cardholder's bank"
    assert is_faultless(document_of(note))
    assert list(findings()) == []


@given(
    units=st.integers(50, 10**7),
    currency=st.sampled_from(CURRENCIES),
    tax=st.sampled_from([("standard", "0.19"), ("standard", "0.255"), ("standard", "0.07"), ("reverse_charge", "0")]),
    shares=st.lists(st.integers(0, 100), max_size=6),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_credit_notes_never_exceed_their_invoice(buyer, now, units, currency, tax, shares):
    """Through what is refunded of a plan: each step credits the difference, whatever the steps."""
    kind, rate = tax[0], Decimal(tax[1])
    amount = units * minor_unit(currency)
    if not BillingDetails.objects.filter(user=buyer).exists():
        make_billing_details(buyer, **AUSTRIAN)
    with transaction.atomic():
        plan, _ = Subscription.objects.get_or_create(user=buyer)
        paid = SubscriptionPayment.objects.create(
            subscription=plan, stripe_invoice="in_1", amount=amount, currency=currency, tier="individual",
            tax_kind=kind, tax_rate=rate, period_start=now, period_end=now + 30 * DAY, paid_at=now,
        )  # fmt: skip
        invoice = issue_subscription_invoice(subscription_payment=paid, now=now)
        check(document_of(invoice))
        for share in [*sorted(shares), 100]:
            paid.refunded = shared_out(amount, [Decimal(share), Decimal(100 - share)], currency)[0]
            paid.refunded = max(paid.refunded, Decimal(0))
            paid.save(update_fields=["refunded"])
            issue_subscription_credit_note(subscription_payment=paid, now=now)
            notes = [document_of(note) for note in invoice.corrections.all()]
            for note in notes:
                check(note)
                assert note.gross > 0
                assert note.net >= 0
                assert note.tax >= 0
            for name in ("net", "tax", "gross"):
                assert sum(getattr(note, name) for note in notes) <= getattr(invoice, name)
            assert sum(note.gross for note in notes) == paid.refunded
        for name in ("net", "tax", "gross"):
            assert sum(getattr(note, name) for note in notes) == getattr(invoice, name)
        assert issue_subscription_credit_note(subscription_payment=paid, now=now) is None
        transaction.set_rollback(True)


def test_a_refund_of_a_plan_that_fails_later_is_invoiced_again(buyer, now):
    paid = SubscriptionPayment.objects.create(
        subscription=Subscription.objects.create(user=buyer), stripe_invoice="in_1", amount=Decimal("119.00"),
        currency="EUR", tier="individual", tax_kind="standard", tax_rate=Decimal("0.19"), period_start=now,
        period_end=now + 30 * DAY, paid_at=now,
    )  # fmt: skip
    with transaction.atomic():
        postings.subscription_moved(paid, now=now)
        first = issue_subscription_invoice(subscription_payment=paid, now=now)
    for refunded in (40, 119, 30, 50):
        with transaction.atomic():
            paid.refunded = Decimal(refunded)
            paid.save(update_fields=["refunded"])
            postings.subscription_moved(paid, now=now)
            issue_subscription_credit_note(subscription_payment=paid, now=now)
            issue_subscription_reinstatement(subscription_payment=paid, now=now)
        assert list(findings()) == []
    documents = Invoice.objects.exclude(pk=first.pk).order_by("pk")
    assert [(row.series, row.gross) for row in documents] == [
        ("CN", 40),
        ("CN", 79),
        ("SUB", 79),
        ("SUB", 10),
        ("CN", 20),
    ]
    for row in documents:
        assert is_faultless(document_of(row))


@given(
    units=st.integers(0, 10**9),
    currency=st.sampled_from(CURRENCIES),
    weights=st.lists(st.decimals(0, 10**6, places=2), min_size=1, max_size=12).filter(any),
)
def test_shares_add_up_and_each_is_less_than_a_unit_off(units, currency, weights):
    unit = minor_unit(currency)
    total = units * unit
    parts = shared_out(total, weights, currency)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= unit
        assert weight or not part
