"""A server becomes known: by a code that works once, with a key that it holds."""

import json
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from django.utils import timezone

from common.ids import uuid7
from machines.models import AccessKind, Agent, EnrollmentCode, Refusal
from machines.services.agents import revoke_agent
from machines.services.enrollment import make_code
from machines.services.errors import MachineError
from machines.services.passports import take_inventory
from tests.agents import REPORT, Key, canonical, make_agent, make_key, moment
from tests.machines.inventories import inventory
from tests.people import make_machine
from tests.racing import at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def message(key: Key, code: str, /, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "enroll",
        "code": code,
        "public_key": key.public,
        "version": "1.0.0",
        "hostname": "node-1",
        "sequence": 1,
        "sent_at": moment(timezone.now()),
        "nonce": "",
        "inventory": inventory(),
        "ssh": {"host": "", "port": 2222},
        "simulated": False,
    } | changes


def enroll(client, key: Key, code: str, /, *, by: Key | None = None, address: str = "127.0.0.1", **changes: Any):
    text = canonical(message(key, code, **changes))
    body = {"message": text, "signature": (by or key).sign(text, REPORT)}
    return client.post("/agent/v1/enroll", json.dumps(body), content_type="application/json", REMOTE_ADDR=address)


@pytest.fixture(autouse=True)
def _often(settings):
    settings.MARKETPLACE_ENROLLMENT_RATE = "10000/minute"


@pytest.fixture
def key():
    return make_key()


@pytest.fixture
def code(machine, provider):
    return make_code(machine=machine, node=None, by=provider, now=timezone.now())


def test_a_code_and_a_key_make_an_agent(client, machine, provider, key, code):
    answer = enroll(client, key, code)

    assert answer.status_code == 200, answer.content
    agent = Agent.objects.get()
    assert (agent.machine, agent.public_key, agent.enrolled_by) == (machine, key.public, provider)
    said = answer.json()
    assert (said["agent"], said["machine"], said["machine_name"]) == (str(agent.pk), str(machine.pk), machine.name)
    assert said["platform_key"].startswith("ssh-ed25519 ")
    machine.refresh_from_db()
    assert (machine.access_kind, machine.ssh_port) == (AccessKind.AGENT, 2222)
    assert machine.passports.get().version == 1
    heard = client.post(
        "/agent/v1/work/next", {"wait": 0}, content_type="application/json",
        headers={"Authorization": f"Bearer {said['token']}"},
    )  # fmt: skip
    assert heard.status_code == 200


@pytest.mark.parametrize("typed", [str.lower, lambda code: f"  {code} "])
def test_a_code_is_read_however_it_is_typed(client, key, code, typed):
    assert enroll(client, key, typed(code)).status_code == 200


def test_a_code_works_once(client, key, code):
    assert enroll(client, key, code).status_code == 200

    answer = enroll(client, make_key(), code)

    assert (answer.status_code, answer.json()["error"]) == (409, "bad_code")
    assert Agent.objects.count() == 1
    assert Refusal.objects.get().code == "bad_code"


def test_a_refusal_never_shows_the_code(client, key, code):
    EnrollmentCode.objects.update(expires_at=timezone.now())
    assert enroll(client, key, code).status_code == 409

    assert code not in Refusal.objects.get().excerpt


def test_a_code_is_good_for_fifteen_minutes(client, key, code):
    row = EnrollmentCode.objects.get()
    assert row.expires_at - row.made_at == 15 * MINUTE

    EnrollmentCode.objects.update(expires_at=timezone.now())

    assert enroll(client, key, code).json()["error"] == "bad_code"


def test_a_new_code_makes_the_old_one_worthless(client, machine, provider, key, code):
    newer = make_code(machine=machine, node=None, by=provider, now=timezone.now())

    assert enroll(client, key, code).status_code == 409
    assert enroll(client, key, newer).status_code == 200


def test_a_lost_answer_is_given_again_to_the_same_key(client, key, code):
    first = enroll(client, key, code).json()

    again = enroll(client, key, code, sequence=2).json()

    assert again["agent"] == first["agent"]
    assert again["token"] != first["token"]
    assert Agent.objects.count() == 1


def test_a_recorded_enrollment_gives_nobody_a_token(client, key, code):
    """Somebody who has seen the message go by, and has not the key."""
    assert enroll(client, key, code).status_code == 200

    answer = enroll(client, key, code)  # the same sequence: the very same message

    assert (answer.status_code, answer.json()["error"]) == (403, "bad_sequence")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "AAAA-BBBB-CCCC"}, "bad_code"),
        ({"public_key": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ"}, "malformed"),
        ({"public_key": 7}, "malformed"),
        ({"sent_at": moment(timezone.now() - 6 * MINUTE)}, "bad_time"),
        ({"inventory": None}, "malformed"),
        ({"inventory": {"version": 1}}, "malformed"),
        ({"hostname": "x" * 300}, "malformed"),
        ({"simulated": True}, "malformed"),
        ({"kind": "report"}, "malformed"),
    ],
)
def test_what_is_not_in_order_enrolls_nothing(client, key, code, changes, error):
    answer = enroll(client, key, code, **changes)

    assert answer.json()["error"] == error
    assert not Agent.objects.exists()
    assert EnrollmentCode.objects.get().used_at is None


def test_a_key_has_to_be_held_not_only_known(client, key, code):
    """Somebody's public key, in a message signed by another."""
    answer = enroll(client, key, code, by=make_key())

    assert (answer.status_code, answer.json()["error"]) == (403, "bad_signature")


def test_simulated_servers_are_let_in_where_that_is_allowed(client, key, code, settings):
    settings.MARKETPLACE_ALLOW_SIMULATED = True

    assert enroll(client, key, code, simulated=True).status_code == 200
    assert Agent.objects.get().is_simulated
    assert Agent.objects.get().machine.passports.get().is_simulated


def test_a_reinstalled_server_takes_the_place_of_the_old(client, machine, key, code):
    before = make_agent(machine)

    assert enroll(client, key, code).status_code == 200

    before.row.refresh_from_db()
    assert before.row.revoked_at is not None
    assert Agent.objects.enrolled().get().public_key == key.public


def test_no_new_agent_while_a_buyers_data_may_be_there(client, over, key):
    before = make_agent(over.machine)
    code = make_code(machine=over.machine, node=None, by=over.machine.provider, now=timezone.now())

    assert enroll(client, key, code).status_code == 409
    before.row.refresh_from_db()
    assert before.row.revoked_at is None


def test_each_node_of_a_cluster_has_a_code_of_its_own(client, provider):
    cluster = make_machine(provider, "cluster-1", kind="cluster")
    nodes = [cluster.nodes.create(name=name, cpu_cores=8, ram_gb=64, disk_size_gb=100) for name in ("a", "b")]
    with pytest.raises(MachineError):
        make_code(machine=cluster, node=None, by=provider, now=timezone.now())

    for node in nodes:
        code = make_code(machine=cluster, node=node, by=provider, now=timezone.now())
        answer = enroll(client, make_key(), code, inventory=inventory(hostname=node.name))
        assert answer.json()["node"] == node.name

    assert cluster.agents.count() == 2
    assert set(cluster.passports.first().facts["nodes"]) == {"a", "b"}


@pytest.mark.django_db(transaction=True)
def test_a_code_given_to_two_servers_at_once_makes_one_agent(client, machine, provider):
    code = make_code(machine=machine, node=None, by=provider, now=timezone.now())
    keys = [make_key() for _ in range(4)]

    answers = at_once([lambda key=key: enroll(client, key, code).status_code for key in keys])

    assert sorted(answers) == [200, 409, 409, 409]
    assert Agent.objects.count() == 1


def test_guessing_codes_is_slow(client, key, settings):
    settings.MARKETPLACE_ENROLLMENT_RATE = "3/minute"
    address = str(ip_address(uuid7().int))  # of its own: a run a moment ago was counted too
    answers = [enroll(client, key, f"AAAA-BBBB-CCC{n}", address=address).status_code for n in range(2, 6)]

    assert answers == [409, 409, 409, 429]


def test_the_address_that_the_provider_entered_stays(client, machine, key, code):
    machine.ssh_host, machine.ssh_port = "gpu.example.org", 20022
    machine.save(update_fields=["ssh_host", "ssh_port"])

    assert enroll(client, key, code, ssh={"host": "10.0.0.7", "port": 22}).status_code == 200

    machine.refresh_from_db()
    assert (machine.ssh_host, machine.ssh_port) == ("gpu.example.org", 20022)


def test_only_the_very_server_takes_the_place_of_an_agent_that_is_gone_while_data_may_be_on_it(
    client, over, administrator
):
    """Another one would sign that nothing of the buyer is there, and be right about itself."""
    machine, now = over.machine, timezone.now()
    gone = make_agent(machine)
    take_inventory(agent=gone.row, inventory=inventory(), now=now)
    revoke_agent(agent=gone.row, by=administrator, now=now, reason="The disk of the agent is gone.")
    code = make_code(machine=machine, node=None, by=machine.provider, now=now)
    other = inventory()
    other["gpus"] = [{**gpu, "uuid": f"GPU-other-{gpu['index']}"} for gpu in other["gpus"]]

    refused = enroll(client, make_key(), code, inventory=other)
    assert (refused.status_code, refused.json()["error"]) == (403, "not_yours")
    assert "another server" in refused.json()["detail"]

    assert enroll(client, make_key(), code, sequence=2).status_code == 200
