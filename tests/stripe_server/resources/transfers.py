from tests.stripe_server.errors import invalid
from tests.stripe_server.resources import money
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, listed, merged


@answers("transfer.create", "amount currency destination transfer_group metadata description source_transaction")
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    account = world.get("account", params["destination"], param="destination")
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
            "crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    if "amount" not in params:
        raise invalid("Missing required param: amount.", code="parameter_missing", param="amount")
    amount, currency = params["amount"], params["currency"]
    available_on = world.stamp()
    source = params.get("source_transaction")
    if source:
        available_on = _from_charge(world, source, amount, currency)
    else:
        money.require(world, amount, currency)
    transfer = world.make(
        "transfer",
        amount=amount,
        amount_reversed=0,
        balance_transaction=None,
        created=world.stamp(),
        currency=currency,
        description=params.get("description"),
        destination=account["id"],
        destination_payment=None,
        livemode=False,
        metadata=merged({}, params.get("metadata")),
        reversals=None,
        reversed=False,
        source_transaction=source,
        source_type="card",
        transfer_group=params.get("transfer_group"),
    )
    transfer["reversals"] = listed([], f"/v1/transfers/{transfer['id']}/reversals")
    # There: a payment that nobody made by card. Nothing of ours asks for it, so only its id and its money are kept.
    transfer["destination_payment"] = world.new_id("py")
    transfer["balance_transaction"] = money.book(world, "transfer", -amount, currency, transfer["id"])["id"]
    money.book(
        world,
        "payment",
        amount,
        currency,
        transfer["destination_payment"],
        account["id"],
        available_on=available_on,
    )
    world.tell("transfer.created", transfer)
    return transfer


def _from_charge(world: World, source: str, amount: int, currency: str) -> int:
    """When money that a transfer takes straight from a charge becomes available there."""
    charge = world.get("charge", source, param="source_transaction")
    gone = sum(transfer["amount"] for transfer in world.all("transfer", source_transaction=source))
    if charge["currency"] != currency or amount > charge["amount"] - gone:
        raise invalid(
            "Transfers from a charge may not be of another currency, or of more than the charge's amount.",
            param="source_transaction",
        )
    return world.get("balance_transaction", charge["balance_transaction"])["available_on"]


@answers("transfer.retrieve")
def retrieve(call: Call) -> Thing:
    return call.world.get("transfer", call.ids[0])


@answers("transfer.update", "metadata description")
def update(call: Call) -> Thing:
    transfer = retrieve(call)
    transfer["metadata"] = merged(transfer["metadata"], call.params.get("metadata"))
    transfer["description"] = call.params.get("description", transfer["description"])
    call.world.tell("transfer.updated", transfer, previous={})
    return transfer


@answers("transfer.list", PAGE + "created destination transfer_group")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("transfer"), equal="destination transfer_group", url="/v1/transfers")


@answers("transfer_reversal.create", "amount metadata description")
def reverse(call: Call) -> Thing:
    world, transfer = call.world, retrieve(call)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise invalid(f"Transfer {transfer['id']} is already fully reversed.", code="transfer_already_reversed")
    if amount > left:
        raise invalid(f"Transfer reversal amount ({amount}) is greater than unreversed amount on transfer ({left}).")
    money.require(world, amount, transfer["currency"], transfer["destination"])
    reversal = world.make(
        "transfer_reversal",
        amount=amount,
        balance_transaction=None,
        created=world.stamp(),
        currency=transfer["currency"],
        destination_payment_refund=None,
        metadata=merged({}, call.params.get("metadata")),
        source_refund=None,
        transfer=transfer["id"],
    )
    back = money.book(world, "transfer_refund", amount, transfer["currency"], reversal["id"])
    reversal["balance_transaction"] = back["id"]
    money.book(world, "payment_refund", -amount, transfer["currency"], None, transfer["destination"])
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, reversal)
    world.tell("transfer.reversed", transfer)
    return reversal


@answers("transfer_reversal.retrieve")
def retrieve_reversal(call: Call) -> Thing:
    retrieve(call)
    return call.world.get("transfer_reversal", call.ids[1])


@answers("transfer_reversal.list", PAGE)
def list_reversals(call: Call) -> Thing:
    transfer = retrieve(call)
    things = call.world.all("transfer_reversal", transfer=transfer["id"])
    return call.page(things, url=f"/v1/transfers/{transfer['id']}/reversals")
