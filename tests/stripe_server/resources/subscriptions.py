"""Subscriptions: what is asked of them. Their life with time is in :mod:`tests.stripe_server.renewals`."""

import copy

from tests.stripe_server import periods, renewals
from tests.stripe_server.errors import invalid
from tests.stripe_server.resources import catalog, customers, invoices
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, listed, merged

_PENDING_ONLY = {"expand", "items", "payment_behavior", "proration_behavior", "proration_date", "off_session"}


@answers(
    "subscription.create",
    "customer items default_payment_method payment_behavior metadata payment_settings off_session proration_behavior "
    "collection_method description",
)
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    customer = customers.get(world, params["customer"], param="customer")
    if method := params.get("default_payment_method"):
        world.get("payment_method", method, param="default_payment_method")
    subscription = _new(world, params, customer)
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        raise invalid("payment_behavior=pending_if_incomplete is for updates only.", param="payment_behavior")
    invoice = invoices.make(world, subscription, renewals.lines_of(world, subscription), "subscription_create")
    renewals.watch(world, subscription, invoice)
    if behavior != "default_incomplete" and invoice["amount_due"]:
        try:
            invoices.payer(world, invoice)
        except Exception:
            world.drop("subscription", subscription["id"])
            world.drop("invoice", invoice["id"])
            raise
    invoices.finalize(world, invoice)
    subscription["latest_invoice"] = invoice["id"]
    failure = None
    if invoice["status"] == "open" and behavior != "default_incomplete":
        method = invoices.payer(world, invoice)
        failure = invoices.collect(world, invoice, method, off_session=params.get("off_session", False))
    elif invoice["status"] == "open" and params.get("default_payment_method"):
        intent = world.get("payment_intent", invoice["_intent"])
        intent |= {"payment_method": params["default_payment_method"], "status": "requires_confirmation"}
    if behavior == "error_if_incomplete" and invoice["status"] != "paid":
        invoices.void(world, invoice)
        world.drop("subscription", subscription["id"])
        raise failure or invalid("The subscription requires an action of its buyer.", status=402)
    world.tell("customer.subscription.created", subscription)
    if subscription["status"] == "incomplete":
        world.later(world.stamp() + 23 * periods.HOUR, lambda: renewals.expire(world, subscription, invoice))
    return subscription


def _new(world: World, params: Thing, customer: Thing) -> Thing:
    now = world.stamp()
    wanted = params.get("items", [])
    if not wanted or any("price" not in item for item in wanted):
        raise invalid("A subscription needs items, each with a price.", code="parameter_missing", param="items")
    prices = [_price(world, item["price"]) for item in wanted]
    if len({price["currency"] for price in prices}) > 1 or len({str(price["recurring"]) for price in prices}) > 1:
        raise invalid("All items need the same currency and interval.", param="items")
    settings = params.get("payment_settings", {})
    subscription = world.make(
        "subscription",
        application=None,
        application_fee_percent=None,
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
        billing_cycle_anchor=now,
        billing_cycle_anchor_config=None,
        billing_mode={"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        billing_schedules=[],
        billing_thresholds=None,
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=None,
        cancellation_details={"comment": None, "feedback": None, "reason": None},
        collection_method="charge_automatically",
        created=now,
        currency=prices[0]["currency"],
        customer=customer["id"],
        days_until_due=None,
        default_payment_method=params.get("default_payment_method"),
        default_source=None,
        default_tax_rates=[],
        description=params.get("description"),
        discounts=[],
        ended_at=None,
        invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
        items=None,
        latest_invoice=None,
        livemode=False,
        metadata=merged({}, params.get("metadata")),
        next_pending_invoice_item_invoice=None,
        on_behalf_of=None,
        pause_collection=None,
        payment_settings={
            "payment_method_options": None,
            "payment_method_types": settings.get("payment_method_types"),
            "save_default_payment_method": settings.get("save_default_payment_method", "off"),
        },
        pending_invoice_item_interval=None,
        pending_setup_intent=None,
        pending_update=None,
        schedule=None,
        start_date=now,
        status="incomplete",
        test_clock=None,
        transfer_data=None,
        trial_end=None,
        trial_settings={"end_behavior": {"missing_payment_method": "create_invoice"}},
        trial_start=None,
        _periods=0,
        _later=[],
    )
    items = [
        _item(world, subscription, price, item.get("quantity", 1)) for price, item in zip(prices, wanted, strict=True)
    ]
    subscription["items"] = listed(items, f"/v1/subscription_items?subscription={subscription['id']}")
    renewals.begin(world, subscription)
    return subscription


def _price(world: World, wanted: str) -> Thing:
    price = world.get("price", wanted, param="items[0][price]")
    if price["recurring"] is None:
        raise invalid("The price specified is set to `type=one_time` but this field only accepts recurring prices.")
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.")
    return price


def _item(world: World, subscription: Thing, price: Thing, quantity: int) -> Thing:
    return world.make(
        "subscription_item",
        billing_thresholds=None,
        created=world.stamp(),
        current_period_end=0,
        current_period_start=0,
        discounts=[],
        metadata={},
        plan=catalog.plan_of(price),
        price=price,
        quantity=quantity,
        subscription=subscription["id"],
        tax_rates=[],
    )


@answers("subscription.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("subscription")


@answers("subscription.list", PAGE + "created customer status price")
def list_(call: Call) -> Thing:
    status = call.params.get("status", "")
    over = ("canceled", "incomplete_expired")
    things = [
        thing
        for thing in call.world.all("subscription")
        if status == "all"
        or thing["status"] == status
        or (not status and thing["status"] != "canceled")
        or (status == "ended" and thing["status"] in over)
    ]
    if price := call.params.get("price"):
        things = [thing for thing in things if any(i["price"]["id"] == price for i in thing["items"]["data"])]
    return call.page(things, equal="customer", url="/v1/subscriptions")


@answers(
    "subscription.update",
    "items proration_behavior proration_date payment_behavior off_session cancel_at_period_end cancel_at metadata "
    "default_payment_method description",
)
def update(call: Call) -> Thing:
    world, params, subscription = call.world, call.params, call.get("subscription")
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if params.get("payment_behavior") == "pending_if_incomplete" and set(params) - _PENDING_ONLY:
        unfit = min(set(params) - _PENDING_ONLY)
        raise invalid(f"`{unfit}` is not supported with payment_behavior=pending_if_incomplete.", param=unfit)
    if subscription["schedule"] and ("cancel_at_period_end" in params or "cancel_at" in params):
        raise invalid(
            f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and updating any "
            "cancelation behavior directly is not allowed. Please update the schedule instead."
        )
    before = copy.deepcopy({name: subscription[name] for name in ("cancel_at_period_end", "cancel_at", "status")})
    _change(world, subscription, params)
    if "items" in params:
        _change_items(world, subscription, params)
    world.tell("customer.subscription.updated", subscription, previous=before)
    return subscription


def _change(world: World, subscription: Thing, params: Thing) -> None:
    now = world.stamp()
    if method := params.get("default_payment_method"):
        world.get("payment_method", method, param="default_payment_method")
        subscription["default_payment_method"] = method
    subscription["metadata"] = merged(subscription["metadata"], params.get("metadata"))
    subscription["description"] = params.get("description", subscription["description"])
    if "cancel_at_period_end" in params:
        ends = params["cancel_at_period_end"]
        subscription["cancel_at_period_end"] = ends
        subscription["cancel_at"] = renewals.period_end(subscription) if ends else None
    elif "cancel_at" in params:
        at = params["cancel_at"]
        if isinstance(at, str) and at:
            at = renewals.period_end(subscription)
        subscription |= {"cancel_at": at or None, "cancel_at_period_end": False}
        if at:
            world.later(at, lambda: renewals.end_if_due(world, subscription))
    if "cancel_at_period_end" in params or "cancel_at" in params:
        ends = subscription["cancel_at"] is not None
        subscription["canceled_at"] = now if ends else None
        subscription["cancellation_details"]["reason"] = "cancellation_requested" if ends else None


def _change_items(world: World, subscription: Thing, params: Thing) -> None:
    """Sell at other prices: the difference for the rest of the period is charged now, later or not at all."""
    behavior = params.get("proration_behavior", "create_prorations")
    at = params.get("proration_date", world.stamp())
    changes = changes_of(world, subscription, params["items"])
    lines = renewals.prorated(changes, at) if behavior != "none" else []
    if any(item["price"]["recurring"]["interval"] != price["recurring"]["interval"] for item, price, _ in changes):
        raise invalid("This server does not change a subscription's interval.", param="items")
    payment = params.get("payment_behavior", "allow_incomplete")
    if behavior != "always_invoice" or not lines:
        renewals.apply(subscription, changes)
        subscription.setdefault("_pending_lines", []).extend(lines)
        return
    invoice = invoices.make(world, subscription, lines, "subscription_update")
    if payment == "pending_if_incomplete":
        renewals.hold(world, subscription, invoice, changes)
    else:
        renewals.apply(subscription, changes)
        renewals.watch(world, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    invoices.finalize(world, invoice)
    if invoice["status"] == "open" and payment != "default_incomplete":
        method = invoices.payer(world, invoice)
        failure = invoices.collect(world, invoice, method, off_session=params.get("off_session", False))
        if failure and payment == "error_if_incomplete":
            raise failure


def changes_of(world: World, subscription: Thing, wanted: list[Thing]) -> list[tuple[Thing, Thing, int]]:
    """The items that are to change, each with its new price and quantity."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    changes = []
    for change in wanted:
        if change.get("id") not in items:
            raise invalid("This server changes items only; each needs its id.", param="items[0][id]")
        item = items[change["id"]]
        price = _price(world, change["price"]) if "price" in change else item["price"]
        changes.append((item, price, change.get("quantity", item["quantity"])))
    return changes


@answers("invoice.create_preview", "customer subscription subscription_details")
def preview(call: Call) -> Thing:
    world, params = call.world, call.params
    subscription = world.get("subscription", params.get("subscription", ""), param="subscription")
    details = params.get("subscription_details", {})
    at = details.get("proration_date", world.stamp())
    behavior = details.get("proration_behavior", "create_prorations")
    changes = changes_of(world, subscription, details.get("items", []))
    lines = renewals.prorated(changes, at) if behavior != "none" else []
    if behavior != "always_invoice":
        lines = lines + renewals.lines_of(world, renewals.as_if(subscription, changes), following=True)
    invoice = invoices.make(world, subscription, lines, "upcoming", id=world.new_id("upcoming_in"))
    world.drop("invoice", invoice["id"])
    return invoice


@answers("subscription.cancel", "cancellation_details")
def cancel(call: Call) -> Thing:
    subscription = call.get("subscription")
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise invalid(f"No such subscription: '{subscription['id']}'", status=404, code="resource_missing", param="id")
    subscription["cancellation_details"] |= call.params.get("cancellation_details", {})
    renewals.end(call.world, subscription, reason="cancellation_requested")
    return subscription
