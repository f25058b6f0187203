"""Loading the demonstration: the static part at once or not at all, then step by step in the order of time."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from django.db import connection, transaction

from accounts.models import User
from bookings.models import Booking
from common.files import kept_with_rows
from machines.demo import gpu_specs, hosted_machines
from marketplace.demo import institute, inventory, life, papers, people
from marketplace.demo.plan import Planner
from marketplace.demo.progress import BEGUN, FINISHED, begun_at, note

#: Bookings beside the scenes of the demo sign-ins.
BOOKINGS = 230


@kept_with_rows()
@transaction.atomic
def load_static(*, now: datetime) -> None:
    """People and their organization, GPU models, machines, listings, benchmarks."""
    hosted = hosted_machines.read()
    gpu_specs.load(gpu_specs.read())
    who = people.create(hosted, now=now)
    institute.create(now=now)
    papers.send_papers(now=now)
    inventory.create(hosted, who)
    note(BEGUN, by=who.admin, now=now)


def load_bookings(*, now: datetime, count: int = BOOKINGS) -> Iterator[Booking]:
    """Each booking of the plan as it has been lived through. May be begun again after a failure.

    Raises:
        MarketplaceError: a service refused a step; what is there so far is sound.
    """
    admin = User.objects.get(email=people.ADMIN)
    now = begun_at() or now  # what was begun goes on by its own plan
    buyers = User.objects.filter(roles__contains=["buyer"]).order_by("email").values_list("email", flat=True)
    with connection.cursor() as cursor:
        # Of tables that were empty a moment ago the planner thinks so still, and would join them row by row.
        cursor.execute("ANALYZE")
    planner = Planner(life.offers(), list(buyers), now=now)
    planner.scenes()
    planner.fill(count)
    with connection.cursor() as cursor:
        # Thousands of small transactions: a power cut may cost the last few, and the load is begun again.
        cursor.execute("SET synchronous_commit TO off")
    try:
        yield from life.live(chain.from_iterable(planner.in_order()), now=now)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO DEFAULT")
    note(FINISHED, by=admin, now=now)
