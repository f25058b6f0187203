"""What the stories about agents begin with, made beside a running ``bin/serve``. Prints what was made as JSON.

``python -m tests.e2e.agent_world machine NAME PORT``: a machine on offer whose buyers come in at 127.0.0.1:PORT, with a
code for its agent. ``... booking LISTING BUYER KEYFILE START END``: a paid booking of ``[START, END)``, minutes from the
present one, by a buyer with this public key. It frees its machine at its end: the next one may begin right then.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Role, User  # noqa: E402
from accounts.services.ssh_keys import add_key  # noqa: E402
from bookings.models import Booking  # noqa: E402
from machines.models import Listing  # noqa: E402
from machines.services.enrollment import make_code  # noqa: E402
from tests.e2e.seed import person  # noqa: E402
from tests.people import HOUR, make_benchmark, make_listing, make_machine, make_paid, minute  # noqa: E402


def machine(name: str, port: str) -> dict[str, Any]:
    now = timezone.now()
    provider = User.objects.get(email="provider@example.com")
    administrator = User.objects.get(email="administrator@example.com")
    made = make_machine(provider, name, ssh_host="127.0.0.1", ssh_port=int(port))
    make_benchmark(made, by=administrator, now=now)
    listing = make_listing(made)
    return {
        "machine": str(made.pk),
        "listing": str(listing.pk),
        "code": make_code(machine=made, node=None, by=provider, now=now),
    }


def booking(listing: str, buyer: str, key: str, start: str, end: str) -> dict[str, Any]:
    now = timezone.now()
    email = f"{buyer}@example.com"
    user = User.objects.filter(email=email).first()
    if user is None:
        user = person(email, Role.BUYER, name=buyer)
        add_key(user=user, text=Path(key).read_text(), name="laptop")
    taken = Booking.objects.filter(listing_id=listing).count()
    # Asked for well ahead, as the rules want it, then moved to its real time.
    made = make_paid(
        Listing.objects.with_machine().get(pk=listing), user, start=now + (24 + 24 * taken) * HOUR, hours=1, asked=now
    )
    first = minute(now)
    begins, ends = first + timedelta(minutes=int(start)), first + timedelta(minutes=int(end))
    Booking.objects.filter(pk=made.pk).update(start=begins, end=ends, blocked_until=ends)
    return {"booking": str(made.pk), "account": f"rsm-{made.reference}", "end": ends.timestamp()}


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    block = transaction.atomic()
    block._from_testcase = True  # services may begin a durable transaction in it, as in Django's own TestCase
    with block:
        made = {"machine": machine, "booking": booking}[what](*words)
    json.dump(made, sys.stdout)
