"""The past of demo machines: outages that add up to what the file says."""

import pytest

from bookings.models import Booking
from machines.demo.hosted_machines import HostedMachine
from machines.models import AccessKind, ListedPeriod, Listing, Machine, Outage
from machines.services.reliability import charge, recompute, reliability_of
from marketplace.demo.past import outages_for
from tests.machines.measured import give_agent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo")]

#: A minute of 30 days, rounded.
A_MINUTE = 1.01 / 43_200


def enrolled(machine: Machine, demo):
    """As the demonstration's fleet does it: just now."""
    return give_agent(machine, since=demo.now)


def test_machines_on_offer_have_been_since_the_file_begins(hosted: list[HostedMachine]):
    on_offer = set(Listing.objects.on_offer().values_list("machine", flat=True))
    assert set(ListedPeriod.objects.filter(ended_at=None).values_list("machine", flat=True)) == on_offer
    first = min(day.collected_at for one in hosted for day in one.days)
    assert all(period.began_at >= first for period in ListedPeriod.objects.all())


def test_every_machine_gets_the_files_figure_by_computing(demo):
    """All of the demo providers' machines, and those with the best and the worst figures."""
    machines = Machine.objects.filter(listings__in=Listing.objects.on_offer(), debits=None)
    chosen = [*machines.order_by("reliability")[:8], *machines.order_by("-reliability")[:4]]
    chosen += machines.filter(provider__email__in=["provider@example.com", "provider2@example.com"])
    for machine in {machine.pk: machine for machine in chosen}.values():
        wanted = machine.reliability
        made = outages_for(machine, enrolled(machine, demo), wanted, demo.now)
        assert recompute(machine, now=demo.now) == pytest.approx(wanted, abs=A_MINUTE), machine
        assert bool(made) == (wanted < 1)
        assert reliability_of(machine, now=demo.now).down_minutes == sum(
            (outage.ended_at - outage.began_at).total_seconds() / 60 for outage in made
        )


def test_there_is_a_low_and_a_high_figure_among_them():
    figures = Machine.objects.filter(listings__in=Listing.objects.on_offer()).values_list("reliability", flat=True)
    assert min(figures) < 0.95
    assert max(figures) > 0.99


def test_bookings_are_not_cut_by_outages_that_are_made_up(demo):
    booking = Booking.objects.filter(started_at__isnull=False, end__lt=demo.now).order_by("-end").first()
    machine = booking.machine
    outages_for(machine, enrolled(machine, demo), 0.985, demo.now)
    assert Outage.objects.filter(machine=machine).exists()
    assert not Outage.objects.filter(machine=machine, began_at__lt=booking.end, ended_at__gt=booking.start).exists()


def test_outages_are_the_same_each_time(demo):
    machine = Machine.objects.filter(listings__in=Listing.objects.on_offer(), debits=None).order_by("name").first()
    agent = enrolled(machine, demo)
    first = [(outage.began_at, outage.ended_at) for outage in outages_for(machine, agent, 0.98, demo.now)]
    Outage.objects.filter(machine=machine).delete()
    assert [(outage.began_at, outage.ended_at) for outage in outages_for(machine, agent, 0.98, demo.now)] == first
    assert outages_for(machine, agent, 0.98, demo.now) == []


def test_what_a_machine_is_charged_for_is_not_taken_twice(demo):
    machine = Machine.objects.filter(listings__in=Listing.objects.on_offer(), debits=None).order_by("name").first()
    charge(machine=machine, reason="cancellation", key="cancellation:x", minutes=720, now=demo.now)
    outages_for(machine, enrolled(machine, demo), 0.98, demo.now)
    assert recompute(machine, now=demo.now) == pytest.approx(0.98, abs=A_MINUTE)
    assert machine.access_kind == AccessKind.AGENT
