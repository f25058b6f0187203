"""Machines that are not reliable enough, or whose provider is no longer verified, take no new bookings until that has
changed. Bookings already made go on."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import User
from accounts.outbox import written_for
from accounts.services.telling import tell
from common.formats import percent
from common.languages import in_english
from machines.models import UNVERIFIED, AccessKind, Listing, ListingStatus, Machine
from machines.models.listing import UNRELIABLE
from machines.services.reliability import is_enough

#: How ``suspended_because`` begins where it was reliability: nothing else is lifted with the figure.
BECAUSE = UNRELIABLE.partition(" %")[0]


def _is_measured(relation: str = "") -> Q:
    return ~Q(**{f"{relation}access_kind": AccessKind.MANUAL})


def _is_low(relation: str = "") -> Q:
    return _is_measured(relation) & Q(**{f"{relation}reliability__lt": settings.MARKETPLACE_LEAST_RELIABILITY})


def suspend_and_lift(*, now: datetime) -> int:
    """Suspend what has become too unreliable, lift what has recovered. Returns how many machines changed."""
    to_suspend = Listing.objects.active().filter(_is_low("machine__"))
    to_lift = Listing.objects.filter(~_is_low("machine__"), suspended_because__startswith=BECAUSE)
    machines = {*to_suspend.values_list("machine", flat=True), *to_lift.values_list("machine", flat=True)}
    return sum(follow(machine_id=pk, now=now) for pk in sorted(machines))


@transaction.atomic
def follow(*, machine_id: UUID, now: datetime) -> bool:
    """Make the machine's listings follow its figure, and tell its provider. Returns whether anything changed."""
    machine = Machine.objects.select_for_update(of=("self",), no_key=True).select_related("provider").get(pk=machine_id)
    if _has_to_go(machine):
        if not suspend(machine, now=now):
            return False
        with written_for(machine.provider):
            figures = {
                "machine": machine.name,
                "share": percent(machine.reliability),
                "days": settings.MARKETPLACE_RELIABILITY_DAYS,
                "least": percent(settings.MARKETPLACE_LEAST_RELIABILITY),
            }
            _tell(
                machine,
                _("Suspended: %(machine)s") % figures,
                _(
                    "%(machine)s was reliable for %(share)s of the last %(days)d days. "
                    "Below %(least)s it takes no new bookings."
                )
                % figures,
                _("Bookings already made go on. It comes back by itself as soon as the figure is high enough again."),
                tone="warn",
                now=now,
            )
        return True
    suspended = machine.listings.filter(suspended_because__startswith=BECAUSE)
    if not machine.provider.is_verified:  # there is another reason by now
        return bool(suspended.update(suspended_because=UNVERIFIED, updated_at=now))
    was_on_offer = suspended.filter(status=ListingStatus.ACTIVE).exists()
    if not suspended.update(suspended_at=None, suspended_because="", updated_at=now):
        return False
    if was_on_offer:
        with written_for(machine.provider):
            _tell(
                machine,
                _("On offer again: %(machine)s") % {"machine": machine.name},
                _("%(machine)s is reliable enough again and takes new bookings.") % {"machine": machine.name},
                tone="good",
                now=now,
            )
    return True


def suspend(machine: Machine, *, now: datetime) -> int:
    """Suspend those of its listings that are on offer, if the machine is too unreliable. Returns how many were.

    The caller holds the machine's lock.
    """
    if not _has_to_go(machine):
        return 0
    with in_english():
        because = UNRELIABLE % {
            "share": percent(settings.MARKETPLACE_LEAST_RELIABILITY),
            "days": settings.MARKETPLACE_RELIABILITY_DAYS,
        }
    return (
        Listing.objects.active()
        .filter(machine=machine)
        .update(suspended_at=now, suspended_because=because, updated_at=now)
    )


def follow_provider(*, provider: User, now: datetime) -> int:
    """Make the listings of all the person's machines follow whether they are verified. Returns how many changed.

    They are told of that by :mod:`accounts.services.verification_news`, once for all their machines. In a transaction.
    """
    machines = list(Machine.objects.select_for_update(no_key=True).filter(provider=provider).order_by("pk"))
    theirs = Listing.objects.filter(machine__in=machines)
    if not provider.verifications.valid(now=now).exists():
        return theirs.active().update(suspended_at=now, suspended_because=UNVERIFIED, updated_at=now)
    lifted = theirs.filter(suspended_because=UNVERIFIED).update(suspended_at=None, suspended_because="", updated_at=now)
    for machine in machines if lifted else ():
        suspend(machine, now=now)
    return lifted


def _has_to_go(machine: Machine) -> bool:
    return AccessKind(machine.access_kind).is_automatic and not is_enough(machine.reliability)


def _tell(machine: Machine, subject: str, *paragraphs: str, tone: str, now: datetime) -> None:
    key = f"reliability:{machine.pk}:{now:%Y%m%d%H%M%S}"
    page = f"/machines/{machine.pk}/"
    tell(
        user=machine.provider,
        event=EventKind.OFFERED,
        key=key,
        subject=subject,
        paragraphs=paragraphs,
        action=(_("Open the machine"), page),
        tone=tone,
        organization=machine.organization,
        about={"machine": str(machine.pk)},
        now=now,
    )
