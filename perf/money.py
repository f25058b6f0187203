"""What ``perf/reconciling.py`` measures on: very many payments, each with its booking, its charge and its postings.

Two bookings are lived through by the services: one paid, one paid and partly given back. Every row that hangs on them
is then copied in the database, with ids and keys of its own, so that the copies are as right as they are.
"""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from accounts.models import Role, User
from billing.gateway import Intent, MadeRefund
from billing.gateway.listing import Lists
from billing.models import Payment, RefundReason
from billing.services import payments, refunds
from billing.services.cards import Means
from billing.services.check import problems
from billing.services.comparisons import comparisons
from billing.services.reconcile import reconcile
from bookings.models import Booking
from bookings.services.request import request_booking
from common.money import to_minor
from machines.models import Listing, ListingStatus, Machine

DAY = timedelta(days=1)
#: So many of a hundred payments have been given back in part.
REFUNDED = 10
#: Which tables are copied, and which of their columns are made new: ids, and words that are there once.
TABLES = {
    "bookings": ("booking_id",),
    "charges": ("id", "booking_id"),
    "payments": ("payment_id", "booking_id", "charge_id", "stripe_payment_intent", "invoice_number"),
    "refunds": ("id", "payment_id", "stripe_refund"),
    "ledger_transactions": ("id", "booking_id", "payment_id", "refund_id", "key"),
    "ledger_entries": ("id", "transaction_id", "booking_id"),
}
OWN = {
    "bookings": "booking_id = %(booking)s",
    "charges": "booking_id = %(booking)s",
    "payments": "booking_id = %(booking)s",
    "refunds": "payment_id IN (SELECT payment_id FROM payments WHERE booking_id = %(booking)s)",
    "ledger_transactions": "booking_id = %(booking)s",
    "ledger_entries": "booking_id = %(booking)s",
}


def fill(*, count: int, now: datetime) -> dict[str, Any]:
    """So many payments in an empty database. Returns what the processor needs to list them."""
    begun = now - 30 * DAY
    provider = User.objects.create(email="provider@perf.example", roles=[Role.PROVIDER], password="!")
    buyer = User.objects.create(email="buyer@perf.example", roles=[Role.BUYER], password="!")
    machine = Machine.objects.create(
        provider=provider, name="m", gpu_model="H100 SXM", gpu_count=8, gpu_memory_gb=80, cpu_model="EPYC",
        cpu_cores=96, ram_gb=1536, disk_size_gb=7680, network_bandwidth="10 Gbps", os="Debian 12", country="DE",
    )  # fmt: skip
    prices = {"price_hour": Decimal("2.05"), "price_day": Decimal("41"), "price_week": Decimal("260")}
    listing = Listing.objects.create(machine=machine, currency="EUR", status=ListingStatus.ACTIVE, **prices)
    listing = Listing.objects.with_machine().get(pk=listing.pk)
    plain = _paid(listing, buyer, start=begun + 2 * DAY, now=begun)
    given_back = _paid(listing, buyer, start=begun + 4 * DAY, now=begun)
    _give_back(given_back, now=begun)
    some = count * REFUNDED // 100
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    sides = [_copied(plain, count - some), _copied(given_back, some)]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"groups": sides, "created": int(begun.timestamp()), "payments": Payment.objects.count()}


def _paid(listing: Listing, buyer: User, *, start: datetime, now: datetime) -> Booking:
    start = start.replace(second=0, microsecond=0)
    booking = request_booking(listing=listing, buyer=buyer, start=start, end=start + timedelta(hours=7), now=now)
    means = Means("cus_perf", "pm_perf", "Visa 4242")
    payment = payments.begin(charge_id=booking.charges.get().pk, payer=buyer, means=means, now=now)
    minor = to_minor(payment.amount_total, payment.currency)
    payments.apply(Intent(f"pi_{payment.pk.hex}", "succeeded", minor, "EUR", "", str(payment.pk), ""), now=now)
    # Over, so that its copies do not stand in one another's way.
    Booking.objects.filter(pk=booking.pk).update(status="completed", completed_at=booking.end)
    return booking


def _give_back(booking: Booking, *, now: datetime) -> None:
    payment = booking.payments.get()
    with transaction.atomic():
        refund = refunds.request_refund(
            payment=payment, amount=Decimal("3.33"), reason=RefundReason.GOODWILL, by=None, now=now
        )
    refunds.write_down(refund.pk, MadeRefund(f"re_{refund.pk.hex}", "succeeded", "", 333, "EUR"), now=now)


def _copied(booking: Booking, count: int) -> dict[str, Any]:
    """Make ``count`` of it altogether. Returns the ids of its payment and refund, and how many there are."""
    with connection.cursor() as cursor:
        for table, columns in TABLES.items():
            changed = ", ".join(f"'{column}', {_new(column)}" for column in columns)
            cursor.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(r, jsonb_build_object({changed}))).* "
                f"FROM {table} r CROSS JOIN generate_series(1, %(more)s) n WHERE {OWN[table]}",
                {"booking": booking.pk, "more": count - 1},
            )
    payment = booking.payments.get()
    refund = payment.refunds.first()
    return {
        "payment": str(payment.pk),
        "amount": to_minor(payment.amount_total, payment.currency),
        "refund": str(refund.pk) if refund else "",
        "count": count,
    }


def _new(column: str) -> str:
    """SQL for what a column of the copy ``n`` holds, as :func:`perf.money_ids.copy_of` says it."""
    if column.startswith("stripe_"):
        of = "payment_id" if column == "stripe_payment_intent" else "id"
        return f"split_part(r.{column}, '_', 1) || '_' || md5(r.{of}::text || n)"
    return f"r.{column} || '-' || n" if column in ("key", "invoice_number") else f"md5(r.{column}::text || n)::uuid"


def measured(*, rounds: int, now: datetime) -> dict[str, Any]:
    """How long it takes to page through the processor's lists alone, to compare all of them, and to prove the ledger."""
    alone, compared, proved = [], [], []
    runs = []
    before = _memory()
    for _ in range(rounds):
        alone.append(_seconds(lambda: sum(1 for _ in _listed())))
        compared.append(_seconds(lambda: runs.append(reconcile(now=now))))
        proved.append(_seconds(problems))
    return {
        "alone": alone,
        "compared": compared,
        "proved": proved,
        "memory_mb": _memory(),
        "memory_before_mb": before,
        "objects": sum(1 for _ in _listed()),
        "differences": max(run.differences.count() for run in runs),
        "errors": [run.error for run in runs if run.error],
    }


def _listed() -> Iterator[Any]:
    lists = Lists()
    for comparison in comparisons():
        yield from comparison.source(lists)


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _memory() -> int:
    """The most that this process has ever had, in MB.

    Not by ``getrusage``: that counts what the process that started this one had then, with all pages of the lists.
    """
    (peak,) = re.findall(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(peak) // 1024
