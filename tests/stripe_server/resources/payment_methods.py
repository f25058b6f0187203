from tests.stripe_server import cards
from tests.stripe_server.cards import Card
from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged

_CHECKS = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def make(world: World, number: str, account: str = "", *, exp: tuple[int, int] = (12, 2099)) -> Thing:
    """A card as a browser hands it in; it belongs to nobody yet."""
    card = cards.card(number)
    return world.make(
        "payment_method",
        account,
        allow_redisplay="unspecified",
        billing_details={
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        card={
            "brand": card.brand,
            "checks": dict(_CHECKS),
            "country": "US",
            "display_brand": card.brand,
            "exp_month": exp[0],
            "exp_year": exp[1],
            "fingerprint": f"fp{card.number}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        created=world.stamp(),
        customer=None,
        livemode=False,
        metadata={},
        type="card",
        _card=card,
        _set_up=False,
    )


def require_owner(method: Thing, customer: str) -> None:
    """Raises:
    Failure: the card is not that customer's.
    """
    if method["customer"] != customer:
        raise invalid(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )


def declined(method: Thing, why: str, **fields: object) -> Failure:
    """What the bank's no looks like. ``fields`` are what else the error names (charge, payment_intent …)."""
    code = why if why in cards.OWN_CODES else "card_declined"
    decline = why if code in ("card_declined", "authentication_required") else None
    return Failure(
        402,
        "card_error",
        cards.MESSAGES.get(why, "Your card was declined."),
        code=code,
        decline_code=decline,
        doc_url=f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}",
        payment_method=method,
        **fields,
    )


def attach_to(world: World, wanted: str, customer: str, account: str = "") -> Thing:
    """The card becomes the customer's.

    Raises:
        Failure: there is no such card, the bank refuses it, or it is another's.
    """
    method = world.get("payment_method", wanted, account, param="payment_method")
    if method["customer"] not in (None, customer) or method.get("_detached"):
        raise invalid(
            "The payment method you provided has already been attached to a customer, or was detached from one.",
            code="payment_method_unexpected_state",
        )
    card: Card = method["_card"]
    if card.saving:
        raise declined(method, card.saving)
    if method["customer"] is None:
        method["customer"] = customer
        world.tell("payment_method.attached", method, account)
    return method


@answers("payment_method.create", "type card metadata billing_details")
def create(call: Call) -> Thing:
    card = call.params.get("card", {})
    try:
        method = make(
            call.world,
            card.get("number", ""),
            call.account,
            exp=(card.get("exp_month", 12), card.get("exp_year", 2099)),
        )
    except KeyError:
        raise Failure(
            402, "card_error", "Your card number is incorrect.", code="incorrect_number", param="number"
        ) from None
    method["billing_details"] |= call.params.get("billing_details", {})
    method["metadata"] = merged({}, call.params.get("metadata"))
    return method


@answers("payment_method.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("payment_method")


@answers("payment_method.update", "metadata billing_details")
def update(call: Call) -> Thing:
    method = call.get("payment_method")
    method["metadata"] = merged(method["metadata"], call.params.get("metadata"))
    method["billing_details"] |= call.params.get("billing_details", {})
    call.world.tell("payment_method.updated", method, call.account, previous={})
    return method


@answers("payment_method.attach", "customer")
def attach(call: Call) -> Thing:
    call.world.get("customer", call.params["customer"], call.account, param="customer")
    return attach_to(call.world, call.ids[0], call.params["customer"], call.account)


@answers("payment_method.detach")
def detach(call: Call) -> Thing:
    method = call.get("payment_method")
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    customer = call.world.get("customer", method["customer"], call.account)
    method["customer"] = None
    method["_detached"] = True
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
    call.world.tell("payment_method.detached", method, call.account, previous={"customer": customer["id"]})
    return method


@answers("payment_method.list", PAGE + "customer type")
def list_(call: Call) -> Thing:
    things = [thing for thing in call.world.all("payment_method", call.account) if thing["customer"]]
    return call.page(things, equal="customer type", url="/v1/payment_methods")
