from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.resources import customers, payment_methods
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged


@answers(
    "setup_intent.create",
    "customer usage payment_method_types allowed_payment_method_types automatic_payment_methods description metadata "
    "payment_method confirm",
)
def create(call: Call) -> Thing:
    params = call.params
    if "customer" in params:
        customers.get(call.world, params["customer"], call.account, param="customer")
    setup = call.world.make(
        "setup_intent",
        call.account,
        application=None,
        automatic_payment_methods=params.get("automatic_payment_methods"),
        cancellation_reason=None,
        client_secret=None,
        created=call.world.stamp(),
        customer=params.get("customer"),
        description=params.get("description"),
        flow_directions=None,
        last_setup_error=None,
        latest_attempt=None,
        livemode=False,
        mandate=None,
        metadata=merged({}, params.get("metadata")),
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_configuration_details=None,
        payment_method_options={
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        payment_method_types=params.get("payment_method_types", ["card"]),
        single_use_mandate=None,
        status="requires_payment_method",
        usage=params.get("usage", "off_session"),
    )
    setup["client_secret"] = call.world.secret(setup["id"])
    call.world.tell("setup_intent.created", setup, call.account)
    if method := params.get("payment_method"):
        setup["payment_method"] = call.world.get("payment_method", method, call.account, param="payment_method")["id"]
        setup["status"] = "requires_confirmation"
    if params.get("confirm"):
        confirm_with(call.world, setup, setup["payment_method"] or "", call.account)
    return setup


@answers("setup_intent.retrieve", "client_secret")
def retrieve(call: Call) -> Thing:
    return call.get("setup_intent")


@answers("setup_intent.confirm", "payment_method return_url use_stripe_sdk")
def confirm(call: Call) -> Thing:
    setup = call.get("setup_intent")
    confirm_with(call.world, setup, call.params.get("payment_method") or setup["payment_method"] or "", call.account)
    return setup


@answers("setup_intent.cancel", "cancellation_reason")
def cancel(call: Call) -> Thing:
    setup = call.get("setup_intent")
    _require(setup, "requires_payment_method", "requires_confirmation", "requires_action")
    setup |= {
        "status": "canceled",
        "cancellation_reason": call.params.get("cancellation_reason"),
        "next_action": None,
    }
    call.world.tell("setup_intent.canceled", setup, call.account)
    return setup


@answers("setup_intent.list", PAGE + "created customer payment_method")
def list_(call: Call) -> Thing:
    things = call.world.all("setup_intent", call.account)
    return call.page(things, equal="customer payment_method", url="/v1/setup_intents")


def _require(setup: Thing, *statuses: str) -> None:
    if setup["status"] not in statuses:
        raise invalid(
            f"This SetupIntent's status is {setup['status']}, and must be one of {', '.join(statuses)}.",
            code="setup_intent_unexpected_state",
            setup_intent=setup,
        )


def confirm_with(world: World, setup: Thing, method_id: str, account: str = "") -> None:
    """The card form is handed in.

    Raises:
        Failure: the bank refuses the card; the SetupIntent says so too, and takes another one.
    """
    _require(setup, "requires_payment_method", "requires_confirmation")
    method = world.get("payment_method", method_id, account, param="payment_method")
    card = method["_card"]
    if card.saving:
        failure = payment_methods.declined(method, card.saving)
        _failed(world, setup, failure, account)
        raise failure
    setup |= {"payment_method": method["id"], "last_setup_error": None}
    if card.on_session or card.off_session:
        setup["status"] = "requires_action"
        setup["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        world.tell("setup_intent.requires_action", setup, account)
        return
    _done(world, setup, method, account)


def authenticated(world: World, setup: Thing, account: str = "", *, success: bool) -> None:
    """The bank has seen the buyer, or the buyer failed or left."""
    _require(setup, "requires_action")
    method = world.get("payment_method", setup["payment_method"], account)
    if success:
        method["_set_up"] = True
        _done(world, setup, method, account)
        return
    failure = Failure(
        402,
        "invalid_request_error",
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        code="setup_intent_authentication_failure",
        doc_url="https://docs.stripe.com/error-codes#setup-intent-authentication-failure",
        payment_method=method,
    )
    _failed(world, setup, failure, account)


def _done(world: World, setup: Thing, method: Thing, account: str) -> None:
    if setup["customer"]:
        payment_methods.attach_to(world, method["id"], setup["customer"], account)
    setup |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    world.tell("setup_intent.succeeded", setup, account)


def _failed(world: World, setup: Thing, failure: Failure, account: str) -> None:
    error = failure.fields
    setup |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": error,
    }
    world.tell("setup_intent.setup_failed", setup, account)
    failure.fields = error | {"setup_intent": setup}
