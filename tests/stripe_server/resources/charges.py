from datetime import timedelta

from tests.stripe_server import cards
from tests.stripe_server.cards import Card
from tests.stripe_server.resources import disputes, money
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, includes, listed, merged


def make(world: World, intent: Thing, method: Thing, account: str = "", *, failure: str = "") -> Thing:
    """What the card was charged for a PaymentIntent, or that the bank refused it (``failure``)."""
    amount, card = intent["amount"], method["card"]
    code = failure if failure in cards.OWN_CODES else "card_declined"
    charge = world.make(
        "charge",
        account,
        amount=amount,
        amount_captured=0 if failure else amount,
        amount_refunded=0,
        application=None,
        application_fee=None,
        application_fee_amount=None,
        balance_transaction=None,
        billing_details=method["billing_details"],
        calculated_statement_descriptor="MARKETPLACE",
        captured=not failure,
        created=world.stamp(),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=code if failure else None,
        failure_message=cards.MESSAGES.get(failure, "Your card was declined.") if failure else None,
        fraud_details={},
        livemode=False,
        metadata=dict(intent["metadata"]),
        on_behalf_of=None,
        outcome={
            "advice_code": "try_again_later" if failure else None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "declined_by_network" if failure else "approved_by_network",
            "reason": failure or None,
            "risk_level": "normal",
            "seller_message": "The bank did not approve it." if failure else "Payment complete.",
            "type": "issuer_declined" if failure else "authorized",
        },
        paid=not failure,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={
            "card": {
                "amount_authorized": None if failure else amount,
                "brand": card["brand"],
                "checks": dict(card["checks"]),
                "country": card["country"],
                "exp_month": card["exp_month"],
                "exp_year": card["exp_year"],
                "fingerprint": card["fingerprint"],
                "funding": card["funding"],
                "installments": None,
                "last4": card["last4"],
                "mandate": None,
                "network": card["brand"],
                "three_d_secure": None,
                "wallet": None,
            },
            "type": "card",
        },
        radar_options={},
        receipt_email=intent["receipt_email"],
        receipt_number=None,
        receipt_url=None if failure else f"https://pay.stripe.com/receipts/{intent['id']}",
        refunded=False,
        review=None,
        shipping=None,
        source=None,
        source_transfer=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="failed" if failure else "succeeded",
        transfer_data=None,
        transfer_group=intent["transfer_group"] or (None if failure else f"group_{intent['id']}"),
    )
    if not failure:
        wait = timedelta(0) if method["_card"].available_at_once else world.rules.funds_after
        entry = money.book(
            world,
            "charge",
            amount,
            charge["currency"],
            charge["id"],
            account,
            fee=round(amount * world.rules.fee_share) + world.rules.fee_fixed,
            available_on=world.stamp() + int(wait.total_seconds()),
        )
        charge["balance_transaction"] = entry["id"]
    return charge


def tell_made(world: World, charge: Thing, account: str = "") -> None:
    world.tell("charge.failed" if charge["status"] == "failed" else "charge.succeeded", charge, account)


def follow_up(world: World, charge: Thing, card: Card, account: str = "") -> None:
    """Some test cards bring a dispute with every payment."""
    if card.dispute:
        inquiry = card.dispute == "inquiry"
        reason = "fraudulent" if inquiry else card.dispute
        disputes.start(world, charge, amount=charge["amount"], reason=reason, inquiry=inquiry, account=account)


@includes("charge", "refunds")
def refunds(world: World, charge: Thing, account: str) -> Thing:
    found = world.all("refund", account, charge=charge["id"])
    return listed(found[::-1], f"/v1/charges/{charge['id']}/refunds")


@answers("charge.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("charge")


@answers("charge.update", "metadata description")
def update(call: Call) -> Thing:
    charge = call.get("charge")
    charge["metadata"] = merged(charge["metadata"], call.params.get("metadata"))
    charge["description"] = call.params.get("description", charge["description"])
    call.world.tell("charge.updated", charge, call.account, previous={})
    return charge


@answers("charge.list", PAGE + "created customer payment_intent transfer_group")
def list_(call: Call) -> Thing:
    things = call.world.all("charge", call.account)
    return call.page(things, equal="customer payment_intent transfer_group", url="/v1/charges")
