"""``manage.py load_demo``: fills an empty database with people, machines and bookings to try things with."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Role, User
from bookings.models import Booking
from common.errors import MarketplaceError
from machines.models import Benchmark, GPUModel, Listing, Machine
from marketplace.demo import load
from marketplace.demo.people import OTHER_SIGN_INS, PASSWORD, SIGN_INS_OF_HOSTS
from marketplace.demo.progress import Progress, alone, progress

EVERY = 25


class Command(BaseCommand):
    help = (
        "Load the demonstration's data into an empty database: real machines and prices, people and bookings made up. "
        "Refuses where people have signed up, and where the site is a real one. Run it while no worker runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bookings", type=int, default=load.BOOKINGS, help="how many beside those of the demo sign-ins"
        )

    def handle(self, *args: Any, bookings: int, **options: Any) -> None:
        self._refuse_a_real_site()
        with alone() as mine:
            if not mine:
                raise CommandError("The demonstration is being loaded by another process at this moment.")
            self._load(bookings)
        self._summarize()

    def _refuse_a_real_site(self) -> None:
        if settings.SITE_URL.startswith("https://"):
            raise CommandError(
                f"{settings.SITE_URL} is a real site: the demonstration has sign-ins whose password everyone knows. "
                "It is loaded only where SITE_URL begins with http://."
            )
        if settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")):
            raise CommandError("STRIPE_SECRET_KEY is a live key. The demonstration pays with test cards only.")

    def _load(self, count: int) -> None:
        began, now = time.monotonic(), timezone.now()
        match progress():
            case Progress.LOADED:
                raise CommandError("The demonstration is loaded already. Nothing was changed.")
            case Progress.FOREIGN:
                raise CommandError(
                    "People have signed up here, so the demonstration is not loaded. It needs an empty database."
                )
            case Progress.EMPTY:
                load.load_static(now=now)
                self.stdout.write(f"Demo: people, machines and listings, {time.monotonic() - began:.0f} s")
            case Progress.HALF:
                self.stdout.write("Demo: goes on with what an earlier run did not finish.")
        try:
            for number, _ in enumerate(load.load_bookings(now=now, count=count), start=1):
                if number % EVERY == 0:
                    self.stdout.write(f"Demo: {number} bookings, {time.monotonic() - began:.0f} s")
        except (MarketplaceError, RuntimeError) as error:
            raise CommandError(f"{error} Run load_demo again: it goes on where it stopped.") from error

    def _summarize(self) -> None:
        states = Counter(booking.state_label for booking in Booking.objects.all())
        statuses = Counter(Listing.objects.values_list("status", flat=True))
        verdicts = Counter(Benchmark.objects.values_list("status", flat=True))
        self.stdout.write(
            f"Demo: {GPUModel.objects.count()} GPU models, {Machine.objects.count()} machines of "
            f"{User.objects.filter(roles__contains=[Role.PROVIDER]).count()} providers; "
            f"listings {_words(statuses)}; benchmarks {_words(verdicts)}; "
            f"{states.total()} bookings: {_words(states)}.\n"
            f"Demo sign-ins, all with password {PASSWORD}: {', '.join([*OTHER_SIGN_INS, *SIGN_INS_OF_HOSTS.values()])}"
        )


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name.lower()}" for name, count in sorted(counts.items()))
