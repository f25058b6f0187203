"""The small world that the browser tests begin in: ``python -m tests.e2e.seed`` beside a running ``bin/serve``.

Prints what the tests have to know as JSON: the machines' listings by name, bookings by state, sessions by person.
"""

import json
import os
import sys
from datetime import timedelta
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from allauth.account.models import EmailAddress  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Role, User  # noqa: E402
from accounts.services.ssh_keys import add_key  # noqa: E402
from machines.models import GPUModel, Listing, ListingStatus  # noqa: E402
from tests.people import (  # noqa: E402
    DAY,
    HOUR,
    make_benchmark,
    make_hold,
    make_listing,
    make_machine,
    make_over,
    make_paid,
    make_running,
    make_user,
    record_wipe,
    verify,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@laptop"
#: One machine and one buyer for each test that books, so that none waits for another.
FREE_MACHINES = 24
BUYERS = 12


def person(email: str, *roles: str, **fields: object) -> User:
    user = make_user(email, *roles, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def session_of(user: User) -> str:
    """Signed in, as after the sign-in form."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session.session_key


def main() -> None:
    # All at once: what lies in the past is not for the sweeps, which run beside this, until it is what it is to be.
    # Marked as Django's own TestCase marks the transaction around a test: services may begin a durable one in it.
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        told = make()
    json.dump(told, sys.stdout)


def make() -> dict[str, dict[str, str]]:
    now = timezone.now().replace(microsecond=0)
    administrator = person("administrator@example.com", Role.PLATFORM_ADMINISTRATOR, is_staff=True, is_superuser=True)
    provider = person("provider@example.com", Role.PROVIDER, organization_name="Provider University", country="DE")
    newcomer = person("newcomer@example.com", Role.BUYER, name="Nele New")
    buyer = person("buyer@example.com", Role.BUYER, name="Bea Buyer", country="FR")
    buyers = [person(f"buyer{n}@example.com", Role.BUYER, name=f"Buyer {n}") for n in range(BUYERS)]
    verify(provider, by=administrator, now=now)
    for one in (buyer, *buyers):
        add_key(user=one, text=KEY, name="laptop")
    gpu = GPUModel.objects.create(
        slug="h100-sxm", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=989.4
    )

    def offer(name: str, **fields: object) -> Listing:
        machine = make_machine(provider, name, gpu=gpu, region="Bavaria", reliability=0.9994, network_mbps=10_000)
        benchmark = make_benchmark(machine, by=administrator, now=now)
        benchmark.gpu_throughput_fp32, benchmark.source = 470.2, "agent 1.4"
        benchmark.save(update_fields=["gpu_throughput_fp32", "source"])
        return make_listing(machine, **fields)

    free = [offer(f"free-{n}") for n in range(FREE_MACHINES)]
    offer("path-1")
    make_listing(make_machine(provider, "new-1"), status=ListingStatus.PAUSED)  # waits for its first benchmark
    busy = offer("busy-1", description="Two sockets, four NVMe disks.\nNo swap.")
    second, third, fourth = (offer(f"busy-{n}", cancellation_terms="flexible") for n in (2, 3, 4))
    completed = make_over(busy, buyer, end=now - 2 * DAY)
    record_wipe(completed, now=now - 2 * DAY + HOUR)
    over = make_over(second, buyer, end=now - timedelta(minutes=10))
    record_wipe(over, now=now, methods=["session_termination", "ssh_key_removal"])
    bookings = {
        "completed": completed,
        "over": over,
        "running": make_running(busy, buyer, start=now - HOUR),
        "started": make_running(third, buyer, start=now - HOUR, access=False),
        "paid": make_paid(fourth, buyer, start=now + 2 * DAY, asked=now),
        "held": make_hold(fourth, buyer, start=now + 5 * DAY, asked=now),
    }
    people = [administrator, provider, newcomer, buyer, *buyers]
    return {
        "listings": {listing.machine.name: str(listing.pk) for listing in (*free, busy, second, third, fourth)},
        "machines": {listing.machine.name: str(listing.machine_id) for listing in (*free, busy, second)},
        "bookings": {state: str(booking.pk) for state, booking in bookings.items()},
        "sessions": {user.email.partition("@")[0]: session_of(user) for user in people},
    }


if __name__ == "__main__":
    main()
