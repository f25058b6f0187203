"""What webhooks and Discord are sent, to the letter: ``docs/webhooks.md`` says the same to those who read it."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import Notification, Organization

#: The event of a test message.
TEST = "test"

USER_AGENT = "RemoteServers-Webhooks/1 (+{site})"
#: Of an embed, as Discord wants them: 0xRRGGBB.
COLOURS = {
    Notification.Tone.INFO: 0x1F4FA0,
    Notification.Tone.GOOD: 0x2E7D4F,
    Notification.Tone.WARN: 0xB7791F,
    Notification.Tone.BAD: 0xB3362B,
}


def as_json(
    *,
    id: UUID,
    event: str,
    title: str,
    text: str,
    link: str,
    tone: str,
    about: Mapping[str, str],
    organization: Organization | None,
    at: datetime,
) -> str:
    """The body for a webhook."""
    return json.dumps(
        {
            "id": str(id),
            "event": event,
            "created_at": at.isoformat(),
            "organization": str(organization.pk) if organization else None,
            "title": title,
            "text": text,
            "tone": str(tone),
            "url": f"{settings.SITE_URL}{link}" if link else None,
            "about": dict(about),
        },
        ensure_ascii=False,
    )


def as_discord(*, title: str, text: str, link: str, tone: str, at: datetime) -> str:
    """The body for Discord: one embed. Nobody is mentioned, whatever names people have given their things."""
    embed: dict[str, Any] = {
        "title": title[:256],
        "description": text[:2000],
        "color": COLOURS[Notification.Tone(tone)],
        "timestamp": at.isoformat(),
    }
    if link:
        embed["url"] = f"{settings.SITE_URL}{link}"
    return json.dumps(
        {"username": settings.SITE_NAME, "embeds": [embed], "allowed_mentions": {"parse": []}}, ensure_ascii=False
    )


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over ``timestamp.body``, in hexadecimal."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def headers(*, id: UUID, event: str, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Beside the body: who sends it, which event it is, and one signature for each secret (two while one is replaced)."""
    timestamp = int(at.timestamp())
    return {
        **plain_headers(),
        "Webhook-Id": str(id),
        "Webhook-Event": event,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": ",".join(f"v1={signature(secret, timestamp, body)}" for secret in secrets),
    }


def plain_headers() -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT.format(site=settings.SITE_URL),
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
