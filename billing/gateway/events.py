"""Events that the processor sends."""

import json
from typing import Any

import stripe
from django.conf import settings


def verified_event(payload: bytes, signature: str) -> dict[str, Any]:
    """A webhook's event, once its signature has been checked.

    Events of connected accounts come from an endpoint of their own, which signs with a secret of its own.

    Raises:
        ValueError: not signed with one of our secrets, too old, or no event.
    """
    if not signature.isascii():
        raise ValueError("This is no signature.")
    text = payload.decode()
    secrets = [secret for secret in (settings.STRIPE_WEBHOOK_SECRET, settings.STRIPE_CONNECT_WEBHOOK_SECRET) if secret]
    why = "There is no secret to check it with."
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret, tolerance=stripe.Webhook.DEFAULT_TOLERANCE)
        except stripe.SignatureVerificationError as error:
            why = str(error)
        else:
            break
    else:
        raise ValueError(why)
    event = json.loads(text)
    if not isinstance(event, dict) or not event.get("id") or not event.get("type"):
        raise ValueError("This is no event.")
    return event
