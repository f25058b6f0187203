"""Writing into the ledger. Nothing else does."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum

from accounts.models import User
from billing.models import PERSONAL, LedgerAccount, LedgerEntry, LedgerTransaction
from bookings.models import Booking
from common.money import rounded


@dataclass(frozen=True)
class Side:
    """One side of a transaction: a debit is positive, a credit negative.

    ``owner`` for accounts that people have; ``booking`` where it is not the transaction's.
    """

    kind: str
    amount: Decimal
    owner: User | None = None
    booking: Booking | None = None


def post(
    *,
    kind: str,
    key: str,
    currency: str,
    sides: Iterable[Side],
    now: datetime,
    booking: Booking | None = None,
    note: str = "",
    **about: Any,
) -> LedgerTransaction | None:
    """Write a transaction, in the caller's. Posting the same ``key`` again is quiet.

    Args:
        key: names the event, as ``payment:<id>``.
        about: the rows that it tells of: ``payment``, ``refund``, ``chargeback``, ``payout``, ``subscription_payment``.

    Returns:
        The transaction, or ``None`` if it was there before or moves nothing.

    Raises:
        ValueError: the sides do not sum to zero, or an amount is finer than the currency.
    """
    totals: dict[tuple[str, User | None, Booking | None], Decimal] = defaultdict(Decimal)
    for side in sides:
        if rounded(side.amount, currency) != side.amount:
            raise ValueError(f"{side.amount} is finer than {currency}.")
        totals[side.kind, side.owner if side.kind in PERSONAL else None, side.booking or booking] += side.amount
    if sum(totals.values()) != 0:
        raise ValueError(f"The sides of {key} sum to {sum(totals.values())} {currency}, not to zero.")
    moved = {side: amount for side, amount in totals.items() if amount}
    if not moved or LedgerTransaction.objects.filter(key=key).exists():
        return None
    written = LedgerTransaction.objects.create(kind=kind, key=key, at=now, booking=booking, note=note[:300], **about)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            transaction=written,
            account=account_of(account_kind, owner=owner, currency=currency),
            currency=currency,
            amount=amount,
            booking=whose,
        )
        for (account_kind, owner, whose), amount in moved.items()
    )
    return written


def account_of(kind: str, *, owner: User | None, currency: str) -> LedgerAccount:
    """The account, made at its first use."""
    wanted = {"kind": kind, "owner": owner, "currency": currency}
    found = LedgerAccount.objects.filter(**wanted).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return LedgerAccount.objects.create(**wanted)
    except IntegrityError:  # somebody was quicker
        return LedgerAccount.objects.get(**wanted)


def balance(kind: str, *, currency: str, owner: User | None = None, **about: Any) -> Decimal:
    """The sum of an account's entries: what was debited less what was credited.

    Args:
        about: only entries of these, as ``booking=…`` or ``transaction__payment=…``.
    """
    of_owner = {} if owner is None else {"account__owner": owner}
    return total_of(account__kind=kind, account__currency=currency, **of_owner, **about)


def total_of(**about: Any) -> Decimal:
    """The sum of the entries that are about these."""
    return LedgerEntry.objects.filter(**about).aggregate(total=Sum("amount"))["total"] or Decimal(0)
