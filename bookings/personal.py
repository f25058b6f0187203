"""What this room holds about a person: what they booked, and bookings of their machines (:mod:`accounts.privacy`)."""

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, SSHKey, User
from accounts.privacy import Kept, Obstacle, Room, StoredFile, fields_of, table
from accounts.traces import addresses_of
from bookings.lifecycle import LIVE
from bookings.models import (
    Access,
    Approval,
    Booking,
    BookingEvent,
    Budget,
    Charge,
    DataWipe,
    ErasureCertificate,
    KeyChoice,
)
from bookings.services.provision import fingerprint
from common.history.tracking import kind_of
from machines.models import Work

#: Of a booking what its provider may know: nothing of who the buyer is but the public name.
PROVIDERS = [
    "id", "machine", "machine__name", "listing", "buyer_public_name", "start", "end", "status", "created_at", "paid_at",
    "started_at", "completed_at", "canceled_at", "cancellation_terms", "currency", "price_total", "given_back",
    "late_minutes", "down_minutes", "lost_amount",
]  # fmt: skip


def _provided(user: User) -> "QuerySet[Booking]":
    nothing = Value("")
    name = Coalesce(NullIf(F("buyer__organization_name"), nothing), NullIf(F("buyer__name"), nothing), nothing)
    return Booking.objects.of_provider(user).exclude(buyer=user).annotate(buyer_public_name=name)


def _evidence(row: DataWipe) -> Iterator[StoredFile]:
    if stored := row.evidence.name:
        yield StoredFile(f"{row.pk}{PurePosixPath(stored).suffix}", stored)


EXPORTS = [
    table(
        "bookings/bookings",
        _("Bookings"),
        lambda user: Booking.objects.of_buyer(user),
        [*fields_of(Booking), "machine__name", "machine__provider__organization_name", "organization__name"],
        covers=["bookings.Booking.buyer"],
    ),
    table("bookings/bookings-of-your-machines", _("Bookings of your machines"), _provided, PROVIDERS),
    table(
        "bookings/charges",
        _("What bookings cost"),
        lambda user: Charge.objects.filter(booking__buyer=user),
        fields_of(Charge),
    ),
    table(
        "bookings/access",
        _("How you got in"),
        lambda user: Access.objects.filter(booking__buyer=user),
        fields_of(Access),
    ),
    table(
        "bookings/key-choices",
        _("Keys that you chose for a booking"),
        lambda user: KeyChoice.objects.filter(Q(booking__buyer=user) | Q(chosen_by=user)),
        ["booking", "counts_from"],
        covers=["bookings.KeyChoice.chosen_by"],
    ),
    table(
        "bookings/events",
        _("What happened to bookings"),
        lambda user: BookingEvent.objects.filter(Q(booking__buyer=user) | Q(actor=user)),
        fields_of(BookingEvent, "actor"),
        covers=["bookings.BookingEvent.actor"],
    ),
    table(
        "bookings/approvals",
        _("Approvals of your bookings, and those that you decided"),
        lambda user: Approval.objects.filter(Q(booking__buyer=user) | Q(decided_by=user)),
        fields_of(Approval, "decided_by"),
        covers=["bookings.Approval.decided_by"],
    ),
    table(
        "bookings/budgets",
        _("Budgets for you, and those that you made"),
        lambda user: Budget.objects.filter(Q(member=user) | Q(created_by=user)),
        fields_of(Budget, "member", "created_by"),
        covers=["bookings.Budget.member", "bookings.Budget.created_by"],
    ),
    table(
        "bookings/wipes",
        _("How machines were erased after you, and what you recorded"),
        lambda user: DataWipe.objects.filter(Q(booking__buyer=user) | Q(recorded_by=user)),
        fields_of(DataWipe, "evidence", "recorded_by"),
        covers=["bookings.DataWipe.recorded_by"],
        files=_evidence,
    ),
    table(
        "bookings/certificates",
        _("Certificates of erasure"),
        lambda user: ErasureCertificate.objects.filter(Q(booking__buyer=user) | Q(booking__machine__provider=user)),
        ["id", "booking", "issued_at", "document", "sha256", "signature", "platform_key"],
    ),
]


def obstacles(user: User, now: datetime) -> Iterator[Obstacle]:
    for booking in Booking.objects.of_buyer(user).filter(status__in=LIVE).order_by("start")[:5]:
        yield Obstacle(
            gettext(
                "Your booking %(reference)s is not over. Cancel it, or wait until it has ended and the machine is erased."
            )
            % {"reference": booking.reference},
            reverse("booking_detail", args=[booking.pk]),
        )
    unfinished = Q(status__in=LIVE) | Q(wipe_opened_at__isnull=False, wiped_at=None)
    for booking in Booking.objects.of_provider(user).filter(unfinished).exclude(buyer=user).order_by("start")[:5]:
        yield Obstacle(
            gettext("Somebody has booked your machine: %(reference)s. Keep to it, or cancel it, and erase the machine.")
            % {"reference": booking.reference},
            reverse("booking_detail", args=[booking.pk]),
        )


def erase(user: User, now: datetime) -> None:
    """Bookings stay, with ids only: invoices have their own copy of whom they name. Keys that agents were given go."""
    bookings = Booking.objects.of_buyer(user)
    paid_by: dict[UUID | None, UUID | None] = dict(bookings.values_list("pk", "organization"))
    bookings.filter(organization=None).exclude(billed_to={}).update(billed_to={})
    _forget_where_invoices_went(user)
    shared = {pk: _fingerprints_of(pk) if pk else set() for pk in set(paid_by.values())}
    for work in Work.objects.filter(booking_id__in=bookings.values("pk")).iterator(100):
        others = shared[paid_by[work.booking_id]]
        kept = {"payload": _without_keys(work.payload, others), "result": _without_keys(work.result, others)}
        if kept != {"payload": work.payload, "result": work.result}:
            Work.objects.filter(pk=work.pk).update(**kept)


def _forget_where_invoices_went(user: User) -> None:
    """The organization that pays stays in its bookings; the address may be that of whoever owned it then."""
    theirs = Organization.objects.filter(Q(owner=user) | Q(created_by=user) | Q(memberships__user=user))
    bookings = Booking.objects.filter(organization__in=theirs.values("pk"), billed_to__email__in=addresses_of(user))
    for booking in bookings.iterator(100):
        Booking.objects.filter(pk=booking.pk).update(billed_to=booking.billed_to | {"email": ""})


def _fingerprints_of(organization: UUID) -> set[str]:
    """Of all keys that the organization has or has had."""
    found = set(SSHKey.objects.filter(organization=organization).values_list("fingerprint", flat=True))
    if kept := kind_of(SSHKey):
        found |= set(kept.changes.objects.filter(organization=organization).values_list("fingerprint", flat=True))
    return found


def _without_keys(said: object, others: Collection[str]) -> object:
    """What an agent was told, with keys, or said, with their fingerprints; of both those that are ``others``' stay."""
    if not isinstance(said, dict) or not said.get("keys"):
        return said
    return said | {"keys": [key for key in said["keys"] if others and _fingerprint(key) in others]}


def _fingerprint(key: str) -> str:
    return key if key.startswith("SHA256:") else fingerprint(key)


ROOM = Room(
    "bookings",
    exports=EXPORTS,
    obstacles=obstacles,
    erase=erase,
    goes=[_("Your bookings name nobody any more. The keys that machines were given are taken out of our records.")],
    texts={
        "bookings.BookingEvent": ["what", "detail"],
        "bookings.Approval": ["reason", "answer"],
        "bookings.Access": ["note"],
        "bookings.DataWipe": ["note", "evidence_name"],
    },
    kept=[
        Kept(
            _("Bookings: when, which machine, what it cost, and that it was erased"),
            _("They are what payments and invoices are for. They bear a number, no name."),
        ),
        Kept(
            _("Certificates of erasure that buyers of your machines hold, with your public name"),
            _("They are signed, and anyone who was given one can check it."),
            ["erasure_certificates.document"],
        ),
    ],
)
