"""The page of one payment: what was paid, less every line, is what is kept, whatever has happened to it."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from billing.chargeback_reasons import REASONS, in_words
from billing.models import Chargeback, Payment, Refund
from billing.services import refunds
from common.languages import in_language
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import HOUR

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(processor, held, administrator, now) -> Payment:
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


Happening = Callable[[object, Payment, datetime], object]


def made(processor, payment: Payment, now: datetime) -> None:
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)


def failed(processor, payment: Payment, now: datetime) -> None:
    made(processor, payment, now)
    processor.fail_refund(processor.holds("refund")[-1]["id"])
    hear(told(processor, "refund."), now=now)


def failed_and_asked_for_again(processor, payment: Payment, now: datetime) -> None:
    failed(processor, payment, now)
    by = type(payment.payer).objects.get(email="administrator@example.com")
    refunds.ask_again(refund=Refund.objects.get(), by=by, now=now)


def disputed(
    processor, payment: Payment, now: datetime, *, won: bool | None = None, amount: int | None = None, **how: bool
) -> None:
    dispute = processor.open_dispute(payment.stripe_payment_intent, amount, **how)
    if won is not None:
        processor.close_dispute(dispute["id"], won=won)
    hear(told(processor, "charge.dispute."), now=now + HOUR)


def both_gave_it_back(processor, payment: Payment, now: datetime) -> None:
    """A bank took all of it after a refund of ours: more is gone than was paid."""
    disputed(processor, payment, now, won=False)
    made_there = {
        "amount": Decimal(2),
        "currency": "EUR",
        "reason": "outside",
        "requested_at": now,
        "stripe_refund": "re_1",
    }
    refund = Refund.objects.create(payment=payment, status="made", made_at=now, **made_there)
    refunds.postings.refund_owed(refund, now=now)
    refunds.postings.refund_moved(refund, now=now)


STATES: dict[str, tuple[list[Happening], str, str]] = {
    "plain": ([], "8", "0"),
    "a part refunded": ([made], "6", "0"),
    "a refund is on its way": ([lambda _, payment, now: ask_back(payment, "2", now)], "6", "0"),
    "a refund failed": ([failed], "6", "2"),
    "a refund failed and was asked for again": ([failed_and_asked_for_again], "6", "0"),
    "the bank asks": ([lambda *all: disputed(*all, inquiry=True)], "8", "0"),
    "chargeback open": ([disputed], "0", "0"),
    "a part of it open": ([lambda *all: disputed(*all, amount=300)], "5", "0"),
    "chargeback open after a refund": ([made, disputed], "0", "0"),
    "chargeback open, and a refund waits": ([disputed, lambda _, payment, now: ask_back(payment, "2", now)], "0", "0"),
    "chargeback open after a refund failed": ([failed, disputed], "0", "0"),
    "chargeback won": ([lambda *all: disputed(*all, won=True)], "8", "0"),
    "chargeback lost": ([lambda *all: disputed(*all, won=False)], "0", "0"),
    "a part of it lost": ([lambda *all: disputed(*all, won=False, amount=300)], "5", "0"),
    "given back twice": ([both_gave_it_back], "-2", "0"),
}


@pytest.mark.parametrize("state", STATES)
def test_the_lines_add_up(processor, payment, client, now, state):
    happenings, kept, with_us = STATES[state]
    for happen in happenings:
        happen(processor, payment, now)
    client.force_login(payment.payer)
    page = client.get(reverse("payment_detail", args=[payment.pk])).text
    receipt = page[page.index('class="receipt"') :].split("</table>")[0]
    lines = [
        Decimal(amount.replace("−", "-").replace("€", ""))
        for amount in re.findall(r'class="num">([-−]?-?€[\d.]+)<', unescape(receipt))
    ]
    assert sum(lines[:-1]) == lines[-1] == Decimal(kept)
    shown = re.search(r"With us for the buyer</td><td class=\"num\">−€([\d.]+)<", receipt)
    assert Decimal(shown[1] if shown else 0) == Decimal(with_us)


def test_what_was_never_paid_keeps_nothing(held, buyer, client):
    payment = Payment.objects.create(
        booking=held, charge=held.charges.get(), machine=held.machine, payer=buyer, provider=held.machine.provider,
        amount_total=8, currency="EUR", status="failed",
    )  # fmt: skip
    client.force_login(buyer)
    page = client.get(reverse("payment_detail", args=[payment.pk])).text
    assert "<tfoot>" not in page


def test_why_a_bank_asks_for_it_back_is_said_in_every_language(processor, payment, client, now):
    processor.open_dispute(payment.stripe_payment_intent, reason="product_not_received")
    hear(told(processor, "charge.dispute."), now=now)
    reason = Chargeback.objects.get().reason
    assert in_words(reason) == "Product not received"
    with in_language("de"):
        assert in_words(reason) == "Leistung nicht erhalten"
        assert {in_words(known.replace("_", " ")) for known in REASONS} == {str(words) for words in REASONS.values()}
        assert in_words("something new") == "Something new"
