"""Balances, and the balance transactions that they are sums of."""

from tests.stripe_server.errors import invalid
from tests.stripe_server.world import PAGE, Call, Thing, World, answers

_CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "adjustment": "dispute",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "payout_cancel": "payout_reversal",
    "topup": "topup",
}


def book(
    world: World,
    kind: str,
    amount: int,
    currency: str,
    source: str | None,
    account: str = "",
    *,
    fee: int = 0,
    available_on: int | None = None,
    description: str | None = None,
) -> Thing:
    """Money moves: ``amount`` in minor units, positive into the account's balance. ``fee`` is taken from it."""
    now = world.stamp()
    available_on = now if available_on is None else available_on
    fees = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return world.make(
        "balance_transaction",
        account,
        amount=amount,
        available_on=available_on,
        balance_type="payments",
        created=now,
        currency=currency,
        description=description,
        exchange_rate=None,
        fee=fee,
        fee_details=[fees] if fee else [],
        net=amount - fee,
        reporting_category=_CATEGORIES[kind],
        source=source,
        status="available" if available_on <= now else "pending",
        type=kind,
    )


def balance(world: World, currency: str, account: str = "", *, pending: bool = False) -> int:
    """What an account has, in minor units: what it can use, or what has yet to become available."""
    now = world.stamp()
    return sum(
        entry["net"]
        for entry in world.all("balance_transaction", account, currency=currency)
        if (entry["available_on"] > now) == pending
    )


def require(world: World, amount: int, currency: str, account: str = "") -> None:
    """Raises:
    Failure: the account does not have this much.
    """
    if amount <= 0:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if balance(world, currency, account) < amount:
        raise invalid(
            "You have insufficient available funds in your Stripe account for this currency and payment method type.",
            code="balance_insufficient",
        )


@answers("balance.retrieve")
def retrieve_balance(call: Call) -> Thing:
    entries = call.world.all("balance_transaction", call.account)
    currencies = sorted({entry["currency"] for entry in entries}) or ["eur"]

    def rows(*, pending: bool) -> list[Thing]:
        sums = {c: balance(call.world, c, call.account, pending=pending) for c in currencies}
        return [{"amount": sums[c], "currency": c, "source_types": {"card": sums[c]}} for c in currencies]

    return {"object": "balance", "available": rows(pending=False), "livemode": False, "pending": rows(pending=True)}


@answers("balance_transaction.retrieve")
def retrieve(call: Call) -> Thing:
    return _refreshed(call.world, call.get("balance_transaction"))


@answers("balance_transaction.list", PAGE + "created currency payout source type")
def list_(call: Call) -> Thing:
    things = [_refreshed(call.world, entry) for entry in call.world.all("balance_transaction", call.account)]
    return call.page(things, equal="currency source type", url="/v1/balance_transactions")


def _refreshed(world: World, entry: Thing) -> Thing:
    entry["status"] = "available" if entry["available_on"] <= world.stamp() else "pending"
    return entry
