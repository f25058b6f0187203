"""Invoices of subscriptions: made, finalized, and collected by a PaymentIntent of their own."""

from decimal import Decimal

from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.resources import payment_intents
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, includes, listed, public


def line(item: Thing, price: Thing, amount: int, start: int, end: int, *, proration: bool = False, what: str) -> Thing:
    """One line: ``amount`` in minor units for a price and a time."""
    return {
        "amount": amount,
        "price": price,
        "item": item["id"],
        "subscription": item["subscription"],
        "quantity": item["quantity"],
        "start": start,
        "end": end,
        "proration": proration,
        "what": what,
    }


def make(world: World, subscription: Thing, lines: list[Thing], reason: str, *, id: str = "") -> Thing:
    """A draft of the lines. A negative sum is kept as the customer's credit for later invoices."""
    customer = world.get("customer", subscription["customer"])
    total = sum(entry["amount"] for entry in lines)
    credit = customer["balance"]
    due = max(0, total + credit)
    now = world.stamp()
    invoice = world.make(
        "invoice",
        id=id,
        account_country="DE",
        account_name="Marketplace",
        account_tax_ids=None,
        amount_due=due,
        amount_overpaid=0,
        amount_paid=0,
        amount_remaining=due,
        amount_shipping=0,
        application=None,
        attempt_count=0,
        attempted=False,
        auto_advance=True,
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
        automatically_finalizes_at=None,
        billing_reason=reason,
        collection_method="charge_automatically",
        created=now,
        currency=subscription["currency"],
        custom_fields=None,
        customer=customer["id"],
        customer_address=customer["address"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        customer_phone=customer["phone"],
        customer_shipping=None,
        customer_tax_exempt=customer["tax_exempt"],
        customer_tax_ids=[],
        default_payment_method=None,
        default_source=None,
        default_tax_rates=[],
        description=None,
        discounts=[],
        due_date=None,
        effective_at=None,
        ending_balance=None,
        footer=None,
        from_invoice=None,
        hosted_invoice_url=None,
        invoice_pdf=None,
        issuer={"type": "self"},
        last_finalization_error=None,
        latest_revision=None,
        lines=None,
        livemode=False,
        metadata={},
        next_payment_attempt=None,
        number=None,
        on_behalf_of=None,
        parent={
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        payment_settings={"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        period_end=now,
        period_start=min((entry["start"] for entry in lines), default=now) if reason == "subscription_cycle" else now,
        post_payment_credit_notes_amount=0,
        pre_payment_credit_notes_amount=0,
        receipt_number=None,
        rendering=None,
        shipping_cost=None,
        shipping_details=None,
        starting_balance=credit,
        statement_descriptor=None,
        status="draft",
        status_transitions=dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        subtotal=total,
        subtotal_excluding_tax=total,
        test_clock=None,
        total=total,
        total_discount_amounts=[],
        total_excluding_tax=total,
        total_pretax_credit_amounts=[],
        total_taxes=[],
        webhooks_delivered_at=None,
        _intent="",
        _subscription=subscription["id"],
    )
    url = f"/v1/invoices/{invoice['id']}/lines"
    invoice["lines"] = listed([_line_item(world, invoice, entry) for entry in lines], url)
    return invoice


def _line_item(world: World, invoice: Thing, entry: Thing) -> Thing:
    details = {
        "invoice_item": None,
        "proration": entry["proration"],
        "proration_details": None,
        "subscription": entry["subscription"],
        "subscription_item": entry["item"],
    }
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": entry["amount"],
        "currency": invoice["currency"],
        "description": entry["what"],
        "discount_amounts": [],
        "discountable": not entry["proration"],
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        "period": {"end": entry["end"], "start": entry["start"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": entry["price"]["id"], "product": entry["price"]["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(Decimal(abs(entry["amount"]))),
        },
        "quantity": entry["quantity"],
        "quantity_decimal": str(Decimal(entry["quantity"])),
        "subscription": entry["subscription"],
        "subtotal": entry["amount"],
        "taxes": [],
    }


def finalize(world: World, invoice: Thing) -> None:
    """From now on it is to be paid; if nothing is due, it is."""
    world.tell("invoice.created", invoice)
    now = world.stamp()
    customer = world.get("customer", invoice["customer"])
    customer["balance"] = min(0, invoice["starting_balance"] + invoice["total"])
    invoice |= {
        "status": "open",
        "effective_at": now,
        "ending_balance": customer["balance"],
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{invoice['id']}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{invoice['id']}/pdf",
    }
    invoice["status_transitions"]["finalized_at"] = now
    customer["next_invoice_sequence"] += 1
    if invoice["amount_due"]:
        intent = payment_intents.new(
            world,
            amount=invoice["amount_due"],
            currency=invoice["currency"],
            customer=invoice["customer"],
        )
        intent |= {
            "setup_future_usage": "off_session",
            "_settles": lambda world, intent: _paid(world, invoice),
            "_fails": lambda world, intent: _failed(world, invoice),
            "_asks": lambda world, intent: world.tell("invoice.payment_action_required", invoice),
        }
        invoice["_intent"] = intent["id"]
        _payment(world, invoice, intent)
        world.tell("payment_intent.created", intent)
    world.tell("invoice.finalized", invoice)
    if not invoice["amount_due"]:
        _paid(world, invoice)


def _payment(world: World, invoice: Thing, intent: Thing) -> None:
    world.make(
        "invoice_payment",
        amount_paid=None,
        amount_requested=intent["amount"],
        created=world.stamp(),
        currency=intent["currency"],
        invoice=invoice["id"],
        is_default=True,
        livemode=False,
        payment={"payment_intent": intent["id"], "type": "payment_intent"},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )


def collect(world: World, invoice: Thing, method: str, *, off_session: bool) -> Failure | None:
    """Charge a card for it. Returns what went wrong; that the buyer is asked for is told by the PaymentIntent."""
    intent = world.get("payment_intent", invoice["_intent"])
    try:
        payment_intents.use(world, intent, method)
        payment_intents.attempt(world, intent, off_session=off_session, ask=True)
    except Failure as failure:
        return failure
    if intent["status"] == "requires_action":
        _failed(world, invoice)
    return None


def _paid(world: World, invoice: Thing) -> None:
    now = world.stamp()
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempted": True,
        "attempt_count": invoice["attempt_count"] + 1 if invoice["amount_due"] else 0,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"]["paid_at"] = now
    for payment in world.all("invoice_payment", invoice=invoice["id"], status="open"):
        payment |= {"status": "paid", "amount_paid": payment["amount_requested"]}
        payment["status_transitions"]["paid_at"] = now
        world.tell("invoice_payment.paid", payment)
    world.tell("invoice.paid", invoice)
    world.tell("invoice.payment_succeeded", invoice)
    if then := invoice.get("_on_paid"):
        then()


def _failed(world: World, invoice: Thing) -> None:
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    if then := invoice.get("_on_failed"):
        then()
    world.tell("invoice.payment_failed", invoice)


def void(world: World, invoice: Thing) -> None:
    """Nobody is to pay it any more."""
    invoice |= {"status": "void", "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = world.stamp()
    intent = world.find("payment_intent", invoice["_intent"])
    if intent and intent["status"] not in ("succeeded", "canceled"):
        payment_intents.void(world, intent, reason="void_invoice")
    for payment in world.all("invoice_payment", invoice=invoice["id"], status="open"):
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = world.stamp()
    world.tell("invoice.voided", invoice)
    if then := invoice.get("_on_void"):
        then()


@includes("invoice", "confirmation_secret")
def confirmation_secret(world: World, invoice: Thing, account: str) -> Thing | None:
    kept = world.find("invoice", invoice["id"])
    intent = world.find("payment_intent", kept["_intent"]) if kept else None
    if intent is None or invoice["status"] != "open":
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


@includes("invoice", "payments")
def payments(world: World, invoice: Thing, account: str) -> Thing:
    return listed(world.all("invoice_payment", invoice=invoice["id"]), "/v1/invoice_payments")


@answers("invoice.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("invoice")


@answers("invoice.list", PAGE + "created customer status subscription due_date")
def list_(call: Call) -> Thing:
    things = call.world.all("invoice")
    if "subscription" in call.params:
        things = [thing for thing in things if thing["_subscription"] == call.params["subscription"]]
    return call.page(things, equal="customer status", url="/v1/invoices")


@answers("invoice.pay", "payment_method off_session")
def pay(call: Call) -> Thing:
    world, invoice = call.world, call.get("invoice")
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] != "open":
        raise invalid(f"The invoice is {invoice['status']}, so it cannot be paid.", code="invoice_not_open")
    method = call.params.get("payment_method") or payer(world, invoice)
    failure = collect(world, invoice, method, off_session=call.params.get("off_session", True))
    if failure is not None:
        raise failure
    intent = world.get("payment_intent", invoice["_intent"])
    if intent["status"] == "requires_action":
        raise Failure(
            402,
            "card_error",
            "This payment requires additional user action before it can be completed successfully. Payment can be "
            "completed using the PaymentIntent associated with the invoice.",
            code="invoice_payment_intent_requires_action",
            payment_intent=public(intent),
        )
    return invoice


@answers("invoice.void_invoice")
def void_invoice(call: Call) -> Thing:
    invoice = call.get("invoice")
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only pass in open invoices. This invoice isn't open: it is {invoice['status']}.")
    void(call.world, invoice)
    return invoice


@answers("invoice_payment.list", PAGE + "created invoice status payment")
def list_payments(call: Call) -> Thing:
    things = call.world.all("invoice_payment")
    if wanted := call.params.get("payment", {}).get("payment_intent"):
        things = [thing for thing in things if thing["payment"]["payment_intent"] == wanted]
    return call.page(things, equal="invoice status", url="/v1/invoice_payments")


def payer(world: World, invoice: Thing) -> str:
    """The card that is charged unless another is named.

    Raises:
        Failure: there is none.
    """
    subscription = world.get("subscription", invoice["_subscription"])
    customer = world.get("customer", invoice["customer"])
    method = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if not method:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    return method
