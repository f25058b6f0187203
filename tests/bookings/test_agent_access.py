"""A machine with an agent hands itself over: from paid to the command, and from the end to the wipe, without a person."""

from datetime import UTC, timedelta

import pytest

from accounts.models import Notification, OutgoingMail, SSHKey
from billing.models import Refund
from bookings import tasks
from bookings.errors import BookingError
from bookings.models import Access, Booking
from bookings.services import provision, run
from bookings.timeline import steps
from machines.models import (
    AccessKind,
    Agent,
    AgentStatus,
    Machine,
    MachineKind,
    Node,
    Outage,
    Work,
    WorkKind,
    WorkState,
)  # fmt: skip
from machines.services.errors import AgentRefused, Implausible, MachineError
from machines.services.machines import update_machine
from tests.agents import moment
from tests.handing_over import (
    ED25519,
    KEY,
    OTHER_KEY,
    automatic,
    begin,
    fail,
    give_key,
    hand_over,
    inventory,
    report,
    result,
    take,
    with_agent,
)
from tests.people import (
    DAY,
    HOUR,
    enter_access,
    make_hold,
    make_listing,
    make_machine,
    make_paid,
    make_running,
    minute,
    record_wipe,
)
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return with_agent(automatic(machine))


@pytest.fixture
def key(buyer, now) -> SSHKey:
    return give_key(buyer, now=now)


@pytest.fixture
def begun(agent, key, listing, buyer, now) -> Booking:
    """Began an hour ago, lasts four; the agent has been asked and has not been heard of."""
    return begin(listing, buyer, start=minute(now) - HOUR)


def asked(booking: Booking, kind: str = WorkKind.PROVISION) -> list[Work]:
    return list(Work.objects.filter(booking_id=booking.pk, kind=kind).order_by("created_at", "pk"))


def told(booking: Booking, what: str) -> list[str]:
    """Who was sent the mail, by e-mail address."""
    return sorted(
        OutgoingMail.objects.filter(key__startswith=f"{what}:{booking.pk}").values_list("user__email", flat=True)
    )


def standing(booking: Booking, *, now) -> tuple[str, str]:
    booking = Booking.objects.with_context().get(pk=booking.pk)
    step = steps(booking, now=now)[booking.events.count()]
    return step.title, step.state


# Asking -----------------------------------------------------------------------------------------------


def test_at_the_start_the_agent_is_asked_for_what_the_protocol_says(begun, agent, key, settings):
    (piece,) = asked(begun)

    assert (piece.agent_id, piece.state, begun.access_kind) == (agent.row.pk, WorkState.WAITING, AccessKind.AGENT)
    midnight = begun.end.astimezone(UTC).replace(hour=0, minute=0)
    assert piece.payload == {
        "booking": begun.reference,
        "account": f"rsm-{begun.reference}",
        "access": "agent",
        "keys": [KEY],
        "expires_at": moment(begun.end),
        "locks_at": moment(midnight if midnight == begun.end else midnight + DAY),
        "limits": {"processes": 4096, "open_files": 65536},
        "image": settings.MARKETPLACE_CONTAINER_IMAGE,
    }
    assert piece.key == f"provision:{begun.pk}:{agent.row.pk}:1"


def test_a_booking_that_ends_at_midnight_is_locked_at_it(agent, key, listing, buyer, now):
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0) + 2 * DAY
    booking = begin(listing, buyer, start=midnight - 4 * HOUR, hours=4)
    (piece,) = asked(booking)
    assert piece.payload["locks_at"] == piece.payload["expires_at"] == moment(midnight)


def test_a_container_is_asked_for_with_the_machines_image(machine, key, listing, buyer, now):
    machine.container_image = "docker.io/library/debian:12"
    machine.save(update_fields=["container_image"])
    with_agent(automatic(machine, kind=AccessKind.CONTAINER))
    (piece,) = asked(begin(make_listing(machine), buyer, start=minute(now)))
    assert (piece.payload["access"], piece.payload["image"]) == ("container", "docker.io/library/debian:12")


def test_the_sweeps_ask_once_however_often_they_come_by(agent, key, listing, buyer, now):
    booking = make_paid(listing, buyer, start=now - MINUTE, asked=now - HOUR)
    assert [tasks.start_bookings(), tasks.start_bookings()] == [1, 0]
    assert [tasks.provision_bookings(), tasks.provision_bookings()] == [0, 0]
    assert len(asked(booking)) == 1


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_the_same_moment_ask_for_other_keys_once(begun, agent, buyer, now):
    give_key(buyer, now=now, text=OTHER_KEY)
    assert sum(twice_at_once(tasks.provision_bookings)) == 1
    assert [piece.state for piece in asked(begun)] == [WorkState.CANCELED, WorkState.WAITING]


# Letting in -------------------------------------------------------------------------------------------


def test_what_the_agent_has_checked_is_what_the_buyer_sees(client, begun, agent, buyer):
    ready = begun.start + 20 * SECOND
    hand_over(agent, now=ready)

    access = Access.objects.get(booking=begun)
    assert access.command == f"ssh rsm-{begun.reference}@203.0.113.7"
    assert (access.host_key_fingerprint, access.ready_at, access.further) == (ED25519, ready, [])
    assert told(begun, "access-ready") == [buyer.email]
    assert Notification.objects.filter(user=buyer, key__startswith="access-ready").count() == 1
    assert "Handed over: log-in checked by the agent" in [event.what for event in begun.events.all()]
    begun.refresh_from_db()
    assert (begun.late_minutes, begun.booked_end) == (0, None)
    client.force_login(buyer)
    html = client.get(f"/bookings/{begun.pk}/").content.decode()
    assert access.command in html
    assert ED25519 in html


def test_a_report_that_comes_twice_hands_over_once(begun, agent, buyer):
    ready = begun.start + 20 * SECOND
    piece = take(agent, now=ready)
    assert not report(agent, piece, result(piece, now=ready), now=ready)
    assert report(agent, piece, result(piece, now=ready), now=ready + SECOND)
    assert Access.objects.filter(booking=begun).count() == 1
    assert told(begun, "access-ready") == [buyer.email]


@pytest.mark.parametrize(
    ("entered", "said", "command"),
    [
        (("gpu.example.org", 2200), {"host": "10.0.0.5", "port": 22}, "ssh -p 2200 {}@gpu.example.org"),
        (("", 22), {"host": "node.example.org", "port": 2222}, "ssh -p 2222 {}@node.example.org"),
        (("", 22), {"host": "", "port": 22}, "ssh {}@203.0.113.7"),
        (("", 22), {"host": "2001:db8::7", "port": 22}, "ssh {}@2001:db8::7"),
    ],
    ids=["as the provider entered", "as the agent says", "where it calls from", "by IPv6"],
)
def test_where_to_log_in(machine, begun, agent, entered, said, command):
    Machine.objects.filter(pk=machine.pk).update(ssh_host=entered[0], ssh_port=entered[1])
    hand_over(agent, now=begun.start + SECOND, ssh=said)
    assert Access.objects.get().command == command.format(f"rsm-{begun.reference}")


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "rsm-00000000"},
        {"account": "root"},
        {"keys": []},
        {"keys": [f"SHA256:{'X' * 43}"]},
        {"keys": "SHA256"},
        {"keys": None},
        {"login_checked_at": ""},
        {"host_keys": []},
        {"host_keys": [{"type": "ssh-ed25519", "fingerprint": "MD5:aa"}]},
        {"host_keys": "none"},
        {"ssh": {"host": "x; rm -rf /", "port": 22}},
        {"ssh": {"host": "", "port": 99999}},
        {"ssh": {"host": "", "port": "22"}},
        {"ssh": {"host": ["a"], "port": 22}},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_is_refused_and_asked_for_again(begun, agent, changes):
    later = begun.start + SECOND
    piece = take(agent, now=later)

    with pytest.raises(Implausible):
        report(agent, piece, result(piece, now=later, **changes), now=later)

    assert not Access.objects.exists()
    first, second = asked(begun)
    assert (first.state, second.state) == (WorkState.FAILED, WorkState.WAITING)
    assert second.not_before > later


def test_an_agent_cannot_speak_for_another_machines_booking(begun, agent, other_listing, provider):
    """Even with a signature that is good: the work is not its own."""
    other = with_agent(automatic(other_listing.machine))
    later = begun.start + SECOND
    piece = take(agent, now=later)
    with pytest.raises(AgentRefused):
        report(other, piece, result(piece, now=later), now=later)
    assert not Access.objects.exists()


def test_a_hand_over_after_the_end_lets_nobody_in(begun, agent):
    """The sweep has not been by yet. Else a machine that was never handed over would look as if it had been."""
    piece = take(agent, now=begun.end - SECOND)
    report(agent, piece, result(piece, now=begun.end), now=begun.end)
    assert not Access.objects.exists()
    assert run.end_booking(booking_id=begun.pk, now=begun.end)
    assert Refund.objects.get().amount == begun.price_total


# Keys -------------------------------------------------------------------------------------------------


def test_a_buyer_without_a_key_is_told_and_let_in_when_there_is_one(client, agent, listing, buyer, now):
    booking = begin(listing, buyer, start=minute(now) - HOUR)
    assert not asked(booking)
    assert told(booking, "key-needed") == [buyer.email]
    assert Notification.objects.filter(user=buyer, key__startswith="key-needed").count() == 1
    assert standing(booking, now=now) == ("Waiting for the buyer's SSH key", "now")
    assert tasks.provision_bookings() == 0
    client.force_login(buyer)
    assert "Add your SSH key." in client.get(f"/bookings/{booking.pk}/").content.decode()

    give_key(buyer, now=now, ago=timedelta(0))

    assert [tasks.provision_bookings(), tasks.provision_bookings()] == [1, 0]
    (piece,) = asked(booking)
    assert piece.payload["keys"] == [KEY]
    hand_over(agent, now=now + MINUTE)
    assert Access.objects.filter(booking=booking).exists()


def test_a_key_that_is_added_while_it_runs_is_let_in_too(begun, agent, buyer, now):
    hand_over(agent, now=begun.start + SECOND)
    give_key(buyer, now=now, text=OTHER_KEY, ago=timedelta(0))

    assert [tasks.provision_bookings(), tasks.provision_bookings()] == [1, 0]

    assert [piece.payload["keys"] for piece in asked(begun)] == [[KEY], [KEY, OTHER_KEY]]
    hand_over(agent, now=now + MINUTE)
    assert told(begun, "access-ready") == [buyer.email], "the command is the same"
    assert begun.events.filter(what="Access brought up to date by the agent").count() == 1
    assert Access.objects.get().ready_at == begun.start + SECOND


def test_a_key_that_is_taken_away_is_no_longer_let_in_and_without_any_nobody_is(begun, agent, key, buyer, now):
    second = give_key(buyer, now=now, text=OTHER_KEY, ago=DAY)
    assert tasks.provision_bookings() == 1
    key.delete()
    assert tasks.provision_bookings() == 1
    assert asked(begun)[-1].payload["keys"] == [OTHER_KEY]
    second.delete()
    assert [tasks.provision_bookings(), tasks.provision_bookings()] == [1, 0]
    (revoke,) = asked(begun, WorkKind.REVOKE)
    assert revoke.payload == {"booking": begun.reference, "account": f"rsm-{begun.reference}"}

    piece = take(agent, now=now + MINUTE)
    assert piece.pk == revoke.pk, "what was only waiting is no longer wanted"
    report(agent, piece, {"locked": True}, now=now + MINUTE)
    give_key(buyer, now=now, text=OTHER_KEY)

    assert [tasks.provision_bookings(), tasks.provision_bookings()] == [1, 0]
    assert asked(begun)[-1].payload["keys"] == [OTHER_KEY]


def test_what_an_agent_is_at_it_finishes_before_the_newer_keys(begun, agent, buyer, now):
    later = begun.start + SECOND
    first = take(agent, now=later)
    outcome = result(first, now=later)
    give_key(buyer, now=now, text=OTHER_KEY, ago=timedelta(0))
    assert provision.provision_booking(booking_id=begun.pk, now=later)
    report(agent, first, outcome, now=later)
    assert Access.objects.filter(booking=begun).exists()
    assert hand_over(agent, now=later + SECOND).payload["keys"] == [KEY, OTHER_KEY]


@pytest.mark.parametrize("state", ["paid", "over"])
def test_keys_matter_only_while_it_runs(request, state, buyer, now):
    booking = request.getfixturevalue(state)
    give_key(buyer, now=now, text=OTHER_KEY)
    with_agent(automatic(booking.machine))
    assert tasks.provision_bookings() == 0


# When it fails ----------------------------------------------------------------------------------------


def test_a_failure_is_told_and_tried_again_after_growing_pauses_until_the_end(begun, agent, buyer, provider):
    at, pauses = begun.start + SECOND, []
    while at < begun.end:
        fail(agent, now=at, error="useradd is missing.")
        newest = asked(begun)[-1]
        is_stubborn = len(pauses) + 1 >= provision.TRIES
        assert standing(begun, now=at) == ("The agent tries again", "bad" if is_stubborn else "now")
        assert take(agent, now=newest.not_before - SECOND) is None
        pauses.append((newest.not_before - at).total_seconds())
        at = newest.not_before

    assert pauses[:6] == [15, 30, 60, 120, 240, 480]
    assert set(pauses[6:]) == {600}
    for mail in ("access-failed", "access-still-failing"):
        assert told(begun, mail) == sorted([buyer.email, provider.email])
    lines = [event for event in begun.events.all() if event.what.startswith(provision.COULD_NOT)]
    assert len(lines) == provision.TRIES  # not a line every ten minutes for a week
    assert all("useradd is missing." in line.detail for line in lines)
    assert tasks.provision_bookings() == 0


def test_after_a_failure_the_next_try_lets_in(begun, agent):
    fail(agent, now=begun.start + SECOND)
    hand_over(agent, now=begun.start + MINUTE)
    assert Access.objects.filter(booking=begun).exists()


def test_other_keys_are_a_new_chance(begun, agent, buyer, now):
    at = begun.start
    for _ in range(provision.TRIES):
        at += 20 * MINUTE
        fail(agent, now=at)
    give_key(buyer, now=now, text=OTHER_KEY)
    assert provision.provision_booking(booking_id=begun.pk, now=at)
    hand_over(agent, now=at)
    assert Access.objects.filter(booking=begun).exists()


def test_the_timeline_says_what_the_agent_is_at(begun, agent):
    later = begun.start + SECOND
    assert standing(begun, now=later) == ("Waiting for the machine's agent", "now")
    piece = take(agent, now=later)
    assert standing(begun, now=later) == ("The agent is making the account", "now")
    report(agent, piece, result(piece, now=later), now=later)
    assert standing(begun, now=later) == ("Yours", "now")


# Clusters ---------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(provider) -> Machine:
    machine = automatic(make_machine(provider, "cluster", kind=MachineKind.CLUSTER))
    for name in ("a", "b", "c"):
        Node.objects.create(machine=machine, name=name, gpu_count=2, cpu_cores=32, ram_gb=512, disk_size_gb=1000)
    return machine


def test_a_cluster_is_ready_when_every_node_is(cluster, key, buyer, now):
    nodes = {
        node.name: with_agent(cluster, node, address=f"203.0.113.{number}")
        for number, node in enumerate(cluster.nodes.all(), start=1)
    }
    booking = begin(make_listing(cluster), buyer, start=minute(now) - HOUR)
    assert len(asked(booking)) == 3
    for name in ("c", "a"):
        hand_over(nodes[name], now=booking.start + SECOND, port=2200)
        assert not Access.objects.exists()
    assert "2 of 3 servers are ready" in steps(booking, now=now)[booking.events.count()].detail

    hand_over(nodes["b"], now=booking.start + 2 * SECOND, port=2200)

    access = Access.objects.get(booking=booking)
    assert access.command == f"ssh -p 2200 rsm-{booking.reference}@203.0.113.1"
    assert [(node["node"], node["command"]) for node in access.further] == [
        ("b", f"ssh -p 2200 rsm-{booking.reference}@203.0.113.2"),
        ("c", f"ssh -p 2200 rsm-{booking.reference}@203.0.113.3"),
    ]


def test_a_cluster_with_a_node_that_has_no_agent_is_not_handed_over(cluster, key, buyer, now):
    first, second, _ = cluster.nodes.all()
    agents = [with_agent(cluster, first), with_agent(cluster, second)]
    booking = begin(make_listing(cluster), buyer, start=minute(now) - HOUR)
    for agent in agents:
        hand_over(agent, now=booking.start + SECOND)
    assert not Access.objects.exists()


# The end ----------------------------------------------------------------------------------------------


def end_twice(booking: Booking) -> None:
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert not run.end_booking(booking_id=booking.pk, now=booking.end)
    booking.refresh_from_db()


def test_at_the_end_the_agent_is_asked_to_erase_without_a_person(begun, agent, buyer, provider):
    hand_over(agent, now=begun.start + SECOND)
    end_twice(begun)

    assert begun.is_awaiting_wipe
    (wipe,) = asked(begun, WorkKind.WIPE)
    assert (wipe.agent_id, wipe.payload["account"]) == (agent.row.pk, f"rsm-{begun.reference}")
    assert told(begun, "booking-ended") == [buyer.email]
    assert not told(begun, "wipe-needed")
    assert not Refund.objects.exists()
    assert standing(begun, now=begun.end) == ("Waiting for the agent to erase it", "now")
    take(agent, now=begun.end)
    assert standing(begun, now=begun.end) == ("Being erased by the agent", "now")


def test_a_machine_whose_agent_never_took_the_work_has_nothing_to_erase(begun, agent):
    end_twice(begun)

    assert begun.is_completed
    assert not asked(begun, WorkKind.WIPE)
    assert [piece.state for piece in asked(begun)] == [WorkState.CANCELED]
    assert take(agent, now=begun.end) is None
    assert Refund.objects.get().amount == begun.price_total


def test_a_machine_whose_agent_took_the_work_and_fell_silent_is_erased_and_everything_comes_back(begun, agent, buyer):
    piece = take(agent, now=begun.start + SECOND)
    end_twice(begun)

    assert begun.is_awaiting_wipe
    assert len(asked(begun, WorkKind.WIPE)) == 1
    assert Refund.objects.get().amount == begun.price_total
    assert told(begun, "booking-undelivered")
    with pytest.raises(AgentRefused, match="no longer wanted"):
        report(agent, piece, result(piece, now=begun.end), now=begun.end)
    assert not Access.objects.exists()


def long_there(agent, now):
    Agent.objects.filter(pk=agent.row.pk).update(enrolled_at=now - timedelta(days=10))


def test_a_booking_without_a_key_has_nothing_to_erase_and_is_paid_for(agent, listing, buyer, now):
    """The machine was there and kept for the buyer the whole time."""
    long_there(agent, now)
    booking = begin(listing, buyer, start=minute(now) - 5 * HOUR)
    end_twice(booking)
    assert booking.is_completed
    assert booking.events.filter(what__contains="no SSH key").exists()
    assert not Refund.objects.exists()


def test_taking_ones_keys_away_is_no_way_around_the_terms(agent, listing, buyer, now):
    give_key(buyer, now=now)
    long_there(agent, now)
    booking = begin(listing, buyer, start=minute(now) - 5 * HOUR)
    assert asked(booking)
    SSHKey.objects.filter(user=buyer).delete()
    provision.provision_booking(booking_id=booking.pk, now=booking.start + SECOND)
    end_twice(booking)
    assert booking.is_completed
    assert not Refund.objects.exists()


def test_without_a_key_the_time_in_which_the_machine_was_away_comes_back_all_the_same(agent, listing, buyer, now):
    long_there(agent, now)
    booking = begin(listing, buyer, start=minute(now) - 5 * HOUR, hours=4)
    Outage.objects.create(
        machine=booking.machine, agent=agent.row, began_at=booking.start, ended_at=booking.start + 2 * HOUR
    )
    end_twice(booking)
    refund = Refund.objects.get()
    assert 0 < refund.amount < booking.price_total


def test_access_entered_by_hand_before_the_agent_came_is_no_hand_over(machine, listing, buyer, now):
    booking = make_paid(listing, buyer, start=minute(now) - 5 * HOUR, asked=now - 12 * HOUR)
    enter_access(booking, now=booking.start - HOUR)
    give_key(buyer, now=now)
    with_agent(automatic(machine))
    assert run.start_booking(booking_id=booking.pk, now=booking.start)
    assert not Access.objects.exists()
    end_twice(booking)
    assert Refund.objects.get().amount == booking.price_total


# Whoever handed it over takes it back -----------------------------------------------------------------


def test_a_booking_keeps_the_kind_that_its_machine_had_at_the_start(machine, listing, buyer, now):
    """An agent that is enrolled while a booking runs has nothing to do with it."""
    booking = make_running(listing, buyer, start=now - HOUR)
    with_agent(automatic(machine))
    assert not booking.is_automatic
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert told(booking, "wipe-needed") == [machine.provider.email]
    assert not asked(booking, WorkKind.WIPE)


def test_how_a_machine_is_handed_over_is_not_changed_while_somebody_is_in_or_it_is_not_clean(machine, begun, agent):
    def to_manual() -> Machine:
        return update_machine(machine=machine, facts=known | {"access_kind": AccessKind.MANUAL})

    known = {name: getattr(machine, name) for name in ("gpu", "gpu_model", "gpu_count", "gpu_memory_gb", "turnaround")}
    with pytest.raises(MachineError, match="A booking runs") as caught:
        to_manual()
    assert caught.value.field == "access_kind"
    hand_over(agent, now=begun.start + SECOND)
    end_twice(begun)
    with pytest.raises(MachineError, match="erasure"):
        to_manual()
    Booking.objects.filter(pk=begun.pk).update(wiped_at=begun.end, completed_at=begun.end, status="completed")
    assert to_manual().access_kind == AccessKind.MANUAL


def test_of_a_machine_with_an_agent_nothing_is_recorded_by_hand(client, begun, agent, provider, now):
    with pytest.raises(BookingError, match="agent lets the buyer in"):
        enter_access(begun, now=begun.start + SECOND)
    hand_over(agent, now=begun.start + SECOND)
    end_twice(begun)
    with pytest.raises(BookingError, match="erases itself"):
        record_wipe(begun, now=begun.end + MINUTE)
    client.force_login(provider)
    for page in ("access", "wipe"):
        for response in (client.get(f"/bookings/{begun.pk}/{page}/"), client.post(f"/bookings/{begun.pk}/{page}/")):
            assert response.status_code == 409
            assert "The agent does this" in response.content.decode()
    html = client.get(f"/bookings/{begun.pk}/").content.decode()
    for page in ("access", "wipe"):
        assert f'/bookings/{begun.pk}/{page}/"' not in html


def test_before_the_start_too_nothing_is_entered_for_a_machine_with_an_agent(agent, paid, now):
    paid.refresh_from_db()
    with pytest.raises(BookingError, match="agent lets the buyer in"):
        enter_access(Booking.objects.get(pk=paid.pk), now=now)


# Asking for a window on a machine that is away --------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "ahead", "is_taken"),
    [
        (AccessKind.AGENT, AgentStatus.OFFLINE, timedelta(0), False),
        (AccessKind.AGENT, AgentStatus.OFFLINE, 14 * MINUTE, False),
        (AccessKind.AGENT, AgentStatus.OFFLINE, 16 * MINUTE, True),
        (AccessKind.AGENT, AgentStatus.ONLINE, timedelta(0), True),
        (AccessKind.MANUAL, AgentStatus.OFFLINE, timedelta(0), True),
    ],
)
def test_nobody_is_promised_a_machine_at_once_that_does_not_answer(machine, buyer, now, kind, status, ahead, is_taken):
    machine.access_kind, machine.provider_agent_status = kind, status
    machine.save(update_fields=["access_kind", "provider_agent_status"])
    listing = make_listing(machine)
    if is_taken:
        assert make_hold(listing, buyer, start=now + ahead, asked=now)
        return
    with pytest.raises(BookingError, match="not answering") as caught:
        make_hold(listing, buyer, start=now + ahead, asked=now)
    assert caught.value.field == "start"


def test_the_hardware_is_compared_only_where_it_can_be_read(begun, agent):
    """A machine that was booked before its first passport has nothing to be compared with."""
    assert begun.passport is None
    hand_over(agent, now=begun.start + SECOND, inventory=inventory())
    begun.refresh_from_db()
    assert begun.mismatch == []
