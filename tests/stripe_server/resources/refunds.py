from tests.stripe_server.errors import invalid
from tests.stripe_server.resources import money
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged


@answers("refund.create", "payment_intent charge amount reason metadata")
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    if "payment_intent" in params:
        intent = world.get("payment_intent", params["payment_intent"], call.account, param="payment_intent")
        charge = world.find("charge", intent["latest_charge"] or "", call.account)
        if charge is None or not charge["paid"]:
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
    elif "charge" in params:
        charge = world.get("charge", params["charge"], call.account, param="charge")
    else:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    return make(
        world,
        charge,
        amount=params.get("amount"),
        reason=params.get("reason"),
        metadata=params.get("metadata") or {},
        account=call.account,
    )


def make(
    world: World,
    charge: Thing,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata: Thing | None = None,
    account: str = "",
) -> Thing:
    """Give back ``amount`` of a charge, or all that is left of it.

    Raises:
        Failure: nothing or less is left, it is disputed, or was never paid.
    """
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"]:
        raise invalid(f"Charge {charge['id']} has not been paid.", code="charge_not_refundable")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"] and not charge.get("_refundable_in_dispute"):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    amount = left if amount is None else amount
    if amount < 1:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).", param="amount")
    card = world.get("payment_method", charge["payment_method"], account)["_card"]
    pending = world.rules.refunds_pending or card.refund == "pending"
    refund = world.make(
        "refund",
        account,
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        created=world.stamp(),
        currency=charge["currency"],
        destination_details={
            "card": {
                "reference": "0000000000000000",
                "reference_status": "pending" if pending else "available",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        metadata=merged({}, metadata),
        payment_intent=charge["payment_intent"],
        reason=reason,
        receipt_number=None,
        source_transfer_reversal=None,
        status="pending" if pending else "succeeded",
        transfer_reversal=None,
    )
    if pending:
        refund["pending_reason"] = "processing"
    entry = money.book(world, "refund", -amount, refund["currency"], refund["id"], account)
    refund["balance_transaction"] = entry["id"]
    before = charge["amount_refunded"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    world.tell("refund.created", refund, account)
    world.tell("charge.refunded", charge, account, previous={"amount_refunded": before})
    if card.refund == "fails":
        fail(world, refund, "expired_or_canceled_card", account)
    return refund


def complete(world: World, refund: Thing, account: str = "") -> None:
    """A pending refund has arrived."""
    if refund["status"] != "pending":
        raise ValueError(f"{refund['id']} is {refund['status']}.")
    refund["status"] = "succeeded"
    refund.pop("pending_reason", None)
    _tell_changed(world, refund, account, previous={"status": "pending"})


def fail(world: World, refund: Thing, reason: str, account: str = "") -> None:
    """The bank sends the money back: it is ours again, and the charge counts as that much less refunded."""
    if refund["status"] not in ("pending", "succeeded"):
        raise ValueError(f"{refund['id']} is {refund['status']}.")
    before = refund["status"]
    refund.pop("pending_reason", None)
    entry = money.book(world, "refund_failure", refund["amount"], refund["currency"], refund["id"], account)
    refund |= {"status": "failed", "failure_reason": reason, "failure_balance_transaction": entry["id"]}
    charge = world.get("charge", refund["charge"], account)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    _tell_changed(world, refund, account, previous={"status": before})
    world.tell("refund.failed", refund, account)


def _tell_changed(world: World, refund: Thing, account: str, previous: Thing) -> None:
    world.tell("refund.updated", refund, account, previous=previous)
    world.tell("charge.refund.updated", refund, account, previous=previous)


@answers("refund.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("refund")


@answers("refund.update", "metadata")
def update(call: Call) -> Thing:
    refund = call.get("refund")
    refund["metadata"] = merged(refund["metadata"], call.params.get("metadata"))
    _tell_changed(call.world, refund, call.account, previous={})
    return refund


@answers("refund.list", PAGE + "created charge payment_intent")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("refund", call.account), equal="charge payment_intent", url="/v1/refunds")
