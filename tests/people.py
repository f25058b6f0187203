"""The fixed cast, what they own, and a booking in each state of its life.

Bookings are made by the services themselves. Times are given to them, so a booking that began an hour ago is one
that was asked for two hours ago: no clock is faked. ``paid`` bookings have a payment row that no processor knows;
tests of payments pay through the stand-in instead (``tests/stripe_standin.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import BillingDetails, BillingKind, Role, User, Verification
from billing.gateway import Intent
from billing.models import Payment
from billing.services import payments
from billing.services.cards import Means
from bookings.models import Access, Booking, Charge, DataWipe, WipeMethod, WipeStatus
from bookings.services import handover, run
from bookings.services.request import request_booking
from common.ids import uuid7
from common.money import to_minor
from machines.models import Benchmark, BenchmarkStatus, Listing, ListingStatus, Machine

PASSWORD = "a-long-enough-password"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FINGERPRINT = "SHA256:" + "A" * 43


# Making things ----------------------------------------------------------------------------------------


@cache
def _hashed() -> str:
    return make_password(PASSWORD)


def make_user(email: str, *roles: str, **fields: Any) -> User:
    """Signs in with ``PASSWORD``, hashed once for all: hashing is slow on purpose."""
    return User.objects.create(email=email, password=_hashed(), roles=list(roles), **fields)


def another_administrator() -> User:
    """A second one, for what takes two."""
    values = {"password": _hashed(), "roles": [Role.PLATFORM_ADMINISTRATOR], "is_staff": True, "is_superuser": True}
    return User.objects.get_or_create(email="second@example.com", defaults=values)[0]


def verify(user: User, *, by: User, now: datetime) -> Verification:
    return Verification.objects.create(
        user=user,
        kind=Verification.Kind.INSTITUTION,
        legal_name=f"{user.public_name} Ltd",
        country="DE",
        statement="HRB 12345",
        status=Verification.Status.APPROVED,
        submitted_at=now,
        decided_at=now,
        decided_by=by,
        valid_until=now + settings.MARKETPLACE_VERIFICATION_VALID,
    )


def make_billing_details(user: User, **fields: Any) -> BillingDetails:
    """A private person in Berlin; with a ``vat_id`` a business."""
    values = {
        "kind": BillingKind.BUSINESS if fields.get("vat_id") else BillingKind.INDIVIDUAL,
        "name": user.organization_name or user.name or "Somebody",
        "street": "Invalidenstraße 44",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    }
    return BillingDetails.objects.create(user=user, **(values | fields))


def make_machine(provider: User, name: str = "gpu-1", **fields: Any) -> Machine:
    values = {
        "gpu_model": "H100 SXM",
        "gpu_count": 8,
        "gpu_memory_gb": 80,
        "cpu_model": "AMD EPYC 9654",
        "cpu_cores": 96,
        "ram_gb": 1536,
        "disk_size_gb": 7680,
        "network_bandwidth": "10 Gbps",
        "os": "Ubuntu 24.04",
        "country": "DE",
    }
    return Machine.objects.create(provider=provider, name=name, **(values | fields))


def make_benchmark(machine: Machine, *, by: User, now: datetime) -> Benchmark:
    """An approved one, which is the machine's verified one from then on."""
    benchmark = Benchmark.objects.create(
        machine=machine,
        gpu_throughput_fp16=5000.0,
        cpu_score=100_000.0,
        collected_at=now - DAY,
        status=BenchmarkStatus.APPROVED,
        decided_at=now,
        decided_by=by,
    )
    machine.verified_benchmark = benchmark
    machine.save(update_fields=["verified_benchmark"])
    return benchmark


def make_listing(machine: Machine, **fields: Any) -> Listing:
    values = {
        "price_hour": Decimal("2.00"),
        "price_day": Decimal("40.00"),
        "price_week": Decimal("250.00"),
        "currency": "EUR",
        "status": ListingStatus.ACTIVE,
    }
    row = Listing.objects.create(machine=machine, **(values | fields))
    return Listing.objects.with_machine().get(pk=row.pk)


def minute(moment: datetime) -> datetime:
    """The whole minute that ``moment`` is in."""
    return moment.replace(second=0, microsecond=0)


def make_hold(listing: Listing, buyer: User, *, start: datetime, hours: float = 4, asked: datetime) -> Booking:
    """``buyer`` asks for the window at ``asked``, which may lie in the past."""
    return request_booking(
        listing=listing, buyer=buyer, start=minute(start), end=minute(start) + hours * HOUR, now=asked
    )


def make_paid(listing: Listing, buyer: User, *, start: datetime, hours: float = 4, asked: datetime) -> Booking:
    return mark_paid(make_hold(listing, buyer, start=start, hours=hours, asked=asked), now=asked)


def mark_paid(booking: Booking, *, now: datetime) -> Booking:
    """Paid, as billing would leave it behind, by a payment that no processor knows."""
    mark_charge_paid(booking.charges.get(number=1), now=now)
    booking.refresh_from_db()
    return booking


def mark_charge_paid(charge: Charge, *, now: datetime) -> Payment:
    """As :func:`mark_paid`, of a stage or an extension."""
    means = Means("cus_nobody", "pm_nobody", "Visa 4242")
    payment = payments.begin(charge_id=charge.pk, payer=charge.booking.buyer, means=means, now=now)
    amount = to_minor(payment.amount_total, payment.currency)
    intent = Intent(f"pi_{uuid7().hex}", "succeeded", amount, payment.currency, "", str(payment.pk), "")
    return payments.apply(intent, now=now)


def enter_access(booking: Booking, *, now: datetime) -> Access:
    return handover.record_access(
        booking_id=booking.pk,
        by=booking.machine.provider,
        host="gpu-1.example.org",
        port=2222,
        username=f"rsm-{booking.reference}",
        host_key_fingerprint=FINGERPRINT,
        access_note="",
        now=now,
    )


def make_running(
    listing: Listing, buyer: User, *, start: datetime, hours: float = 4, access: bool = True, ahead: timedelta = HOUR
) -> Booking:
    """Asked for and paid ``ahead`` of its start, and started at it; ``access``: the provider let the buyer in."""
    booking = make_paid(listing, buyer, start=start, hours=hours, asked=start - ahead)
    if access:
        enter_access(booking, now=booking.start)
    assert run.start_booking(booking_id=booking.pk, now=booking.start)
    booking.refresh_from_db()
    return booking


def make_over(listing: Listing, buyer: User, *, end: datetime, hours: float = 4) -> Booking:
    """Ran, and ended at ``end``; the wipe has not been recorded."""
    booking = make_running(listing, buyer, start=minute(end) - hours * HOUR, hours=hours)
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    booking.refresh_from_db()
    return booking


def record_wipe(
    booking: Booking,
    *,
    now: datetime,
    methods: Sequence[str] = tuple(WipeMethod.values),
    status: str = WipeStatus.SUCCESS,
) -> list[DataWipe]:
    return handover.record_wipe(
        booking_id=booking.pk,
        by=booking.machine.provider,
        methods=methods,
        status=status,
        executed_at=max(booking.end, now - timedelta(seconds=1)),
        evidence=SimpleUploadedFile("wipe.log", b"userdel: done\n"),
        wipe_note="",
        now=now,
    )


# The cast ---------------------------------------------------------------------------------------------


@pytest.fixture
def administrator(db: None) -> User:
    return make_user("administrator@example.com", Role.PLATFORM_ADMINISTRATOR, is_staff=True, is_superuser=True)


@pytest.fixture
def buyer(db: None) -> User:
    return make_user("buyer@example.com", Role.BUYER, name="Bea Buyer")


@pytest.fixture
def other_buyer(db: None) -> User:
    return make_user("other.buyer@example.com", Role.BUYER, name="Olaf Other")


@pytest.fixture
def provider(administrator: User, now: datetime) -> User:
    user = make_user("provider@example.com", Role.PROVIDER, organization_name="Provider University")
    verify(user, by=administrator, now=now)
    return user


@pytest.fixture
def other_provider(administrator: User, now: datetime) -> User:
    user = make_user("other.provider@example.com", Role.PROVIDER, organization_name="Other Data Center")
    verify(user, by=administrator, now=now)
    return user


@pytest.fixture
def organization_administrator(db: None) -> User:
    roles = (Role.ORGANIZATIONAL_ADMINISTRATOR, Role.BUYER)
    return make_user("boss@institute.example", *roles, organization_name="Institute")


@pytest.fixture
def member(db: None) -> User:
    return make_user("member@institute.example", Role.BUYER, organization_name="Institute")


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in, and part of nothing."""
    return make_user("stranger@example.com")


@dataclass(frozen=True)
class Cast:
    buyer: User
    other_buyer: User
    provider: User
    other_provider: User
    organization_administrator: User
    member: User
    administrator: User
    stranger: User


@pytest.fixture
def cast(
    buyer: User,
    other_buyer: User,
    provider: User,
    other_provider: User,
    organization_administrator: User,
    member: User,
    administrator: User,
    stranger: User,
) -> Cast:
    """Everybody at once."""
    return Cast(
        buyer, other_buyer, provider, other_provider, organization_administrator, member, administrator, stranger
    )


# What the provider offers -----------------------------------------------------------------------------


@pytest.fixture
def machine(provider: User, administrator: User, now: datetime) -> Machine:
    machine = make_machine(provider)
    make_benchmark(machine, by=administrator, now=now)
    return machine


@pytest.fixture
def listing(machine: Machine) -> Listing:
    """Active: 2 EUR an hour, 40 a day, 250 a week, moderate terms."""
    return make_listing(machine)


@pytest.fixture
def other_listing(other_provider: User) -> Listing:
    return make_listing(make_machine(other_provider, "gpu-2"))


# The buyer's booking of it, in each state --------------------------------------------------------------


@pytest.fixture
def held(listing: Listing, buyer: User, now: datetime) -> Booking:
    """Asked for just now, starts in two days, not paid."""
    return make_hold(listing, buyer, start=now + 2 * DAY, asked=now)


@pytest.fixture
def paid(listing: Listing, buyer: User, now: datetime) -> Booking:
    """Confirmed, starts in two days."""
    return make_paid(listing, buyer, start=now + 2 * DAY, asked=now)


@pytest.fixture
def running(listing: Listing, buyer: User, now: datetime) -> Booking:
    """Began an hour ago, ends in three; the buyer has access."""
    return make_running(listing, buyer, start=now - HOUR)


@pytest.fixture
def over(listing: Listing, buyer: User, now: datetime) -> Booking:
    """Ended ten minutes ago; the machine waits for its wipe."""
    return make_over(listing, buyer, end=now - timedelta(minutes=10))


@pytest.fixture
def completed(over: Booking, now: datetime) -> Booking:
    """Over, and the machine shown to be clean."""
    record_wipe(over, now=now)
    over.refresh_from_db()
    return over
