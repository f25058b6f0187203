"""Putting a machine on offer, and taking it off again. Nothing here ever touches bookings already made."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from machines.models import Listing, ListingStatus, Machine
from machines.services.claims import claim_differences, in_words
from machines.services.errors import MachineError
from machines.services.listed import note_listed
from machines.services.suspension import suspend


def missing_for_activation(listing: Listing) -> list[str]:
    """What still stands between a listing and *active*, in words for its provider. Empty: nothing does."""
    machine = listing.machine
    missing = []
    if not machine.provider.is_verified:
        missing.append(_("You are not a verified provider yet. Ask for verification in your account."))
    if machine.verified_benchmark_id is None:
        missing.append(_("The machine has no approved benchmark yet."))
    if machine.awaits_inventory:
        missing.append(_("The agent has not read all of its hardware yet."))
    elif differences := claim_differences(machine):
        put_right = _("Put it right on the machine's page.")
        missing.append(f"{in_words(differences)} {put_right}")
    if not machine.is_reachable:
        missing.append(_("The machine's agent is offline."))
    return missing


@transaction.atomic
def activate_listing(*, listing: Listing, now: datetime) -> Listing:
    """Offer it to buyers. That of a machine which is too unreliable at present is suspended at once, and comes back by
    itself.

    Raises:
        MachineError: it is archived, or something is missing (rules: What).
    """
    row = _lock(listing)
    if row.is_active:
        return row
    if row.is_archived:
        raise MachineError(_("An archived listing stays archived. Make a new one."))
    if missing := missing_for_activation(row):
        raise MachineError(" ".join(missing))
    _set(row, ListingStatus.ACTIVE, now)
    if suspend(row.machine, now=now):
        row.refresh_from_db(fields=["suspended_at", "suspended_because"])
    return row


@transaction.atomic
def pause_listing(*, listing: Listing, now: datetime) -> Listing:
    """Take it off the market for now. Bookings already made go on.

    Raises:
        MachineError: it is archived.
    """
    row = _lock(listing)
    if row.is_archived:
        raise MachineError(_("An archived listing stays archived."))
    return _set(row, ListingStatus.PAUSED, now)


@transaction.atomic
def archive_listing(*, listing: Listing, now: datetime) -> Listing:
    """Take it off the market for good. Bookings already made go on."""
    return _set(_lock(listing), ListingStatus.ARCHIVED, now)


def _lock(listing: Listing) -> Listing:
    """The listing, locked after its machine: a benchmark that is rejected meanwhile waits, or has been seen.

    Everywhere the machine comes first, then its benchmarks and listings.
    """
    machine = (
        Machine.objects.select_for_update(of=("self",), no_key=True)
        .select_related("provider")
        .get(pk=listing.machine_id)
    )
    row = Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
    row.machine = machine
    return row


def _set(row: Listing, status: ListingStatus, now: datetime) -> Listing:
    if row.status != status:
        row.status, row.updated_at = status, now
        row.save(update_fields=["status", "updated_at"])
        note_listed(machine_id=row.machine_id, now=now)
    return row
