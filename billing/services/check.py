"""Proves that the ledger and the rows agree, by questions to the database (``manage.py check_ledger``).

Each question is one statement over whole tables that names what is wrong and answers nothing where all is well. What
:mod:`billing.services.postings` writes is not called here: the shares are reckoned anew from what was paid.
"""

# ruff: noqa: S608 - statements are put together from words that stand in this module

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from common.patience import no_hurry


@dataclass(frozen=True)
class Problem:
    """Something in the ledger that is not as the rows say. ``row`` is the id of what it is about."""

    kind: str
    row: str
    what: str

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Balance:
    """An account, and what was debited to it less what was credited."""

    kind: str
    owner: str
    currency: str
    balance: Decimal
    entries: int


def problems() -> list[Problem]:
    """Everything that is wrong. Empty: the ledger is proved."""
    with no_hurry():
        return list(_problems())


def _problems() -> Iterator[Problem]:
    with connection.cursor() as cursor:
        for kind, question in QUESTIONS.items():
            # With parameters, if none: whoever writes down who did it may add some (common.history).
            cursor.execute(question.replace("%", "%%"), [])
            for row, what in cursor.fetchall():
                yield Problem(kind, str(row), what)


def balances() -> list[Balance]:
    """Every account that was ever used, in the order of the chart of accounts' names."""
    with no_hurry(), connection.cursor() as cursor:
        cursor.execute(BALANCES)
        return [Balance(*row) for row in cursor.fetchall()]


BALANCES = """
SELECT a.kind, coalesce(u.email::text, ''), a.currency, sum(e.amount), count(*)
FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id LEFT JOIN users u ON u.customer_id = a.owner_id
GROUP BY a.kind, u.email, a.currency ORDER BY a.kind, a.currency, u.email
"""


def _half_even(amount: str, currency: str) -> str:
    """SQL for :func:`common.money.rounded`: PostgreSQL's own ``round`` goes away from zero in the middle."""
    unit = f"(CASE WHEN {currency} = 'JPY' THEN 1 ELSE 100 END)"
    scaled = f"(({amount}) * {unit})"
    return (
        f"((CASE WHEN abs({scaled} - trunc({scaled})) = 0.5 THEN 2 * round({scaled} / 2) ELSE round({scaled}) END)"
        f" / {unit}::numeric)"
    )


def _of(row: str) -> str:
    """SQL for what each account was moved by, for each row of a kind: ``moved(id, account, currency, amount)``."""
    return f"""
    SELECT t.{row}_id AS id, a.kind AS account, e.currency, sum(e.amount) AS amount
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    JOIN ledger_accounts a ON a.id = e.account_id
    WHERE t.{row}_id IS NOT NULL GROUP BY 1, 2, 3
    """


def _agree(row: str, table: str, key: str, wanted: dict[str, str], where: str = "true") -> str:
    """A question: is each account where the row wants it? ``wanted``: by account, SQL for what it should come to."""
    columns = ", ".join(f"{sql} AS {account}" for account, sql in wanted.items())
    values = ", ".join(f"('{account}', r.{account})" for account in wanted)
    name = row.replace("_", " ")
    return f"""
    WITH moved AS ({_of(row)}),
    r AS (SELECT {key} AS id, currency, {columns} FROM {table} WHERE {where})
    SELECT r.id, format('{name} %s moved %s %s of %s; by its row it should be %s', r.id, coalesce(m.amount, 0),
                        r.currency, w.account, w.amount)
    FROM r CROSS JOIN LATERAL (VALUES {values}) AS w (account, amount)
    LEFT JOIN moved m ON m.id = r.id AND m.account = w.account AND m.currency = r.currency
    WHERE coalesce(m.amount, 0) <> w.amount
    """


def _strange_currency(row: str, table: str, key: str) -> str:
    """A question: is anything of a row posted in a currency that is not the row's?"""
    return f"""
    SELECT DISTINCT r.{key}, format('{row} %s is in %s, and moved %s', r.{key}, r.currency, e.currency)
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    JOIN {table} r ON r.{key} = t.{row}_id WHERE e.currency <> r.currency
    """


def _on_their_way(account: str, table: str, status: str, *, sign: str = "") -> str:
    """A question: is on the whole account what rows in this status come to?"""
    return f"""
    WITH posted AS (
        SELECT e.currency, {sign}sum(e.amount) AS amount FROM ledger_entries e
        JOIN ledger_accounts a ON a.id = e.account_id AND a.kind = '{account}' GROUP BY 1
    ),
    rows AS (SELECT currency, sum(amount) AS amount FROM {table} WHERE status = '{status}' GROUP BY 1)
    SELECT currency, format('%s %s of {table} are on their way by the ledger, %s by the rows',
                            coalesce(posted.amount, 0), currency, coalesce(rows.amount, 0))
    FROM posted FULL JOIN rows USING (currency) WHERE coalesce(posted.amount, 0) <> coalesce(rows.amount, 0)
    """


#: What a payment has earned by the ledger (all shares together), its net part, and what the provider has of that.
SHARES = f"""
SELECT id, booking_id, currency, earned, net, net - {_half_even("net * commission_rate", "currency")} AS provider
FROM (
    SELECT p.payment_id AS id, p.booking_id, p.currency, p.commission_rate, k.earned,
        CASE WHEN b.tax_kind = 'standard' THEN {_half_even("k.earned / (1 + b.tax_rate)", "p.currency")}
             ELSE k.earned END AS net
    FROM payments p JOIN bookings b ON b.booking_id = p.booking_id
    JOIN (
        SELECT id, -sum(amount) AS earned FROM ({_of("payment")}) moved
        WHERE account IN ('provider_payable', 'commission', 'tax') GROUP BY id
    ) k ON k.id = p.payment_id
) split
"""

#: What was taken from each payment for good, or is on its way: refunds that count, and chargebacks that were lost.
TAKEN = """
SELECT p.payment_id AS id,
    coalesce((SELECT sum(amount) FROM refunds r WHERE r.payment_id = p.payment_id AND r.status <> 'failed'), 0)
    + coalesce((SELECT sum(amount) FROM chargebacks c WHERE c.payment_id = p.payment_id AND c.state = 'lost'), 0) AS amount
FROM payments p
"""

QUESTIONS: dict[str, str] = {
    "ledger_sum": """
    SELECT currency, format('the ledger sums to %s %s, not to zero', sum(amount), currency)
    FROM ledger_entries GROUP BY currency HAVING sum(amount) <> 0
    """,
    "transaction_sum": """
    SELECT transaction_id, format('transaction %s sums to %s %s, not to zero', transaction_id, sum(amount), currency)
    FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0
    """,
    "transaction_empty": """
    SELECT id, format('transaction %s (%s) has no entries', id, key) FROM ledger_transactions t
    WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.transaction_id = t.id)
    """,
    # Payments. What has come and gone at the processor is what was paid, less refunds that were made and what banks
    # have; nothing is posted for one that was not paid.
    "payment_received": """
    SELECT p.payment_id, format('payment %s of %s %s is %s, and %s is posted as received', p.payment_id,
                                p.amount_total, p.currency, p.payment_status, coalesce(sum(e.amount), 0))
    FROM payments p LEFT JOIN ledger_transactions t ON t.payment_id = p.payment_id AND t.kind = 'payment'
    LEFT JOIN ledger_accounts a ON a.kind = 'processor' AND a.currency = p.currency
    LEFT JOIN ledger_entries e ON e.transaction_id = t.id AND e.account_id = a.id
    GROUP BY p.payment_id
    HAVING coalesce(sum(e.amount), 0) <> CASE WHEN p.payment_status = 'paid' THEN p.amount_total ELSE 0 END
    """,
    "payment_at_processor": _agree(
        "payment",
        "payments",
        "payment_id",
        {
            "processor": """
            CASE WHEN payment_status = 'paid' THEN amount_total ELSE 0 END
            - coalesce((SELECT sum(r.amount) FROM refunds r
                        WHERE r.payment_id = payments.payment_id AND r.status = 'made'), 0)
            - coalesce((SELECT sum(c.amount) FROM chargebacks c
                        WHERE c.payment_id = payments.payment_id AND c.state IN ('open', 'lost')), 0)
            """,
            "refunds": """
            - coalesce((SELECT sum(r.amount) FROM refunds r
                        WHERE r.payment_id = payments.payment_id AND r.status = 'requested'), 0)
            """,
        },
    ),
    "payment_currency": _strange_currency("payment", "payments", "payment_id"),
    "charge_earned": """
    SELECT c.id, format('charge %s is %s, and was earned by %s payments', c.id, c.status, count(t.id))
    FROM charges c LEFT JOIN payments p ON p.charge_id = c.id
    LEFT JOIN ledger_transactions t ON t.payment_id = p.payment_id AND t.kind = 'earned'
    WHERE c.amount > 0 GROUP BY c.id HAVING count(t.id) <> CASE WHEN c.paid_at IS NOT NULL THEN 1 ELSE 0 END
    """,
    # The shares of what a payment has earned and kept, reckoned anew.
    "payment_shares": f"""
    WITH s AS ({SHARES}), moved AS ({_of("payment")})
    SELECT s.id, format('payment %s: %s has %s %s, its share of the %s that were kept is %s', s.id, w.account,
                        -coalesce(m.amount, 0), s.currency, s.earned, w.amount)
    FROM s CROSS JOIN LATERAL (
        VALUES ('provider_payable', s.provider), ('commission', s.net - s.provider), ('tax', s.earned - s.net)
    ) AS w (account, amount)
    LEFT JOIN moved m ON m.id = s.id AND m.account = w.account
    WHERE coalesce(m.amount, 0) <> -w.amount
    """,
    # What buyers have with us is no more than refunds that could not be made, and never a debt; a loss is booked only
    # where nothing was left to take, or where a refund that had been given up was made after all.
    "payment_kept": f"""
    WITH moved AS ({_of("payment")}), taken AS ({TAKEN}),
    p AS (
        SELECT id, coalesce(sum(amount) FILTER (WHERE account = 'buyer'), 0) AS buyer,
            -coalesce(sum(amount) FILTER (WHERE account IN ('provider_payable', 'commission', 'tax')), 0) AS earned,
            coalesce(sum(amount) FILTER (WHERE account = 'losses'), 0) AS lost
        FROM moved GROUP BY id
    )
    SELECT p.id, format('payment %s: the buyer has %s with us, %s is earned, %s lost; of %s paid, %s was given back',
                        p.id, -p.buyer, p.earned, p.lost, pay.amount_total, taken.amount)
    FROM p JOIN taken ON taken.id = p.id JOIN payments pay ON pay.payment_id = p.id
    WHERE p.buyer > 0 OR p.earned < 0 OR p.lost < 0
        OR p.earned - p.buyer - p.lost <> pay.amount_total - taken.amount
        OR p.lost > greatest(taken.amount - pay.amount_total, 0)
            + coalesce((SELECT sum(r.amount) FROM refunds r WHERE r.payment_id = p.id AND (r.status = 'failed' OR EXISTS (
                SELECT FROM ledger_transactions t WHERE t.refund_id = r.id AND t.kind = 'refund_failed'))), 0)
        OR -p.buyer > coalesce((SELECT sum(r.amount) FROM refunds r WHERE r.payment_id = p.id AND r.status = 'failed'), 0)
    """,
    # What is owed to a provider for a booking is its share of what was kept, less what was paid out of it.
    "booking_owed": f"""
    WITH owed AS (
        SELECT e.booking_id AS id, -sum(e.amount) AS amount FROM ledger_entries e
        JOIN ledger_accounts a ON a.id = e.account_id AND a.kind = 'provider_payable'
        WHERE e.booking_id IS NOT NULL GROUP BY 1
    ),
    shares AS (SELECT booking_id AS id, sum(provider) AS amount FROM ({SHARES}) s GROUP BY 1),
    paid_out AS (
        SELECT l.booking_id AS id, sum(l.amount) AS amount FROM payout_lines l
        JOIN payouts p ON p.id = l.payout_id AND p.status = 'received' GROUP BY 1
    )
    SELECT id, format('booking %s: %s is owed to the provider; the share is %s, of which %s was paid out', id,
                      coalesce(owed.amount, 0), coalesce(shares.amount, 0), coalesce(paid_out.amount, 0))
    FROM shares FULL JOIN owed USING (id) FULL JOIN paid_out USING (id)
    WHERE coalesce(owed.amount, 0) <> coalesce(shares.amount, 0) - coalesce(paid_out.amount, 0)
    """,
    # Refunds: one that is requested waits on the account of refunds, one that was made has left the processor.
    "refund": _agree(
        "refund",
        "refunds",
        "id",
        {
            "refunds": "CASE WHEN status = 'requested' THEN -amount ELSE 0 END",
            "processor": "CASE WHEN status = 'made' THEN -amount ELSE 0 END",
        },
    ),
    "refund_currency": _strange_currency("refund", "refunds", "id"),
    # Chargebacks: money is at the bank from the day that it is taken until it is won back.
    "chargeback": _agree(
        "chargeback",
        "chargebacks",
        "id",
        {
            "processor": "CASE WHEN state IN ('open', 'lost') THEN -amount ELSE 0 END",
            "chargebacks": "CASE WHEN state = 'open' THEN amount ELSE 0 END",
        },
    ),
    "chargeback_currency": _strange_currency("chargeback", "chargebacks", "id"),
    # Payouts: sent is not received.
    "payout": _agree(
        "payout",
        "payouts",
        "id",
        {
            "processor": "CASE WHEN method = 'connect' AND status IN ('sent', 'received') THEN -amount ELSE 0 END",
            "bank": "CASE WHEN method <> 'connect' AND status IN ('sent', 'received') THEN -amount ELSE 0 END",
            "payouts": "CASE WHEN status = 'sent' THEN amount ELSE 0 END",
        },
    ),
    "payout_lines": """
    SELECT p.id, format('payout %s of %s %s: its lines come to %s, its tax is %s', p.id, p.amount, p.currency,
                        coalesce(sum(l.amount), 0), p.tax)
    FROM payouts p LEFT JOIN payout_lines l ON l.payout_id = p.id
    GROUP BY p.id HAVING coalesce(sum(l.amount), 0) + p.tax <> p.amount
    """,
    # Plans.
    "subscription_payment": _agree(
        "subscription_payment",
        "subscription_payments",
        "id",
        {
            "processor": "amount - refunded - charged_back - disputed",
            "chargebacks": "disputed",
            "losses": "greatest(refunded + charged_back - amount, 0)",
        },
    ),
    # Accounts as a whole.
    "refunds_account": _on_their_way("refunds", "refunds", "requested", sign="-"),
    "payouts_account": _on_their_way("payouts", "payouts", "sent"),
    "buyer_owes": """
    SELECT a.id, format('%s owes %s %s: a buyer cannot owe anything', u.email, sum(e.amount), a.currency)
    FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id AND a.kind = 'buyer'
    JOIN users u ON u.customer_id = a.owner_id
    GROUP BY a.id, u.email HAVING sum(e.amount) > 0
    """,
}
