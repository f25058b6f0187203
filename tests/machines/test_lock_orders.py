"""Reports and heartbeats of one agent come at the same moment: neither waits for the other for ever."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from machines.models import WorkKind
from machines.services import heartbeats, measuring, passports, reporting, silence
from machines.services.agents import revoke_agent
from machines.services.work import ask_for, next_work
from tests.agents import make_agent
from tests.machines.inventories import inventory
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

SILENT = timedelta(minutes=3)
PATIENCE = 10


@pytest.fixture
def agent(machine):
    """Was not heard for a while: its next heartbeat is out of the usual, as the first one is."""
    machine.access_kind = "agent"
    machine.save(update_fields=["access_kind"])
    return make_agent(machine, last_heartbeat_at=timezone.now() - SILENT)


def report_inventory(agent):
    now = timezone.now()
    ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key=f"inventory:{agent.row.pk}", payload={}, now=now)
    work = next_work(agent=agent.row, have=(), now=now)
    envelope = agent.report(work, {"inventory": inventory()})
    return partial(reporting.report_work, agent=agent.row, work_id=work.pk, envelope=envelope, now=now)


def send_self_test(agent):
    check = {"id": "x", "title": "X", "status": "pass"}
    envelope = agent.signed({"kind": "self_test", "checks": [check]})
    return partial(reporting.take_self_test, agent=agent.row, envelope=envelope, now=timezone.now())


def leave(agent):
    return partial(reporting.unenroll, agent=agent.row, envelope=agent.signed({"kind": "unenroll"}), now=timezone.now())


def beat(agent):
    return heartbeats.beat(token=agent.token, body={}, address=None, now=timezone.now())


def revoke(agent):
    return revoke_agent(agent=agent.row, by=agent.row.machine.provider, now=timezone.now(), reason="sold")


def call_offline(agent):
    return silence.call_offline(machine_id=agent.row.machine_id, now=timezone.now())


#: A signed message, and what it does between being believed and wanting the machine's row.
SIGNED = [
    (report_inventory, (passports, "take_inventory")),
    (send_self_test, (measuring, "ask_for_benchmark")),
    (leave, (reporting, "is_busy")),
]


@pytest.mark.parametrize("other", [beat, revoke, call_offline])
@pytest.mark.parametrize(("signed", "dawdle"), SIGNED)
def test_a_signed_message_and_what_else_concerns_the_agent_at_once(agent, monkeypatch, signed, dawdle, other):
    believed = threading.Event()
    module, name = dawdle
    then = getattr(module, name)

    def wait_and_go_on(*args, **kwargs):
        believed.set()
        threading.Event().wait(0.5)  # the other one takes what it can get meanwhile
        return then(*args, **kwargs)

    monkeypatch.setattr(module, name, wait_and_go_on)

    def meanwhile():
        assert believed.wait(PATIENCE)
        return other(agent)

    found = at_once([signed(agent), meanwhile])

    assert not [result for result in found if "deadlock" in str(result)], found
