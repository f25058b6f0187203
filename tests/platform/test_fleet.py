"""``manage.py demo_fleet``: simulated servers that speak the real protocol to a real server."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from bookings.models import ErasureCertificate
from bookings.services.run import end_booking, start_booking
from machines.agent_forms import UNREAD
from machines.models import Agent, HealthHour, HealthSample, Machine, Refusal, Report
from machines.services.machines import add_machine
from machines.services.measuring import ask_for_benchmark
from tests.people import HOUR, make_paid

pytestmark = pytest.mark.django_db(transaction=True)


def run(url: str, **options) -> str:
    """Long enough for two heartbeats: the first may come too soon after the last one of the run before."""
    said = StringIO()
    call_command("demo_fleet", url=url, stdout=said, stderr=said, **({"interval": 6, "seconds": 14} | options))
    return said.getvalue()


@pytest.fixture
def allowed(settings, tmp_path):
    settings.MARKETPLACE_ALLOW_SIMULATED = True
    settings.MARKETPLACE_ENROLLMENT_RATE = "10000/minute"
    settings.VAR_DIR = tmp_path


def test_it_is_refused_where_real_people_book(live_server):
    with pytest.raises(CommandError, match="MARKETPLACE_ALLOW_SIMULATED"):
        run(live_server.url)


def test_simulated_servers_enroll_beat_and_are_marked(live_server, allowed, listing):
    machine = listing.machine
    Machine.objects.filter(pk=machine.pk).update(reliability=0.995)

    said = run(live_server.url)

    agent = Agent.objects.get()
    assert agent.is_simulated
    assert agent.machine_id == machine.pk
    assert "1 enrolled" in said
    assert HealthSample.objects.filter(agent=agent).count() > 200  # the last day, and what came now
    assert HealthHour.objects.filter(agent=agent).count() > 600
    machine.refresh_from_db()
    assert machine.provider_agent_status == "online"
    assert machine.health_indicators
    assert machine.passports.get().is_simulated
    assert not Refusal.objects.exclude(code="unauthorized").exists()


def test_what_it_has_enrolled_it_knows_again(live_server, allowed, listing):
    run(live_server.url, seconds=1)
    token = Agent.objects.get().token_hash

    run(live_server.url, seconds=1)

    assert Agent.objects.get().token_hash == token


def test_a_machine_that_somebody_has_added_waits_for_a_server_of_theirs(live_server, allowed, listing):
    facts = UNREAD | {"name": "mine", "network_bandwidth": "10 Gbps", "access_kind": "agent"}
    mine = add_machine(provider=listing.machine.provider, kind="single", facts=facts)
    assert mine.awaits_inventory

    assert "1 enrolled" in run(live_server.url, seconds=1)

    assert Agent.objects.get().machine_id == listing.machine_id


def test_a_booking_on_a_simulated_machine_goes_from_start_to_certificate(live_server, allowed, listing, buyer):
    from accounts.services.ssh_keys import add_key
    from tests.e2e.seed import KEY

    add_key(user=buyer, text=KEY, name="laptop")
    run(live_server.url, seconds=1)
    now = timezone.now()
    booking = make_paid(listing, buyer, start=now, hours=1, asked=now - timedelta(minutes=1))
    assert start_booking(booking_id=booking.pk, now=now)
    run(live_server.url)
    booking.refresh_from_db()
    assert booking.access.username == f"rsm-{booking.reference}"

    booking.start -= HOUR
    booking.end = booking.start + timedelta(minutes=30)
    booking.save(update_fields=["start", "end"])
    assert end_booking(booking_id=booking.pk, now=timezone.now())
    run(live_server.url)

    booking.refresh_from_db()
    assert booking.is_completed
    certificate = ErasureCertificate.objects.get()
    assert certificate.is_simulated


def test_a_simulated_run_is_marked(live_server, allowed, listing):
    run(live_server.url, seconds=1)
    machine = listing.machine
    ask_for_benchmark(machine=machine, by=None, now=timezone.now())

    run(live_server.url)

    made = machine.benchmarks.order_by("-collected_at").first()
    assert (made.is_simulated, made.agent_version) == (True, "1.0.0")
    assert Report.objects.filter(kind="report").exists()


def test_more_servers_than_machines_are_made_up(live_server, allowed, listing):
    run(live_server.url, machines=3, seconds=1)

    assert Agent.objects.count() == 3
    assert Machine.objects.filter(name__startswith="load-").count() == 2
