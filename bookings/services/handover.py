"""What a provider does by hand on a machine without an agent: let the buyer in, and show that it was erased."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from bookings import mails
from bookings.errors import BookingError, NotYours
from bookings.models import Access, Booking, DataWipe, WipeMethod, WipeStatus
from bookings.services.completion import complete
from bookings.services.history import note
from bookings.services.late import make_up_for_delay
from bookings.services.locks import locked
from common.ids import uuid7
from common.languages import said_later

MAX_EVIDENCE_BYTES = 10 * 1024 * 1024


@transaction.atomic
def record_access(
    *,
    booking_id: UUID,
    by: User,
    host: str,
    port: int,
    username: str,
    host_key_fingerprint: str,
    access_note: str,
    now: datetime,
) -> Access:
    """Enter or correct how the buyer gets in. The buyer sees it while the booking is active, not before.

    Raises:
        NotYours: the machine is not this person's.
        BookingError: the booking is not paid, or over.
    """
    booking = locked(booking_id)
    _check_provider(booking, by)
    if booking.is_automatic:
        raise BookingError(gettext("This machine's agent lets the buyer in: there is nothing to enter."))
    if booking.end <= now or not (booking.is_confirmed or booking.is_active):
        raise BookingError(gettext("Access can be entered for a booking that is paid and not over."))
    access, created = Access.objects.update_or_create(
        booking=booking,
        defaults={
            "host": host,
            "port": port,
            "username": username,
            "host_key_fingerprint": host_key_fingerprint,
            "note": access_note,
            "ready_at": now,
        },
    )
    note(booking, "Access entered" if created else "Access corrected", now=now, by=by)
    if booking.is_active:
        if created:
            make_up_for_delay(booking, now=now)
        mails.access_ready(booking, access)
    return access


def wipe_progress(booking: Booking) -> list[tuple[WipeMethod, DataWipe | None]]:
    """Every step of the wipe with the newest record of it, in the order of the steps."""
    newest: dict[str, DataWipe] = {}
    for wipe in sorted(booking.wipes.all(), key=lambda wipe: (wipe.recorded_at, wipe.pk)):
        newest[wipe.method] = wipe
    return [(method, newest.get(method.value)) for method in WipeMethod]


def record_wipe(
    *,
    booking_id: UUID,
    by: User,
    methods: Sequence[str],
    status: str,
    executed_at: datetime,
    evidence: UploadedFile[Any],
    wipe_note: str,
    now: datetime,
) -> list[DataWipe]:
    """Record steps of the wipe with their evidence. Once every step has succeeded the booking is completed.

    The file is stored once, before the rows that name it, and taken away again if they are not written.

    Raises:
        NotYours: the machine is not this person's.
        BookingError: nothing is to be wiped, or time, steps or evidence do not fit.
    """
    if not methods:
        raise BookingError(gettext("Say which steps were done."), field="methods")
    if executed_at > now:
        raise BookingError(gettext("This time has not come yet."), field="executed_at")
    if not evidence.size or evidence.size > MAX_EVIDENCE_BYTES:
        raise BookingError(gettext("The evidence file is empty or larger than 10 MB."), field="evidence")
    seen = Booking.objects.select_related("machine").get(pk=booking_id)
    _check_wipe_is_due(seen, by, executed_at)
    digest = _sha256(evidence)
    evidence.seek(0)
    stored = default_storage.save(f"wipes/{seen.machine_id}/{uuid7()}.bin", evidence)
    try:
        with transaction.atomic():
            booking = locked(booking_id)
            _check_wipe_is_due(booking, by, executed_at)
            wipes = [
                DataWipe(
                    machine=booking.machine,
                    booking=booking,
                    timestamp=executed_at,
                    method=WipeMethod(method),
                    status=WipeStatus(status),
                    evidence=stored,
                    evidence_sha256=digest,
                    evidence_name=(evidence.name or "evidence")[:200],
                    note=wipe_note,
                    recorded_by=by,
                    recorded_at=now,
                )
                for method in methods
            ]
            DataWipe.objects.bulk_create(wipes)
            for wipe in wipes:
                note(booking, said_later(partial(_recorded, wipe)), now=now, by=by)
            _complete_if_clean(booking, now=now)
    except BaseException:
        default_storage.delete(stored)
        raise
    return wipes


def _check_wipe_is_due(booking: Booking, by: User, executed_at: datetime) -> None:
    _check_provider(booking, by)
    if not booking.is_awaiting_wipe:
        raise BookingError(gettext("This booking has no wipe to record."))
    if booking.is_automatic:
        raise BookingError(gettext("This machine erases itself: what its agent signs is what counts."))
    if executed_at < booking.end:
        raise BookingError(gettext("The wipe comes after the end of the booking."), field="executed_at")


def _recorded(wipe: DataWipe) -> str:
    return f"{wipe.get_method_display()}: {wipe.get_status_display().lower()}"


def _complete_if_clean(booking: Booking, *, now: datetime) -> None:
    if all(wipe and wipe.is_success for _, wipe in wipe_progress(booking)):
        complete(booking, now=now)


def _check_provider(booking: Booking, by: User) -> None:
    if booking.machine.provider_id != by.pk:
        raise NotYours(gettext("This machine is not yours."))


def _sha256(file: UploadedFile[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
