from tests.stripe_server import periods, renewals
from tests.stripe_server.errors import invalid
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged


def _phase(items: list[Thing], start: int, end: int, currency: str, proration: str) -> Thing:
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": currency,
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": {},
        "on_behalf_of": None,
        "proration_behavior": proration,
        "start_date": start,
        "transfer_data": None,
        "trial_end": None,
    }


def _phase_item(price: str, quantity: int) -> Thing:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": {},
        "plan": price,
        "price": price,
        "quantity": quantity,
        "tax_rates": [],
    }


@answers("subscription_schedule.create", "from_subscription metadata")
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    if "from_subscription" not in params:
        raise invalid("This server makes schedules from subscriptions only.", param="from_subscription")
    subscription = world.get("subscription", params["from_subscription"], param="from_subscription")
    if subscription["schedule"]:
        raise invalid(
            "You cannot migrate a subscription that is already attached to a schedule: "
            f"`{subscription['id']}` is already attached to `{subscription['schedule']}`.",
            param="from_subscription",
        )
    if subscription["status"] in ("canceled", "incomplete", "incomplete_expired"):
        raise invalid(f"You cannot migrate a subscription that is {subscription['status']}.", param="from_subscription")
    items = subscription["items"]["data"]
    start, end = items[0]["current_period_start"], items[0]["current_period_end"]
    phase = _phase(
        [_phase_item(item["price"]["id"], item["quantity"]) for item in items],
        start,
        end,
        subscription["currency"],
        "create_prorations",
    )
    schedule = world.make(
        "subscription_schedule",
        application=None,
        billing_mode={"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        canceled_at=None,
        completed_at=None,
        created=world.stamp(),
        current_phase={"end_date": end, "start_date": start},
        customer=subscription["customer"],
        default_settings={
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        end_behavior="release",
        livemode=False,
        metadata=merged({}, params.get("metadata")),
        pause_schedules=[],
        phases=[phase],
        released_at=None,
        released_subscription=None,
        status="active",
        subscription=subscription["id"],
        test_clock=None,
    )
    subscription["schedule"] = schedule["id"]
    world.later(end, lambda: renewals.follow_schedule(world, schedule))
    world.tell("subscription_schedule.created", schedule)
    world.tell("customer.subscription.updated", subscription, previous={"schedule": None})
    return schedule


@answers("subscription_schedule.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("subscription_schedule")


@answers("subscription_schedule.update", "phases end_behavior proration_behavior metadata")
def update(call: Call) -> Thing:
    world, params, schedule = call.world, call.params, call.get("subscription_schedule")
    _require(schedule, "updated")
    if "phases" in params:
        phases = _phases(world, schedule, params["phases"])
        current = [p for p in phases if p["start_date"] <= world.stamp() < p["end_date"]]
        if not current or current[0]["start_date"] != schedule["current_phase"]["start_date"]:
            raise invalid("You can not modify the start date of the current phase.", param="phases[0][start_date]")
        schedule["phases"] = phases
        schedule["current_phase"] = {name: current[0][name] for name in ("start_date", "end_date")}
        for phase in phases:
            world.later(phase["end_date"], lambda: renewals.follow_schedule(world, schedule))
    schedule["end_behavior"] = params.get("end_behavior", schedule["end_behavior"])
    schedule["metadata"] = merged(schedule["metadata"], params.get("metadata"))
    world.tell("subscription_schedule.updated", schedule, previous={})
    return schedule


def _phases(world: World, schedule: Thing, wanted: list[Thing]) -> list[Thing]:
    phases: list[Thing] = []
    currency = schedule["phases"][0]["currency"]
    for number, phase in enumerate(wanted):
        start = phase.get("start_date") or (phases[-1]["end_date"] if phases else None)
        if not isinstance(start, int):
            raise invalid("The first phase needs a start_date.", param=f"phases[{number}][start_date]")
        if phases and start != phases[-1]["end_date"]:
            raise invalid("A phase has to begin when the one before ends.", param=f"phases[{number}][start_date]")
        if ("end_date" in phase) == ("duration" in phase):
            raise invalid("A phase needs either an end_date or a duration.", param=f"phases[{number}][end_date]")
        duration = phase.get("duration", {})
        end = phase.get("end_date") or periods.after(start, duration["interval"], duration.get("interval_count", 1))
        unfit = set(phase) - {"items", "start_date", "end_date", "duration", "proration_behavior"}
        if unfit:
            raise invalid(f"This server does nothing about {sorted(unfit)} of phases.", param=f"phases[{number}]")
        items = []
        for item in phase["items"]:
            price = world.get("price", item.get("price", ""), param=f"phases[{number}][items][0][price]")
            items.append(_phase_item(price["id"], item.get("quantity", 1)))
        phases.append(_phase(items, start, end, currency, phase.get("proration_behavior", "create_prorations")))
    return phases


@answers("subscription_schedule.release")
def release(call: Call) -> Thing:
    schedule = call.get("subscription_schedule")
    _require(schedule, "released")
    renewals.let_go(call.world, schedule)
    return schedule


@answers("subscription_schedule.cancel")
def cancel(call: Call) -> Thing:
    schedule = call.get("subscription_schedule")
    _require(schedule, "canceled")
    renewals.end(call.world, call.world.get("subscription", schedule["subscription"]), reason="cancellation_requested")
    return schedule


@answers("subscription_schedule.list", PAGE + "created customer")
def list_(call: Call) -> Thing:
    things = call.world.all("subscription_schedule")
    return call.page(things, equal="customer", url="/v1/subscription_schedules")


def _require(schedule: Thing, what: str) -> None:
    if schedule["status"] not in ("active", "not_started"):
        raise invalid(
            f"You cannot change a subscription schedule that is {schedule['status']}: it cannot be {what}. Only "
            "schedules that are not_started or active may be."
        )
