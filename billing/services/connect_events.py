"""What Stripe tells about providers' accounts and payouts. A hint, as every event: the object itself is asked after."""

from datetime import datetime
from typing import Any
from uuid import UUID

from billing.models import Payout, WebhookEvent
from billing.services.payout_accounts import synchronise_account
from billing.services.payouts import synchronise_payout

ACCOUNTS = ("account.", "capability.")
PAYOUTS = ("transfer.", "payout.")


def handle_connect_event(event: WebhookEvent, *, now: datetime) -> bool:
    """Apply an event about Connect. Returns whether it is one; of somebody else's things it says nothing.

    Raises:
        ProcessorAway: no answer.
    """
    if event.type.startswith(ACCOUNTS):
        synchronise_account(stripe_account=_account_of(event), now=now)
        return True
    if event.type.startswith(PAYOUTS):
        payout = _payout_of(event)
        if payout is not None:
            synchronise_payout(payout=payout, now=now)
        return True
    return False


def _object(event: WebhookEvent) -> dict[str, Any]:
    found = event.payload.get("data", {}).get("object", {})
    return found if isinstance(found, dict) else {}


def _account_of(event: WebhookEvent) -> str:
    return event.account or str(event.payload.get("account") or event.object_id)


def _payout_of(event: WebhookEvent) -> Payout | None:
    """By the processor's id, or by ours in its metadata, if we had not come to write the former down."""
    payouts = Payout.objects.all()
    field = "stripe_transfer" if event.type.startswith("transfer.") else "stripe_payout"
    known = payouts.filter(**{field: event.object_id}).first()
    if known is not None:
        return known
    metadata = _object(event).get("metadata") or {}
    try:
        return payouts.filter(pk=UUID(str(metadata.get("payout_id", "")))).first()
    except ValueError:
        return None
