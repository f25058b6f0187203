from tests.stripe_server.errors import invalid
from tests.stripe_server.resources import money
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged

_FAILURES = {
    "account_closed": "The bank account has been closed.",
    "could_not_process": "The bank could not process this payout.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could be located.",
}
#: The statuses in which a payout may still fail. One that was paid can come back days later.
_MAY_FAIL = ("pending", "in_transit", "paid")


def make(
    world: World,
    amount: int,
    currency: str,
    account: str = "",
    *,
    automatic: bool = False,
    metadata: Thing | None = None,
) -> Thing:
    """Money goes from an account's balance to its bank.

    Raises:
        Failure: it has less, may not be paid, or has no bank account in this currency.
    """
    destination = None
    if account:
        holder = world.get("account", account)
        if not holder["payouts_enabled"]:
            raise invalid(
                "Cannot create payouts: this account has requirements that need to be collected.",
                code="payouts_not_allowed",
            )
        banks = [bank for bank in holder["external_accounts"]["data"] if bank["currency"] == currency]
        if not banks:
            raise invalid(
                f"Sorry, you don't have any external accounts in that currency ({currency}).",
                code="payouts_not_allowed",
            )
        destination = banks[0]["id"]
    money.require(world, amount, currency, account)
    payout = world.make(
        "payout",
        account,
        amount=amount,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=world.stamp() + int(world.rules.payout_takes.total_seconds()),
        automatic=automatic,
        balance_transaction=None,
        created=world.stamp(),
        currency=currency,
        description="STRIPE PAYOUT",
        destination=destination,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        livemode=False,
        metadata=merged({}, metadata),
        method="standard",
        original_payout=None,
        payout_method=None,
        reconciliation_status="not_applicable",
        reversed_by=None,
        source_type="card",
        statement_descriptor=None,
        status="pending",
        trace_id=None,
        type="bank_account",
    )
    payout["balance_transaction"] = money.book(world, "payout", -amount, currency, payout["id"], account)["id"]
    world.tell("payout.created", payout, account)
    world.later(payout["arrival_date"], lambda: arrive(world, payout, account))
    return payout


def arrive(world: World, payout: Thing, account: str = "") -> None:
    """It is at the bank. Nothing happens if it failed or was canceled before."""
    if payout["status"] not in ("pending", "in_transit"):
        return
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        world.tell("payout.updated", payout, account, previous={"status": "pending"})
    payout |= {"status": "paid", "trace_id": {"status": "supported", "value": f"trace{payout['id']}"}}
    world.tell("payout.paid", payout, account)


def fail(world: World, payout: Thing, code: str, account: str = "") -> None:
    """The bank sends it back, and the money is in the account's balance again."""
    if payout["status"] not in _MAY_FAIL:
        raise ValueError(f"{payout['id']} is {payout['status']}.")
    back = money.book(world, "payout_failure", payout["amount"], payout["currency"], payout["id"], account)
    payout |= {
        "status": "failed",
        "failure_code": code,
        "failure_message": _FAILURES.get(code, "The payout failed."),
        "failure_balance_transaction": back["id"],
    }
    world.tell("payout.failed", payout, account)


@answers("payout.create", "amount currency metadata method")
def create(call: Call) -> Thing:
    params = call.params
    return make(call.world, params["amount"], params["currency"], call.account, metadata=params.get("metadata") or {})


@answers("payout.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("payout")


@answers("payout.update", "metadata")
def update(call: Call) -> Thing:
    payout = call.get("payout")
    payout["metadata"] = merged(payout["metadata"], call.params.get("metadata"))
    call.world.tell("payout.updated", payout, call.account, previous={})
    return payout


@answers("payout.cancel")
def cancel(call: Call) -> Thing:
    payout = call.get("payout")
    if payout["status"] != "pending":
        raise invalid(f"Payouts can only be canceled while they are pending; this one is {payout['status']}.")
    payout["status"] = "canceled"
    money.book(call.world, "payout_cancel", payout["amount"], payout["currency"], payout["id"], call.account)
    call.world.tell("payout.canceled", payout, call.account)
    return payout


@answers("payout.list", PAGE + "created arrival_date status destination")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("payout", call.account), equal="status destination", url="/v1/payouts")
