"""What each movement of money does to the ledger (docs/money.md has the table).

Called in the transaction that changes the row. Each looks at where the money of its row stands in the ledger and moves
it to where the row says that it is, so that calling it again, or after a state that was skipped, does what is right.

What a payment earns is split by what was frozen: the booking's tax, the payment's commission. What is taken back of it
is the difference between the shares of what was kept before and of what is kept afterwards, so that rounding never
leaves anything behind.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from accounts.tax import split_of
from billing.models import (
    AccountKind,
    Chargeback,
    ChargebackState,
    LedgerTransaction,
    Payment,
    Payout,
    PayoutMethod,
    PayoutStatus,
    Posting,
    Refund,
    RefundReason,
    RefundStatus,
    SubscriptionPayment,
)
from billing.services.ledger import Side, post, total_of
from bookings.models import Booking
from common.money import rounded

ZERO = Decimal(0)
EARNINGS = (AccountKind.PROVIDER_PAYABLE, AccountKind.COMMISSION, AccountKind.TAX)


@dataclass(frozen=True)
class Shares:
    """Of an amount that a buyer paid: the tax, the platform's commission on the rest, and what is the provider's."""

    provider: Decimal
    commission: Decimal
    tax: Decimal

    @property
    def net(self) -> Decimal:
        return self.provider + self.commission

    def less(self, other: "Shares") -> "Shares":
        return Shares(self.provider - other.provider, self.commission - other.commission, self.tax - other.tax)


def shares_of(payment: Payment, amount: Decimal) -> Shares:
    """The shares of ``amount`` of a payment. Each is rounded once; together they are the amount."""
    net, tax = split_of(payment.booking.tax_kind, payment.booking.tax_rate, amount, payment.currency)
    commission = rounded(net * payment.commission_rate, payment.currency)
    return Shares(net - commission, commission, tax)


def earned_of(payment: Payment) -> Decimal:
    """What of a payment counts as earned at the moment: all shares together."""
    return -total_of(transaction__payment=payment, account__kind__in=EARNINGS)


def credit_of(payment: Payment) -> Decimal:
    """What of a payment the buyer has with us: paid and not earned, or a refund that could not be made."""
    return max(-total_of(transaction__payment=payment, account__kind=AccountKind.BUYER), ZERO)


def reversed_by(**about: object) -> Decimal:
    """What a refund (``refund=…``) or a chargeback (``chargeback=…``) took from what was earned: what is credited."""
    return total_of(account__kind__in=EARNINGS, **{f"transaction__{name}": row for name, row in about.items()})


def keep_given_back(booking: Booking) -> None:
    """Write into a booking what of its price went back: what can still come back of it, an organization's budgets and
    what it spends are by that.

    What is paid of the price and does not count as earned any more. Charges that were dropped after they had been paid
    are no part of the price. Called, with the booking locked, wherever something is taken from what was earned.
    """
    paid = booking.charges.paid().aggregate(total=Sum("amount"))["total"] or ZERO
    earned = -total_of(transaction__payment__booking=booking, account__kind__in=EARNINGS)
    booking.given_back = max(paid - earned, ZERO)
    Booking.objects.filter(pk=booking.pk).update(given_back=booking.given_back)


# Payments ----------------------------------------------------------------------------------------------


def payment_received(payment: Payment, *, now: datetime) -> None:
    """The processor has the money; it is the buyer's until it is earned."""
    post(
        kind=Posting.PAYMENT,
        key=f"payment:{payment.pk}",
        currency=payment.currency,
        sides=[
            Side(AccountKind.PROCESSOR, payment.amount_total),
            Side(AccountKind.BUYER, -payment.amount_total, payment.payer),
        ],
        now=now,
        booking=payment.booking,
        payment=payment,
    )


def charge_earned(payment: Payment, *, now: datetime) -> None:
    """The charge that it pays for is confirmed: the money is the provider's, ours and the tax office's."""
    shares = shares_of(payment, payment.amount_total)
    post(
        kind=Posting.EARNED,
        key=f"earned:{payment.pk}",
        currency=payment.currency,
        sides=[Side(AccountKind.BUYER, payment.amount_total, payment.payer), *_credited(payment, shares)],
        now=now,
        booking=payment.booking,
        payment=payment,
    )


def _credited(payment: Payment, shares: Shares) -> list[Side]:
    return [
        Side(AccountKind.PROVIDER_PAYABLE, -shares.provider, payment.provider),
        Side(AccountKind.COMMISSION, -shares.commission),
        Side(AccountKind.TAX, -shares.tax),
    ]


def _taken_back(payment: Payment, amount: Decimal, *, credit_first: bool) -> list[Side]:
    """Debits that sum to ``amount``, of what was earned and of what the buyer has with us; what neither covers is lost.

    ``credit_first``: it is what the buyer has with us that goes back: a refund that failed before, a payment that was
    never earned, or money that left by another way. A new debt does not use up an old one.
    """
    credit = credit_of(payment)
    earned = earned_of(payment)
    if credit_first:
        from_buyer = min(amount, credit)
        from_earned = min(amount - from_buyer, earned)
    else:
        from_earned = min(amount, earned)
        from_buyer = min(amount - from_earned, credit)
    back = shares_of(payment, earned).less(shares_of(payment, earned - from_earned))
    return [
        Side(AccountKind.BUYER, from_buyer, payment.payer),
        Side(AccountKind.PROVIDER_PAYABLE, back.provider, payment.provider),
        Side(AccountKind.COMMISSION, back.commission),
        Side(AccountKind.TAX, back.tax),
        Side(AccountKind.LOSSES, amount - from_buyer - from_earned),
    ]


# Refunds -----------------------------------------------------------------------------------------------


def refund_owed(refund: Refund, *, now: datetime) -> None:
    """It is taken from whoever had earned it, and waits to be made."""
    payment = refund.payment
    post(
        kind=Posting.REFUND_OWED,
        key=f"refund-owed:{refund.pk}",
        currency=refund.currency,
        sides=[
            *_taken_back(payment, refund.amount, credit_first=_is_of_credit(refund)),
            Side(AccountKind.REFUNDS, -refund.amount),
        ],
        now=now,
        booking=payment.booking,
        payment=payment,
        refund=refund,
    )
    keep_given_back(payment.booking)


def _is_of_credit(refund: Refund) -> bool:
    return refund.retry_of_id is not None or refund.reason == RefundReason.OUTSIDE


def refund_moved(refund: Refund, *, now: datetime) -> None:
    """Bring the ledger to where the refund's status says that the money is.

    Made: gone from the processor. Failed: the buyer has it with us, until it is asked for again. One that was given up
    and was made after all is of that; where it has gone back another way meanwhile, the platform has lost it.
    """
    waiting = -total_of(transaction__refund=refund, account__kind=AccountKind.REFUNDS)
    made = -total_of(transaction__refund=refund, account__kind=AccountKind.PROCESSOR)
    left = refund.amount - waiting - made
    wanted = {
        RefundStatus.REQUESTED: (refund.amount, ZERO, ZERO),
        RefundStatus.MADE: (ZERO, refund.amount, ZERO),
        RefundStatus.FAILED: (ZERO, ZERO, refund.amount),
    }[RefundStatus(refund.status)]
    kind = Posting.REFUND_FAILED if refund.status == RefundStatus.FAILED else Posting.REFUND_MADE
    of_buyer = left - wanted[2]
    gone = max(of_buyer - credit_of(refund.payment), ZERO) if of_buyer > 0 else ZERO
    post(
        kind=kind,
        key=f"refund:{refund.pk}:{_count(refund=refund)}",
        currency=refund.currency,
        sides=[
            Side(AccountKind.REFUNDS, waiting - wanted[0]),
            Side(AccountKind.PROCESSOR, made - wanted[1]),
            Side(AccountKind.BUYER, of_buyer - gone, refund.payment.payer),
            Side(AccountKind.LOSSES, gone),
        ],
        now=now,
        booking=refund.payment.booking,
        payment=refund.payment,
        refund=refund,
    )


def _count(**about: object) -> int:
    return LedgerTransaction.objects.filter(**about).count()


# Chargebacks -------------------------------------------------------------------------------------------


def chargeback_moved(chargeback: Chargeback, *, now: datetime) -> None:
    """Bring the ledger to where the chargeback's state says that the money is.

    Open: with the buyer's bank, not decided. Lost: it stays there, and is taken from whoever had earned it. Won, or no
    more than a question: with the processor.
    """
    taken = -total_of(transaction__chargeback=chargeback, account__kind=AccountKind.PROCESSOR)
    undecided = total_of(transaction__chargeback=chargeback, account__kind=AccountKind.CHARGEBACKS)
    amount = chargeback.amount
    wants_taken = amount if chargeback.counts else ZERO
    wants_undecided = amount if chargeback.state == ChargebackState.OPEN else ZERO
    moves = [
        Side(AccountKind.PROCESSOR, taken - wants_taken),
        Side(AccountKind.CHARGEBACKS, wants_undecided - undecided),
    ]
    lost = -sum((side.amount for side in moves), ZERO)
    if lost > 0:
        moves += _taken_back(chargeback.payment, lost, credit_first=True)
    elif lost < 0:  # it was lost, and the bank has changed its mind
        moves += _given_again(chargeback, -lost)
    kind = {
        ChargebackState.LOST: Posting.CHARGEBACK_LOST,
        ChargebackState.WON: Posting.CHARGEBACK_WON,
    }.get(ChargebackState(chargeback.state), Posting.CHARGEBACK_TAKEN)
    post(
        kind=kind,
        key=f"chargeback:{chargeback.pk}:{_count(chargeback=chargeback)}",
        currency=chargeback.currency,
        sides=moves,
        now=now,
        booking=chargeback.payment.booking,
        payment=chargeback.payment,
        chargeback=chargeback,
    )
    keep_given_back(chargeback.payment.booking)


def _given_again(chargeback: Chargeback, amount: Decimal) -> list[Side]:
    """Credits that sum to ``amount``: to what was lost, to the buyer what it took of a refund that is owed still, and the
    rest is earned once more.
    """
    payment = chargeback.payment
    loss = min(amount, total_of(transaction__payment=payment, account__kind=AccountKind.LOSSES))
    failed = payment.refunds.filter(status=RefundStatus.FAILED, retry=None).aggregate(total=Sum("amount"))["total"]
    owed = max((failed or ZERO) - credit_of(payment), ZERO)
    of_buyer = total_of(transaction__chargeback=chargeback, account__kind=AccountKind.BUYER)
    to_buyer = min(amount - loss, of_buyer, owed)
    earned = earned_of(payment)
    again = shares_of(payment, earned + amount - loss - to_buyer).less(shares_of(payment, earned))
    return [
        Side(AccountKind.LOSSES, -loss),
        Side(AccountKind.BUYER, -to_buyer, payment.payer),
        *_credited(payment, again),
    ]


# Payouts -----------------------------------------------------------------------------------------------


def payout_moved(payout: Payout, *, now: datetime) -> None:
    """Bring the ledger to where the payout's status says that the money is.

    Sent: on its way, and still owed to the provider. Received: owed no more, booking by booking. Failed: back with us;
    of a payout through Stripe that is so once the transfer has been reversed, and this is called then.
    """
    source = AccountKind.PROCESSOR if payout.method == PayoutMethod.CONNECT else AccountKind.BANK
    gone = -total_of(transaction__payout=payout, account__kind=source)
    under_way = total_of(transaction__payout=payout, account__kind=AccountKind.PAYOUTS)
    wants_gone = payout.amount if payout.status in (PayoutStatus.SENT, PayoutStatus.RECEIVED) else ZERO
    wants_under_way = payout.amount if payout.status == PayoutStatus.SENT else ZERO
    sides = [Side(source, gone - wants_gone), Side(AccountKind.PAYOUTS, wants_under_way - under_way)]
    settled = -sum((side.amount for side in sides), ZERO)
    if settled:
        sign = 1 if settled > 0 else -1
        sides += [
            Side(AccountKind.PROVIDER_PAYABLE, sign * line.amount, payout.provider, line.booking)
            for line in payout.lines.select_related("booking")
        ]
        sides.append(Side(AccountKind.PROVIDER_PAYABLE, sign * payout.tax, payout.provider))
    kind = {
        PayoutStatus.RECEIVED: Posting.PAYOUT_RECEIVED,
        PayoutStatus.FAILED: Posting.PAYOUT_FAILED,
    }.get(PayoutStatus(payout.status), Posting.PAYOUT_SENT)
    post(
        kind=kind,
        key=f"payout:{payout.pk}:{_count(payout=payout)}",
        currency=payout.currency,
        sides=sides,
        now=now,
        payout=payout,
    )


def provider_tax(payout: Payout, *, now: datetime) -> None:
    """The tax on what the provider sells to the platform: paid on top, and reclaimed."""
    post(
        kind=Posting.PROVIDER_TAX,
        key=f"provider-tax:{payout.pk}",
        currency=payout.currency,
        sides=[
            Side(AccountKind.TAX, payout.tax),
            Side(AccountKind.PROVIDER_PAYABLE, -payout.tax, payout.provider),
        ],
        now=now,
        payout=payout,
    )


# Subscriptions -----------------------------------------------------------------------------------------


def subscription_moved(paid: SubscriptionPayment, *, now: datetime) -> None:
    """Bring the ledger to what was paid of a period of a plan, less what has been refunded and what banks have taken.

    What is not decided is with the bank; what went back twice is lost.
    """

    def moved(*kinds: AccountKind) -> Decimal:
        return total_of(transaction__subscription_payment=paid, account__kind__in=kinds)

    before = moved(AccountKind.PROCESSOR)
    after = paid.amount - paid.refunded - paid.charged_back - paid.disputed
    kept_before, kept = -moved(AccountKind.SUBSCRIPTIONS, AccountKind.TAX), paid.amount - paid.given_back
    lost = paid.refunded + paid.charged_back - paid.given_back
    net_before, tax_before = split_of(paid.tax_kind, paid.tax_rate, kept_before, paid.currency)
    net, tax = split_of(paid.tax_kind, paid.tax_rate, kept, paid.currency)
    post(
        kind=Posting.SUBSCRIPTION if after >= before else Posting.SUBSCRIPTION_REFUND,
        key=f"subscription:{paid.pk}:{_count(subscription_payment=paid)}",
        currency=paid.currency,
        sides=[
            Side(AccountKind.PROCESSOR, after - before),
            Side(AccountKind.CHARGEBACKS, paid.disputed - moved(AccountKind.CHARGEBACKS)),
            Side(AccountKind.LOSSES, lost - moved(AccountKind.LOSSES)),
            Side(AccountKind.SUBSCRIPTIONS, net_before - net),
            Side(AccountKind.TAX, tax_before - tax),
        ],
        now=now,
        subscription_payment=paid,
    )
