"""Addresses that events are told to: added, changed, switched on again; and what is to be sent to them, written down."""

import secrets as random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import webhook_messages
from accounts.event_kinds import EventKind
from accounts.models import (
    Notification,
    Organization,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookKind,
)
from accounts.permissions import OrganizationAction, require_in
from common import outward
from common.errors import MarketplaceError
from common.ids import uuid7
from common.queue import soon
from common.sealing import seal

#: Of one person, or one organization.
MOST_ENDPOINTS = 10
#: How long a secret that was replaced is signed with as well.
OVERLAP = timedelta(hours=24)

TASK = "accounts.tasks.deliver_webhooks"


class WebhookError(MarketplaceError):
    """Such a webhook cannot be."""


# What to send ---------------------------------------------------------------------------------------------


def record(
    *,
    user: User,
    organization: Organization | None,
    event: EventKind,
    key: str,
    title: str,
    text: str,
    text_for_organization: str,
    link: str,
    tone: str,
    about: Mapping[str, str],
    quiet_until: datetime | None,
    now: datetime,
) -> None:
    """Write down what the person's and the organization's addresses are to hear, in the caller's transaction.

    ``quiet_until``: messages of the person's own in Discord wait until then. Programs have no quiet hours.
    """
    whose = Q(user=user) if organization is None else Q(user=user) | Q(organization=organization)
    hearing = WebhookEndpoint.objects.filter(whose, events__contains=[event.value], disabled_at=None)
    made = []
    for endpoint in hearing.select_related("organization"):
        held = quiet_until if endpoint.is_discord and endpoint.user_id else None
        said = text if endpoint.user_id else text_for_organization
        made.append(_delivery(endpoint, event.value, key, title, said, link, tone, about, at=now, due=held or now))
    if made:
        WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)
        soon(TASK)


def _delivery(
    endpoint: WebhookEndpoint,
    event: str,
    key: str,
    title: str,
    text: str,
    link: str,
    tone: str,
    about: Mapping[str, str],
    *,
    at: datetime,
    due: datetime,
) -> WebhookDelivery:
    id = uuid7()
    if endpoint.is_discord:
        body = webhook_messages.as_discord(title=title, text=text, link=link, tone=tone, at=at)
    else:
        body = webhook_messages.as_json(
            id=id,
            event=event,
            title=title,
            text=text,
            link=link,
            tone=tone,
            about=about,
            organization=endpoint.organization,
            at=at,
        )
    return WebhookDelivery(
        id=id,
        endpoint=endpoint,
        key=key,
        event=event,
        title=" ".join(title.split())[:250],
        body=body,
        created_at=at,
        next_attempt_at=due,
    )


# The addresses --------------------------------------------------------------------------------------------


def owned_by(user: User, organization: Organization | None) -> "QuerySet[WebhookEndpoint]":
    """The organization's if one is given, else the person's own."""
    if organization is not None:
        return WebhookEndpoint.objects.filter(organization=organization)
    return WebhookEndpoint.objects.filter(user=user)


def add_endpoint(
    *,
    user: User,
    organization: Organization | None,
    kind: str,
    name: str,
    url: str,
    events: Iterable[str],
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """Returns the address with its secret, which is told only now. Discord's has none: knowing the address is enough there.

    Raises:
        WebhookError: too many, no event, or not an address for this kind.
        NotAllowed: they do not look after the organization's, or not any more.
        common.outward.TargetRefused: nothing is sent to such an address.
        common.outward.NoAnswer: its host cannot be found.
    """
    checked = check_target(kind, url)
    secret = "" if kind == WebhookKind.DISCORD else new_secret()
    with transaction.atomic():
        # The owner's row is the lock: ten at most, also when two are added at once.
        if organization is None:
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
        else:
            _lock_and_require(organization.pk, user)
        if owned_by(user, organization).count() >= MOST_ENDPOINTS:
            raise WebhookError(_("There are %(count)s already. Remove one first.") % {"count": MOST_ENDPOINTS})
        endpoint = WebhookEndpoint.objects.create(
            user=None if organization else user,
            organization=organization,
            kind=kind,
            name=_checked_name(name),
            url=checked,
            events=_checked_events(events),
            sealed_secret=seal(secret) if secret else "",
            created_at=now,
            created_by=user,
        )
    return endpoint, secret


def edit_endpoint(
    *, endpoint: WebhookEndpoint, by: User, name: str, url: str, events: Iterable[str]
) -> WebhookEndpoint:
    """Change it; what waits goes to the new address.

    Raises:
        WebhookError: no event, or not an address for this kind.
        NotAllowed: ``by`` does not look after it any more.
        common.outward.TargetRefused: nothing is sent to such an address.
        common.outward.NoAnswer: its host cannot be found.
    """
    # Names are looked up before the row is locked: that may take seconds.
    checked = endpoint.url if url == endpoint.url else check_target(endpoint.kind, url)
    with transaction.atomic():
        row = _locked(endpoint, by=by)
        row.name, row.url, row.events = _checked_name(name), checked, _checked_events(events)
        row.save(update_fields=["name", "url", "events"])
    return row


def _locked(endpoint: WebhookEndpoint, *, by: User) -> WebhookEndpoint:
    """Its row until the transaction ends; before it that of its organization, whose administrator ``by`` must be still.

    Raises:
        NotAllowed: they are not, or not any more.
    """
    if endpoint.organization_id is not None:
        _lock_and_require(endpoint.organization_id, by)
    return WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("organization").get(pk=endpoint.pk)


def _lock_and_require(organization: UUID, by: User) -> None:
    """A role may have been lost since the page was opened, and while a name was looked up.

    Raises:
        NotAllowed: ``by`` does not look after the webhooks of this organization, or not any more.
    """
    row = Organization.objects.select_for_update(no_key=True).get(pk=organization)
    require_in(by, row, OrganizationAction.EDIT_WEBHOOKS)


def check_target(kind: str, url: str) -> str:
    """The address in one spelling, if something may be sent there.

    Raises:
        WebhookError: it is no webhook of Discord's where one is wanted.
        common.outward.TargetRefused, common.outward.NoAnswer: as they say.
    """
    parts = outward.checked_url(url.strip(), ports=settings.MARKETPLACE_WEBHOOK_PORTS)
    if kind == WebhookKind.DISCORD:
        hosts, path = settings.MARKETPLACE_DISCORD_HOSTS, parts.path or ""
        if (parts.host or "").lower() not in hosts or not path.startswith("/api/webhooks/"):
            raise WebhookError(_("A webhook of Discord's begins with https://discord.com/api/webhooks/."), field="url")
    outward.addresses_of(parts)
    return str(parts.url)


def _checked_name(name: str) -> str:
    cleaned = " ".join(name.split())[:60]
    if not cleaned:
        raise WebhookError(_("Give it a name, to tell it from others."), field="name")
    return cleaned


def _checked_events(events: Iterable[str]) -> list[str]:
    chosen = set(events)
    known = [event.value for event in EventKind if event.value in chosen]
    if not known:
        raise WebhookError(_("Choose at least one event."), field="events")
    return known


def new_secret() -> str:
    return f"whsec_{random.token_urlsafe(32)}"


@transaction.atomic
def replace_secret(*, endpoint: WebhookEndpoint, by: User, now: datetime) -> str:
    """A new secret, told only now. For a day messages are signed with the one before as well.

    Raises:
        WebhookError: Discord's webhooks have none.
        NotAllowed: ``by`` does not look after it any more.
    """
    row = _locked(endpoint, by=by)
    if row.is_discord:
        raise WebhookError(_("A webhook of Discord's has no secret. Make a new one there, and enter its address."))
    secret = new_secret()
    row.former_secret, row.former_until, row.sealed_secret = row.sealed_secret, now + OVERLAP, seal(secret)
    row.save(update_fields=["sealed_secret", "former_secret", "former_until"])
    return secret


def enable(*, endpoint: WebhookEndpoint, by: User, now: datetime) -> None:
    """Switch it on again: what had waited is sent now. Quiet if it is on.

    Raises:
        NotAllowed: ``by`` does not look after it any more.
        common.outward.TargetRefused, common.outward.NoAnswer: nothing can be sent there now either.
    """
    if endpoint.disabled_at is None:
        return
    check_target(endpoint.kind, endpoint.url)
    _switch_on(endpoint, by=by, now=now)


@transaction.atomic
def _switch_on(endpoint: WebhookEndpoint, *, by: User, now: datetime) -> None:
    row = _locked(endpoint, by=by)
    row.disabled_at, row.disabled_because, row.failures, row.failing_since = None, "", 0, None
    row.save(update_fields=["disabled_at", "disabled_because", "failures", "failing_since"])
    row.deliveries.filter(status=WebhookDelivery.Status.PENDING).update(next_attempt_at=now)
    soon(TASK)


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint, by: User, now: datetime) -> WebhookDelivery:
    """
    Raises:
        WebhookError: it is switched off, or a test is on its way already.
        NotAllowed: ``by`` does not look after it any more.
    """
    row = _locked(endpoint, by=by)
    if row.disabled_at is not None:
        raise WebhookError(_("It is switched off. Switch it on first."))
    if row.deliveries.filter(event=webhook_messages.TEST, status=WebhookDelivery.Status.PENDING).exists():
        raise WebhookError(_("A test is on its way already."))
    text = _("This is a test. If you can read it, the address is right.")
    delivery = _delivery(
        row,
        webhook_messages.TEST,
        f"{webhook_messages.TEST}:{uuid7()}",
        _("Test of “%(name)s”") % {"name": row.name},
        text,
        f"/accounts/notifications/webhooks/{row.pk}/",
        Notification.Tone.INFO,
        {},
        at=now,
        due=now,
    )
    delivery.save()
    soon(TASK)
    return delivery


@transaction.atomic
def redeliver(*, endpoint: WebhookEndpoint, delivery_id: UUID, by: User, now: datetime) -> None:
    """Send one again, with the same id, so that a program that knows it can pass over it. Quiet if it waits anyway.

    Raises:
        WebhookDelivery.DoesNotExist: it has no such delivery.
        WebhookError: the address is switched off.
        NotAllowed: ``by`` does not look after it any more.
    """
    address = _locked(endpoint, by=by)
    row = WebhookDelivery.objects.select_for_update(of=("self",)).get(pk=delivery_id, endpoint=address)
    if address.disabled_at is not None:
        raise WebhookError(_("It is switched off. Switch it on first."))
    row.status, row.attempts, row.next_attempt_at = WebhookDelivery.Status.PENDING, 0, now
    row.save(update_fields=["status", "attempts", "next_attempt_at"])
    soon(TASK)


def tidy(*, now: datetime) -> int:
    """Forget what was sent, or given up, longer ago than the settings say. Returns how many."""
    oldest = now - timedelta(days=settings.MARKETPLACE_WEBHOOK_DAYS)
    return WebhookDelivery.objects.filter(created_at__lt=oldest).delete()[0]
