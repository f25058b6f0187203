"""Hundreds of bookings on random paths, with faults on the way. What has to hold in the end is in :mod:`tests.lives.judge`.

Each life is a booking: paid, declined, canceled, extended, ended early, let in late or never, charged in stages that
fail, disputed, taken back by a bank, given back at the dashboard, paid out or not. Our process dies before and after
calls to the processor; answers get lost; the processor fails after having done it; events are lost, doubled and mixed
up. Sweeps run when they like.

500 lives run by default, 50 of them at once on one clock. ``LIVES=5000 bin/test tests/lives`` runs more, and
``LIVES_SEED=1234 LIVES=50 bin/test tests/lives`` a certain fifty again.
"""

import os
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from bookings.models import Booking
from tests.lives import judge
from tests.lives.life import Life
from tests.lives.world import World

AT_ONCE = int(os.environ.get("LIVES_AT_ONCE", "50"))
LIVES = int(os.environ.get("LIVES", "500"))
FIRST_SEED = int(os.environ.get("LIVES_SEED", "20261121"))
SEEDS = range(FIRST_SEED, FIRST_SEED + -(-LIVES // AT_ONCE))


@pytest.fixture
def begin() -> datetime:
    return timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_every_cent_is_explained(seed, processor, settings, begin, capsys):
    settings.STRIPE_CONNECT = True
    settings.MARKETPLACE_UNPAID_HOLDS = 10
    world = World(processor, seed, begin=begin, fault_rate=0.06)
    lives = [Life(world) for _ in range(AT_ONCE)]
    for life in lives:
        world.join(life.live())

    world.run(until=begin + timedelta(days=75))
    world.come_to_rest()

    found = list(judge.faults(world))
    with capsys.disabled():
        states = Counter(Booking.objects.values_list("status", flat=True))
        print(f"\nseed {seed}: {dict(states)}, {sum(world.line.faults.values())} faults {dict(world.line.faults)}")
    if found:
        guilty = [life for life in lives if life.booking_id and any(life.booking.reference in fault for fault in found)]
        stories = [f"{life.booking.reference}: " + "; ".join(life.path) for life in guilty]
        pytest.fail(f"seed {seed}\n" + "\n".join(found[:40] + stories[:10]))
