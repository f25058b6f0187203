"""What becomes of a subscription as time passes: renewals, attempts after a failed one, its end, its schedule."""

import copy

from tests.stripe_server import periods
from tests.stripe_server.resources import catalog, invoices
from tests.stripe_server.world import Thing, World

Change = tuple[Thing, Thing, int]

_OVER = ("canceled", "incomplete_expired")


def period_end(subscription: Thing) -> int:
    return subscription["items"]["data"][0]["current_period_end"]


def begin(world: World, subscription: Thing) -> None:
    """The next period begins where the last one ended, or now."""
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    anchor, number = subscription["billing_cycle_anchor"], subscription["_periods"]
    interval, count = recurring["interval"], recurring["interval_count"]
    start, end = (periods.nth(anchor, interval, count, n) for n in (number, number + 1))
    for item in subscription["items"]["data"]:
        item |= {"current_period_start": start, "current_period_end": end}
    subscription["_periods"] += 1
    world.later(end, lambda: _renew(world, subscription))


def lines_of(world: World, subscription: Thing, *, following: bool = False) -> list[Thing]:
    """What is charged for the current period, or for the one that follows it."""
    lines = []
    for item in subscription["items"]["data"]:
        price, start, end = item["price"], item["current_period_start"], item["current_period_end"]
        if following:
            recurring = price["recurring"]
            start, end = end, periods.after(end, recurring["interval"], recurring["interval_count"])
        amount = price["unit_amount"] * item["quantity"]
        what = f"{item['quantity']} × {world.get('product', price['product'])['name']}"
        lines.append(invoices.line(item, price, amount, start, end, what=what))
    return lines


# Changes within a period -------------------------------------------------------------------------------


def prorated(changes: list[Change], at: int) -> list[Thing]:
    """What is given back of the old prices and charged of the new ones for the rest of the period."""
    lines = []
    for item, price, quantity in changes:
        start, end = item["current_period_start"], item["current_period_end"]
        at = min(max(at, start), end)
        old = periods.share(item["price"]["unit_amount"] * item["quantity"], start, end, at)
        new = periods.share(price["unit_amount"] * quantity, start, end, at)
        lines += [
            invoices.line(item, item["price"], -old, at, end, proration=True, what="Unused time on the old plan"),
            invoices.line(item, price, new, at, end, proration=True, what="Remaining time on the new plan"),
        ]
    return lines


def apply(subscription: Thing, changes: list[Change]) -> None:
    for item, price, quantity in changes:
        item |= {"price": price, "plan": catalog.plan_of(price), "quantity": quantity}


def as_if(subscription: Thing, changes: list[Change]) -> Thing:
    """A copy of the subscription as it would be after the changes."""
    items = {item["id"]: dict(item) for item in subscription["items"]["data"]}
    apply(subscription, [(items[item["id"]], price, quantity) for item, price, quantity in changes])
    return subscription | {"items": {"data": list(items.values())}}


def hold(world: World, subscription: Thing, invoice: Thing, changes: list[Change]) -> None:
    """The changes wait until the invoice is paid, for 23 hours at most."""
    until = world.stamp() + 23 * periods.HOUR
    after = as_if(subscription, changes)["items"]["data"]

    def paid() -> None:
        apply(subscription, changes)
        subscription["pending_update"] = None
        world.tell("customer.subscription.pending_update_applied", subscription)
        world.tell("customer.subscription.updated", subscription, previous={"pending_update": {}})

    def failed() -> None:
        subscription["pending_update"] = {
            "billing_cycle_anchor": None,
            "expires_at": until,
            "subscription_items": [copy.copy(item) for item in after],
            "trial_end": None,
            "trial_from_plan": None,
        }

    def dropped() -> None:
        if subscription["pending_update"]:
            subscription["pending_update"] = None
            world.tell("customer.subscription.pending_update_expired", subscription)
            world.tell("customer.subscription.updated", subscription, previous={"pending_update": {}})

    def expire() -> None:
        if invoice["status"] == "open":
            invoices.void(world, invoice)

    invoice |= {"_on_paid": paid, "_on_failed": failed, "_on_void": dropped}
    world.later(until, expire)


# With time ---------------------------------------------------------------------------------------------


def watch(world: World, subscription: Thing, invoice: Thing) -> None:
    """What becomes of the invoice decides about the subscription."""
    invoice["_on_paid"] = lambda: _set_status(world, subscription, "active")
    invoice["_on_failed"] = lambda: _unpaid(world, subscription, invoice)


def _renew(world: World, subscription: Thing) -> None:
    if subscription["status"] in _OVER or world.stamp() < period_end(subscription):
        return
    if subscription["schedule"]:
        follow_schedule(world, world.get("subscription_schedule", subscription["schedule"]))
    end_if_due(world, subscription)
    if subscription["status"] in _OVER:
        return
    if subscription["status"] == "incomplete":
        return
    begin(world, subscription)
    lines = subscription.pop("_pending_lines", []) + lines_of(world, subscription)
    invoice = invoices.make(world, subscription, lines, "subscription_cycle")
    watch(world, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    world.tell("customer.subscription.updated", subscription, previous={"latest_invoice": None})
    if subscription["status"] == "unpaid":
        world.tell("invoice.created", invoice)  # It stays a draft: nothing is collected any more.
        return
    invoices.finalize(world, invoice)
    _collect(world, invoice)


def _collect(world: World, invoice: Thing) -> None:
    if invoice["status"] != "open":
        return
    try:
        method = invoices.payer(world, invoice)
    except Exception:
        invoice["_on_failed"]()
        world.tell("invoice.payment_failed", invoice)
        return
    invoices.collect(world, invoice, method, off_session=True)


def _unpaid(world: World, subscription: Thing, invoice: Thing) -> None:
    """A payment failed: the next attempt, or after the last one what the rules say."""
    if subscription["status"] in (*_OVER, "incomplete"):
        return
    first = invoice.setdefault("_first_failure", world.stamp())
    later = [first + days * periods.DAY for days in world.rules.dunning]
    coming = [at for at in later if at > world.stamp()]
    if coming:
        if invoice["next_payment_attempt"] != coming[0]:
            invoice["next_payment_attempt"] = coming[0]
            world.later(coming[0], lambda: _retry(world, subscription, invoice))
        _set_status(world, subscription, "past_due")
        return
    invoice["next_payment_attempt"] = None
    if world.rules.after_dunning == "canceled":
        end(world, subscription, reason="payment_failed")
    else:
        _set_status(world, subscription, world.rules.after_dunning)


def _retry(world: World, subscription: Thing, invoice: Thing) -> None:
    if subscription["status"] not in _OVER and invoice["next_payment_attempt"] is not None:
        _collect(world, invoice)


def _set_status(world: World, subscription: Thing, status: str) -> None:
    before = subscription["status"]
    if before == status or before in _OVER:
        return
    subscription["status"] = status
    if world.find("subscription", subscription["id"]) and subscription["latest_invoice"]:
        world.tell("customer.subscription.updated", subscription, previous={"status": before})


def expire(world: World, subscription: Thing, invoice: Thing) -> None:
    """The first payment was not made within 23 hours."""
    if subscription["status"] != "incomplete":
        return
    subscription |= {"status": "incomplete_expired", "ended_at": world.stamp()}
    if invoice["status"] == "open":
        invoices.void(world, invoice)
    world.tell("customer.subscription.updated", subscription, previous={"status": "incomplete"})


def end_if_due(world: World, subscription: Thing) -> None:
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= world.stamp():
        end(world, subscription, reason="cancellation_requested")


def end(world: World, subscription: Thing, *, reason: str) -> None:
    """It is over now; what is open is not collected any more."""
    if subscription["status"] in _OVER:
        return
    now = world.stamp()
    subscription |= {
        "status": "canceled",
        "ended_at": now,
        "canceled_at": subscription["canceled_at"] or now,
        "pending_update": None,
    }
    subscription["cancellation_details"]["reason"] = reason
    for invoice in world.all("invoice", _subscription=subscription["id"], status="open"):
        invoice |= {"next_payment_attempt": None, "auto_advance": False}
    if subscription["schedule"]:
        schedule = world.get("subscription_schedule", subscription["schedule"])
        if schedule["status"] in ("active", "not_started"):
            schedule |= {"status": "canceled", "canceled_at": now, "current_phase": None}
            world.tell("subscription_schedule.canceled", schedule)
    world.tell("customer.subscription.deleted", subscription)


# Schedules ---------------------------------------------------------------------------------------------


def follow_schedule(world: World, schedule: Thing) -> None:
    """Go on to the phase in which we are; after the last one the schedule lets go, or ends it."""
    if schedule["status"] != "active":
        return
    subscription = world.get("subscription", schedule["subscription"])
    now = world.stamp()
    while schedule["current_phase"]["end_date"] <= now:
        following = [p for p in schedule["phases"] if p["start_date"] >= schedule["current_phase"]["end_date"]]
        if not following:
            _over(world, schedule, subscription)
            return
        phase = following[0]
        schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
        _enter(world, subscription, phase)
        world.tell("subscription_schedule.updated", schedule, previous={"current_phase": {}})


def _enter(world: World, subscription: Thing, phase: Thing) -> None:
    items = subscription["items"]["data"]
    changes = [
        (item, world.get("price", wanted["price"]), wanted["quantity"])
        for item, wanted in zip(items, phase["items"], strict=True)
    ]
    if phase["proration_behavior"] != "none":
        lines = [line for line in prorated(changes, world.stamp()) if line["start"] < line["end"]]
        subscription.setdefault("_pending_lines", []).extend(lines)
    apply(subscription, changes)
    world.tell("customer.subscription.updated", subscription, previous={"items": {}})


def _over(world: World, schedule: Thing, subscription: Thing) -> None:
    if schedule["end_behavior"] == "cancel":
        schedule |= {"status": "completed", "completed_at": world.stamp(), "current_phase": None}
        world.tell("subscription_schedule.completed", schedule)
        end(world, subscription, reason="cancellation_requested")
        return
    let_go(world, schedule)


def let_go(world: World, schedule: Thing) -> None:
    """The subscription goes on as it is, without the schedule."""
    subscription = world.get("subscription", schedule["subscription"])
    schedule |= {
        "status": "released",
        "released_at": world.stamp(),
        "released_subscription": subscription["id"],
        "subscription": None,
        "current_phase": None,
    }
    subscription["schedule"] = None
    world.tell("subscription_schedule.released", schedule)
    world.tell("customer.subscription.updated", subscription, previous={"schedule": schedule["id"]})
