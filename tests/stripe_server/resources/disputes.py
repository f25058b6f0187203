from datetime import timedelta

from tests.stripe_server.errors import invalid
from tests.stripe_server.resources import money
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged

_DUE = timedelta(days=9)
_OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review", "appeal_under_review")

#: The names of the evidence that can be handed in.
EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


def start(
    world: World,
    charge: Thing,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    inquiry: bool = False,
    account: str = "",
) -> Thing:
    """The buyer's bank asks for the money back (or, as an inquiry, only asks)."""
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not charge["paid"] or not 0 < amount <= left:
        raise ValueError(f"{amount} of {charge['id']} cannot be disputed: {left} is left.")
    if charge["disputed"]:
        raise ValueError(f"{charge['id']} is disputed already.")
    dispute = world.make(
        "dispute",
        account,
        amount=amount,
        balance_transactions=[],
        charge=charge["id"],
        created=world.stamp(),
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence=dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        evidence_details={
            "due_by": world.stamp() + int(_DUE.total_seconds()),
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=inquiry,
        livemode=False,
        metadata={},
        network_reason_code="10.4" if reason == "fraudulent" else None,
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": charge["payment_method_details"]["card"]["network"],
                "network_reason_code": "10.4" if reason == "fraudulent" else None,
            },
            "type": "card",
        },
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
    )
    charge["disputed"] = True
    charge["_refundable_in_dispute"] = inquiry
    if inquiry:
        world.tell("charge.dispute.created", dispute, account)
    else:
        _move(world, dispute, -amount, account, fee=world.rules.dispute_fee)
        world.tell("charge.dispute.created", dispute, account)
        world.tell("charge.dispute.funds_withdrawn", dispute, account)
    return dispute


def escalate(world: World, dispute: Thing, account: str = "") -> None:
    """An inquiry becomes a chargeback: now the money is taken."""
    if not dispute["status"].startswith("warning_"):
        raise ValueError(f"{dispute['id']} is no inquiry.")
    before = dispute["status"]
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    world.get("charge", dispute["charge"], account)["_refundable_in_dispute"] = False
    _move(world, dispute, -dispute["amount"], account, fee=world.rules.dispute_fee)
    world.tell("charge.dispute.updated", dispute, account, previous={"status": before})
    world.tell("charge.dispute.funds_withdrawn", dispute, account)


def finish(world: World, dispute: Thing, account: str = "", *, won: bool) -> None:
    """The bank has decided. An inquiry is simply closed."""
    if dispute["status"] not in _OPEN:
        raise ValueError(f"{dispute['id']} is {dispute['status']}.")
    inquiry = dispute["status"].startswith("warning_")
    before = dispute["status"]
    dispute["status"] = "warning_closed" if inquiry else "won" if won else "lost"
    dispute["is_charge_refundable"] = inquiry or won
    charge = world.get("charge", dispute["charge"], account)
    charge["_refundable_in_dispute"] = inquiry or won
    if won and not inquiry:
        _move(world, dispute, dispute["amount"], account)
        world.tell("charge.dispute.funds_reinstated", dispute, account)
    world.tell("charge.dispute.closed", dispute, account, previous={"status": before})


def appeal(world: World, dispute: Thing, account: str = "") -> None:
    """What was lost is looked at once more. The money stays with the bank meanwhile."""
    if dispute["status"] != "lost":
        raise ValueError(f"{dispute['id']} is {dispute['status']}.")
    dispute["status"] = "appeal_under_review"
    world.tell("charge.dispute.updated", dispute, account, previous={"status": "lost"})


def _move(world: World, dispute: Thing, amount: int, account: str, fee: int = 0) -> None:
    entry = money.book(world, "adjustment", amount, dispute["currency"], dispute["id"], account, fee=fee)
    dispute["balance_transactions"].append(entry)


@answers("dispute.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("dispute")


@answers("dispute.list", PAGE + "created charge payment_intent")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("dispute", call.account), equal="charge payment_intent", url="/v1/disputes")


@answers("dispute.update", "evidence submit metadata")
def update(call: Call) -> Thing:
    dispute = call.get("dispute")
    evidence = call.params.get("evidence", {})
    if (evidence or call.params.get("submit")) and dispute["status"] not in _OPEN:
        raise invalid("This dispute is already closed.", code="dispute_already_closed")
    dispute["evidence"] |= {name: value or None for name, value in evidence.items()}
    dispute["evidence_details"]["has_evidence"] = any(dispute["evidence"][name] for name in EVIDENCE)
    dispute["metadata"] = merged(dispute["metadata"], call.params.get("metadata"))
    # Evidence is handed in unless the call says that it is kept for later.
    if evidence and call.params.get("submit", True):
        dispute["evidence_details"] |= {
            "submission_count": dispute["evidence_details"]["submission_count"] + 1,
            "submission_method": "manual",
        }
        dispute["status"] = dispute["status"].replace("needs_response", "under_review")
    call.world.tell("charge.dispute.updated", dispute, call.account, previous={})
    return dispute


@answers("dispute.close")
def close(call: Call) -> Thing:
    dispute = call.get("dispute")
    if dispute["status"] not in _OPEN:
        raise invalid("This dispute is already closed.", code="dispute_already_closed")
    finish(call.world, dispute, call.account, won=False)
    return dispute
