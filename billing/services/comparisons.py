"""What reconciliation compares: for each kind of the processor's objects, our rows, and which states go together."""

# ruff: noqa: S608 - statements are put together from words that stand in this module

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings

from billing.gateway import listing
from billing.gateway.listing import Listed, Lists
from billing.models import PayoutAccount, PayoutMethod
from billing.payouts.base import HELD

Source = Callable[[Lists], Iterator[Listed]]


@dataclass(frozen=True)
class Comparison:
    """One kind of rows and of objects.

    Attributes:
        kind: as differences name it.
        thing: the processor's word.
        ours: SQL for our rows: ``id, theirs, status, amount, currency, about, begun, touched``.
        agree: which of our statuses goes with which of theirs.
        waits: those of our statuses in which there should be an object before long.
        moves: those of their statuses in which an object that nobody knows here moves money.
        source: lists theirs.
        one: looks one of theirs up, by its id and by what it belongs to here.
    """

    kind: str
    thing: str
    ours: str
    agree: dict[str, tuple[str, ...]]
    waits: tuple[str, ...]
    moves: tuple[str, ...]
    source: Source = field(compare=False)
    one: Callable[[str, str], Listed] = field(compare=False)


def _bank_payouts(lists: Lists) -> Iterator[Listed]:
    accounts = PayoutAccount.objects.filter(method=PayoutMethod.CONNECT).order_by("pk")
    for account in accounts.values_list("stripe_account", flat=True).iterator():
        yield from lists.bank_payouts(account or "")


UNDECIDED = ("requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture")

#: Payments of plans are listed among the others; their own rows are compared with the invoices.
PAYMENTS = Comparison(
    kind="payment",
    thing="PaymentIntent",
    ours="""
    SELECT payment_id AS id, stripe_payment_intent AS theirs, payment_status AS status, amount_total AS amount,
        currency, '' AS about, timestamp AS begun, greatest(timestamp, paid_at) AS touched FROM payments
    UNION ALL
    SELECT id, stripe_payment_intent, 'paid', amount, currency, '', paid_at, paid_at FROM subscription_payments
    WHERE stripe_payment_intent IS NOT NULL
    """,
    agree={
        "paid": ("succeeded",),
        "incomplete": UNDECIDED,
        "failed": ("canceled", "requires_payment_method", "requires_confirmation"),
    },
    waits=("incomplete",),
    moves=("succeeded", "processing", "requires_capture"),
    source=Lists.intents,
    one=listing.one_intent,
)
#: While a bank decides, nobody asks for a refund (decision 0026): *waiting*. When it has, the sweep has its time.
REFUNDS = Comparison(
    kind="refund",
    thing="Refund",
    ours="""
    SELECT r.id, r.stripe_refund AS theirs,
        CASE WHEN r.status = 'requested' AND r.stripe_refund IS NULL AND c.is_open THEN 'waiting' ELSE r.status END
            AS status,
        r.amount, r.currency, coalesce(p.stripe_payment_intent, '') AS about, r.requested_at AS begun,
        greatest(r.requested_at, r.made_at, c.closed_at) AS touched
    FROM refunds r JOIN payments p ON p.payment_id = r.payment_id
    LEFT JOIN (
        SELECT payment_id, bool_or(state = 'open') AS is_open, max(closed_at) AS closed_at
        FROM chargebacks GROUP BY payment_id
    ) c ON c.payment_id = r.payment_id
    """,
    agree={
        "requested": ("pending", "requires_action"),
        "waiting": ("pending", "requires_action"),
        "made": ("succeeded",),
        "failed": ("failed", "canceled"),
    },
    waits=("requested",),
    moves=("pending", "requires_action", "succeeded"),
    source=Lists.refunds,
    one=listing.one_refund,
)
CHARGEBACKS = Comparison(
    kind="chargeback",
    thing="Dispute",
    ours="""
    SELECT c.id, c.stripe_dispute AS theirs, c.state AS status, c.amount, c.currency,
        coalesce(p.stripe_payment_intent, '') AS about, c.opened_at AS begun,
        greatest(c.opened_at, c.funds_taken_at, c.closed_at) AS touched
    FROM chargebacks c JOIN payments p ON p.payment_id = c.payment_id
    """,
    agree={
        "inquiry": ("warning_needs_response", "warning_under_review"),
        "open": ("needs_response", "under_review", "appeal_needs_response", "appeal_under_review"),
        "won": ("won",),
        "lost": ("lost",),
        "closed": ("warning_closed", "prevented"),
    },
    waits=(),
    moves=(
        *("warning_needs_response", "warning_under_review", "needs_response", "under_review"),
        *("appeal_needs_response", "appeal_under_review", "won", "lost"),
    ),
    source=Lists.disputes,
    one=listing.one_dispute,
)
PLANS = Comparison(
    kind="subscription",
    thing="Invoice",
    ours="""
    SELECT id, stripe_invoice AS theirs, 'paid' AS status, amount, currency, '' AS about, paid_at AS begun,
        paid_at AS touched FROM subscription_payments
    """,
    agree={"paid": ("paid",)},
    waits=(),
    moves=("paid",),
    source=Lists.invoices,
    one=listing.one_invoice,
)
#: One of which something is held has not been sent, and is no difference.
TRANSFERS = Comparison(
    kind="payout",
    thing="Transfer",
    ours=f"""
    SELECT p.id, p.stripe_transfer AS theirs,
        CASE WHEN p.status = 'scheduled' AND p.failure = '{HELD.failure}' THEN 'held' ELSE p.status END AS status,
        p.amount, p.currency, coalesce(a.stripe_account, '') AS about, p.scheduled_at AS begun,
        greatest(p.scheduled_at, p.sent_at, p.received_at, p.failed_at) AS touched
    FROM payouts p JOIN payout_accounts a ON a.id = p.account_id WHERE p.method = 'connect'
    """,
    agree={"scheduled": (), "held": (), "sent": ("sent",), "received": ("sent",), "failed": ("reversed",)},
    waits=("scheduled",),
    moves=("sent", "partly reversed"),
    source=Lists.transfers,
    one=listing.one_transfer,
)
#: A bank payout that failed stays *sent* here until its transfer has been taken back.
BANK_PAYOUTS = Comparison(
    kind="bank_payout",
    thing="Payout",
    ours=TRANSFERS.ours.replace("p.stripe_transfer AS theirs", "p.stripe_payout AS theirs"),
    agree={
        "scheduled": (),
        "sent": ("pending", "in_transit", "failed", "canceled"),
        "received": ("paid",),
        "failed": ("failed", "canceled"),
    },
    waits=(),
    moves=("pending", "in_transit", "paid"),
    source=_bank_payouts,
    one=listing.one_bank_payout,
)


def comparisons() -> list[Comparison]:
    """What there is to compare, as the marketplace is set up."""
    connect = [TRANSFERS, BANK_PAYOUTS] if settings.STRIPE_CONNECT else []
    return [PAYMENTS, REFUNDS, CHARGEBACKS, PLANS, *connect]
