from typing import Any

from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.resources import charges, customers, payment_methods
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_CONFIRM = "error_on_requires_action off_session payment_method return_url setup_future_usage use_stripe_sdk "
_FIELDS = "description metadata receipt_email statement_descriptor_suffix transfer_group "

#: Least amounts in minor units; where there is none here, 50 is taken.
_LEAST = {"eur": 50, "usd": 50, "gbp": 30, "jpy": 50}


@answers(
    "payment_intent.create",
    _CONFIRM + _FIELDS + "amount currency customer confirm payment_method_types automatic_payment_methods "
    "allowed_payment_method_types",
)
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    _check_amount(params["amount"], params["currency"])
    if "customer" in params:
        customers.get(world, params["customer"], call.account, param="customer")
    for name in ("off_session", "error_on_requires_action"):
        if params.get(name) and not params.get("confirm"):
            raise invalid(f"{name} can only be used with confirm=true.", param=name)
    intent = new(
        world,
        amount=params["amount"],
        currency=params["currency"],
        customer=params.get("customer"),
        account=call.account,
        types=params.get("payment_method_types", ["card"]),
        automatic=None if "payment_method_types" in params else {"allow_redirects": "always", "enabled": True},
    )
    _change(intent, params)
    if method := params.get("payment_method"):
        use(world, intent, method, call.account)
    world.tell("payment_intent.created", intent, call.account)
    if params.get("confirm"):
        attempt(world, intent, call.account, **_how(params))
    return intent


def new(
    world: World,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    account: str = "",
    types: list[str] | None = None,
    automatic: Thing | None = None,
    **fields: Any,
) -> Thing:
    """A PaymentIntent without a card; no event yet."""
    intent = world.make(
        "payment_intent",
        account,
        amount=amount,
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        application=None,
        application_fee_amount=None,
        automatic_payment_methods=automatic,
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic_async",
        client_secret=None,
        confirmation_method="automatic",
        created=world.stamp(),
        currency=currency,
        customer=customer,
        description=None,
        excluded_payment_method_types=None,
        last_payment_error=None,
        latest_charge=None,
        livemode=False,
        metadata={},
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_configuration_details=None,
        payment_method_options={
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        payment_method_types=types or ["card"],
        processing=None,
        receipt_email=None,
        review=None,
        setup_future_usage=None,
        shipping=None,
        source=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="requires_payment_method",
        transfer_data=None,
        transfer_group=None,
        **fields,
    )
    intent["client_secret"] = world.secret(intent["id"])
    return intent


@answers("payment_intent.retrieve", "client_secret")
def retrieve(call: Call) -> Thing:
    return call.get("payment_intent")


@answers("payment_intent.update", _FIELDS + "amount currency customer payment_method setup_future_usage")
def update(call: Call) -> Thing:
    intent = call.get("payment_intent")
    if "amount" in call.params or "payment_method" in call.params:
        _require(intent, "updated", *_OPEN)
        intent["amount"] = call.params.get("amount", intent["amount"])
        _check_amount(intent["amount"], intent["currency"])
    _change(intent, call.params)
    if method := call.params.get("payment_method"):
        use(call.world, intent, method, call.account)
    return intent


@answers("payment_intent.confirm", _CONFIRM + "receipt_email")
def confirm(call: Call) -> Thing:
    intent = call.get("payment_intent")
    _require(intent, "confirmed", *_OPEN)
    if intent["status"] == "requires_action" and call.params.get("payment_method") is None:
        return intent
    _change(intent, call.params)
    if method := call.params.get("payment_method"):
        use(call.world, intent, method, call.account)
    attempt(call.world, intent, call.account, **_how(call.params))
    return intent


@answers("payment_intent.cancel", "cancellation_reason")
def cancel(call: Call) -> Thing:
    intent = call.get("payment_intent")
    _require(intent, "canceled", *_OPEN)
    void(call.world, intent, call.account, reason=call.params.get("cancellation_reason"))
    return intent


def void(world: World, intent: Thing, account: str = "", *, reason: str | None) -> None:
    intent |= {
        "status": "canceled",
        "canceled_at": world.stamp(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    world.tell("payment_intent.canceled", intent, account)


@answers("payment_intent.list", PAGE + "created customer")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("payment_intent", call.account), equal="customer", url="/v1/payment_intents")


def _check_amount(amount: int, currency: str) -> None:
    if currency != currency.lower() or len(currency) != 3:
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount < _LEAST.get(currency, 50):
        raise invalid(
            "The amount must be greater than or equal to the minimum charge amount allowed for your account and the "
            "currency set.",
            code="amount_too_small",
            param="amount",
        )


def _change(intent: Thing, params: Thing) -> None:
    for name in (*_FIELDS.split(), "customer", "setup_future_usage"):
        if name in params and name != "metadata":
            intent[name] = params[name] or None
    intent["metadata"] = merged(intent["metadata"], params.get("metadata"))


def use(world: World, intent: Thing, wanted: str, account: str = "") -> None:
    """Take this card for it.

    Raises:
        Failure: there is none, or it is another's.
    """
    method = world.get("payment_method", wanted, account, param="payment_method")
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid(
            f"The provided PaymentMethod cannot be attached. To reuse a PaymentMethod, you must attach it to a Customer "
            f"first: {method['id']} belongs to another customer, or the PaymentIntent names none.",
            param="payment_method",
        )
    if method.get("_detached"):
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was "
            "detached from a Customer, and may not be used again.",
            code="payment_method_unexpected_state",
        )
    intent |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}


def _how(params: Thing) -> dict[str, Any]:
    return {
        "off_session": bool(params.get("off_session")),
        "refuse_action": bool(params.get("error_on_requires_action")),
        "return_url": params.get("return_url"),
    }


def _require(intent: Thing, what: str, *statuses: str) -> None:
    if intent["status"] in statuses:
        return
    raise invalid(
        f"This PaymentIntent could not be {what} because it has a status of {intent['status']}. Only a PaymentIntent "
        f"with one of the following statuses may be {what}: {', '.join(statuses)}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


# What the bank does ------------------------------------------------------------------------------------


def attempt(
    world: World,
    intent: Thing,
    account: str = "",
    *,
    off_session: bool = False,
    refuse_action: bool = False,
    return_url: str | None = None,
    ask: bool = False,
) -> None:
    """Take the money, or have the buyer asked for.

    Args:
        off_session: the shop charges a saved card, and the buyer is not there.
        refuse_action: rather fail than have the buyer asked for.
        ask: have the buyer asked for even where they are not there, as invoices do.

    Raises:
        Failure: the bank says no, or wants to see the buyer who is not there; the PaymentIntent tells the same.
    """
    if not intent["payment_method"]:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    method = world.get("payment_method", intent["payment_method"], account)
    card = method["_card"]
    passes = card.set_up_helps and method["_set_up"]
    if (card.off_session and not passes) if off_session else card.on_session:
        if refuse_action or (off_session and not ask):
            _refused(world, intent, method, "authentication_required", account)
        intent["status"] = "requires_action"
        intent["next_action"] = (
            {
                "type": "redirect_to_url",
                "redirect_to_url": {"return_url": return_url, "url": "https://hooks.stripe.com/"},
            }
            if return_url
            else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        )
        world.tell("payment_intent.requires_action", intent, account)
        if asks := intent.get("_asks"):
            asks(world, intent)
        return
    _take(world, intent, method, account)


def authenticated(world: World, intent: Thing, account: str = "", *, success: bool) -> None:
    """The bank has seen the buyer, or the buyer failed or left. What follows is in the PaymentIntent."""
    _require(intent, "authenticated", "requires_action")
    method = world.get("payment_method", intent["payment_method"], account)
    if success:
        try:
            _take(world, intent, method, account)
        except Failure:
            return  # The browser learns it from the PaymentIntent.
        return
    failure = Failure(
        402,
        "invalid_request_error",
        "The provided payment method has failed authentication. You can provide payment_method_data or a new "
        "payment method to attempt to fulfill this PaymentIntent again.",
        code="payment_intent_authentication_failure",
        doc_url="https://docs.stripe.com/error-codes#payment-intent-authentication-failure",
        payment_method=method,
    )
    _lost(world, intent, failure, account)


def _take(world: World, intent: Thing, method: Thing, account: str) -> None:
    card = method["_card"]
    if card.charging:
        _refused(world, intent, method, card.charging, account)
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None:
        payment_methods.attach_to(world, method["id"], intent["customer"], account)
    charge = charges.make(world, intent, method, account)
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "last_payment_error": None,
        "next_action": None,
    }
    world.tell("payment_intent.succeeded", intent, account)
    charges.tell_made(world, charge, account)
    if settled := intent.get("_settles"):
        settled(world, intent)
    charges.follow_up(world, charge, card, account)


def _refused(world: World, intent: Thing, method: Thing, why: str, account: str) -> None:
    charge = charges.make(world, intent, method, account, failure=why)
    intent["latest_charge"] = charge["id"]
    failure = payment_methods.declined(method, why, charge=charge["id"])
    _lost(world, intent, failure, account)
    charges.tell_made(world, charge, account)
    raise failure


def _lost(world: World, intent: Thing, failure: Failure, account: str) -> None:
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": failure.fields,
    }
    failure.fields = failure.fields | {"payment_intent": intent}
    world.tell("payment_intent.payment_failed", intent, account)
    if fails := intent.get("_fails"):
        fails(world, intent)
