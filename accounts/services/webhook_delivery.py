"""Sending what webhooks are to hear: at least once, again after pauses that grow, until it is taken or given up."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts import webhook_messages
from accounts.event_kinds import EventKind
from accounts.models import Membership, Notification, User, WebhookDelivery, WebhookEndpoint
from accounts.outbox import written_for
from accounts.services.telling import tell
from common import outward
from common.leases import Clock, growing_pause
from common.sealing import NotOurs, unseal

log = logging.getLogger(__name__)

#: Longer than one delivery may take.
LEASE = timedelta(minutes=1)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
#: A message that is not taken so long is given up. It can be sent again by hand.
GIVE_UP = timedelta(days=3)
#: What Discord asks us to wait, at most.
LONGEST_RETRY_AFTER = timedelta(hours=1)
#: A sweep begins nothing more after so long.
LONGEST_SWEEP = timedelta(seconds=60)

OK = range(200, 300)
REDIRECTS = range(300, 400)
TOO_MANY = 429
#: The address is gone for good: for any webhook, and as Discord says it.
GONE = {False: {410}, True: {401, 403, 404, 410}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. ``error``: empty if it was taken."""

    error: str = ""
    status: int | None = None
    excerpt: str = ""
    #: How long the other side wants us to wait, in seconds.
    retry_after: timedelta | None = None
    #: It only asked us to be slower.
    is_busy: bool = False
    #: There is no use in trying again.
    is_gone: bool = False


def deliver_due(*, now: datetime, limit: int = 50) -> int:
    """Send what is due; returns how many were taken. Safe to run twice at once: whoever takes a row has it for a while.

    An address that fails is asked once a sweep: what else waits for it waits longer.
    """
    clock = Clock(now)
    failed: set[UUID] = set()
    taken = 0
    for pk, endpoint in list(WebhookDelivery.objects.due(now=now).values_list("pk", "endpoint")[:limit]):
        if clock.now() - now > LONGEST_SWEEP:
            break
        if endpoint in failed:
            continue
        try:
            is_taken = _deliver(pk, now=clock.now())
        except Exception:
            log.exception("the delivery %s could not be worked on", pk)
            continue
        taken += is_taken is True
        if is_taken is False:
            failed.add(endpoint)
    return taken


def _deliver(pk: UUID, *, now: datetime) -> bool | None:
    """Whether the other side took it; ``None``: somebody else has it in hand."""
    # By its own columns alone: after waiting for a rival's lock, the database looks at these again, and not at a join.
    mine = WebhookDelivery.objects.pending().filter(pk=pk, next_attempt_at__lte=now)
    if not mine.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
        return None
    delivery = WebhookDelivery.objects.select_related("endpoint").get(pk=pk)
    outcome = _send(delivery, now=now)
    if outcome.error:
        log.info("webhook %s, delivery %s: %s", delivery.endpoint_id, pk, outcome.error)
    _write_down(delivery, outcome, now=now)
    return not outcome.error


def _send(delivery: WebhookDelivery, *, now: datetime) -> Outcome:
    endpoint, body = delivery.endpoint, delivery.body.encode()
    try:
        headers = webhook_messages.plain_headers()
        if not endpoint.is_discord:
            secrets = secrets_of(endpoint, now=now)
            headers = webhook_messages.headers(id=delivery.pk, event=delivery.event, body=body, secrets=secrets, at=now)
        answer = outward.post(
            endpoint.url,
            body,
            headers,
            ports=settings.MARKETPLACE_WEBHOOK_PORTS,
            within=settings.MARKETPLACE_WEBHOOK_SECONDS,
        )
    except (outward.TargetRefused, outward.NoAnswer) as error:
        return Outcome(error.message)
    except NotOurs:
        return Outcome(_("Its secret can not be read any more. Make a new one."), is_gone=True)
    return _judge(endpoint, answer)


def _judge(endpoint: WebhookEndpoint, answer: outward.Answer) -> Outcome:
    status, excerpt = answer.status, answer.excerpt[:500]
    if status in OK:
        return Outcome("", status, excerpt)
    if status in REDIRECTS:
        error = _("It answered with a redirect (%(status)s), which is not followed. Enter the final address.")
    elif status == TOO_MANY:
        error = _("It asks us to be slower (%(status)s).")
    else:
        error = _("It answered %(status)s.")
    return Outcome(
        error % {"status": status},
        status,
        excerpt,
        retry_after=_retry_after(answer),
        is_busy=status == TOO_MANY and endpoint.is_discord,
        is_gone=status in GONE[endpoint.is_discord],
    )


def _retry_after(answer: outward.Answer) -> timedelta | None:
    """In seconds, as Discord writes it; a date counts as nothing said."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    if not 0 <= seconds < LONGEST_RETRY_AFTER.total_seconds():
        return LONGEST_RETRY_AFTER if seconds > 0 else None
    return timedelta(seconds=seconds)


def secrets_of(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """What to sign with: the secret and, for a day after it was replaced, the one before.

    Raises:
        common.sealing.NotOurs: it was sealed with another key of the site.
    """
    found = [unseal(endpoint.sealed_secret)]
    if endpoint.former_until is not None and endpoint.former_until > now:
        found.append(unseal(endpoint.former_secret))
    return found


@transaction.atomic
def _write_down(delivery: WebhookDelivery, outcome: Outcome, *, now: datetime) -> None:
    """What came of it. The endpoint's row first: it is locked by whoever changes the address, too."""
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=delivery.endpoint_id)
    row = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
    row.response_code, row.response_excerpt, row.error = outcome.status, outcome.excerpt, outcome.error[:300]
    if not outcome.error:
        row.status, row.delivered_at = WebhookDelivery.Status.DELIVERED, now
        endpoint.failures, endpoint.failing_since = 0, None
    else:
        if not outcome.is_busy:
            endpoint.failures += 1
            endpoint.failing_since = endpoint.failing_since or now
        pause = growing_pause(max(endpoint.failures, row.attempts), first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        pause = outcome.retry_after or pause if outcome.is_busy else max(pause, outcome.retry_after or pause)
        row.next_attempt_at = now + pause
        if now + pause > row.created_at + GIVE_UP:
            row.status = WebhookDelivery.Status.FAILED
        others = endpoint.deliveries.filter(status=WebhookDelivery.Status.PENDING).exclude(pk=row.pk)
        others.update(next_attempt_at=Greatest(F("next_attempt_at"), now + pause))
    row.save(
        update_fields=[
            "status", "delivered_at", "next_attempt_at", "response_code", "response_excerpt", "error",
        ]
    )  # fmt: skip
    endpoint.save(update_fields=["failures", "failing_since"])
    if endpoint.disabled_at is None and (outcome.is_gone or _has_failed_enough(endpoint, now=now)):
        _disable(endpoint, outcome.error, now=now)


def _has_failed_enough(endpoint: WebhookEndpoint, *, now: datetime) -> bool:
    if endpoint.failing_since is None or endpoint.failures < settings.MARKETPLACE_WEBHOOK_FAILURES:
        return False
    return now - endpoint.failing_since >= settings.MARKETPLACE_WEBHOOK_FAILING


def _disable(endpoint: WebhookEndpoint, because: str, *, now: datetime) -> None:
    endpoint.disabled_at, endpoint.disabled_because = now, because[:300]
    endpoint.save(update_fields=["disabled_at", "disabled_because"])
    for user in owners_of(endpoint):
        with written_for(user):
            tell(
                user=user,
                event=EventKind.WEBHOOK,
                key=f"webhook-disabled:{endpoint.pk}:{now:%Y%m%d%H%M%S}",
                subject=_("Switched off: the webhook “%(name)s”") % {"name": endpoint.name},
                paragraphs=[
                    _("The webhook “%(name)s” at %(host)s has failed %(count)s times in a row and is switched off.")
                    % {"name": endpoint.name, "host": endpoint.host, "count": endpoint.failures},
                    _("The last time: %(because)s") % {"because": because},
                    _("What waited for it is sent once you switch it on again. What happens until then is not."),
                ],
                action=(_("Open the webhook"), f"/accounts/notifications/webhooks/{endpoint.pk}/"),
                tone=Notification.Tone.BAD,
                now=now,
            )


def owners_of(endpoint: WebhookEndpoint) -> list[User]:
    """Who looks after it: the person, or the organization's administrators."""
    if endpoint.user is not None:
        return [endpoint.user]
    administrators = Membership.objects.administrators().filter(organization=endpoint.organization)
    return [membership.user for membership in administrators.select_related("user")]
