"""The hardware passport: made from inventories, version by version, and only when the hardware has changed."""

import json
from hashlib import sha256

import pytest

from machines import hardware
from machines.models import HardwarePassport, Node
from machines.services.errors import AgentRefused
from machines.services.passports import differences, is_complete, take_inventory
from tests.machines.agents import make_agent, make_unread
from tests.machines.inventories import H100, VIRTUAL, disks, gpus, inventory
from tests.people import HOUR, make_machine


@pytest.fixture
def agent(provider, now):
    return make_agent(make_machine(provider), now=now)


def taken(agent, now, **changes) -> HardwarePassport:
    return take_inventory(agent=agent, inventory=inventory(**changes), now=now)


def in_words(changes) -> list[str]:
    return [f"{change['what']}: {change['before']} → {change['after']}" for change in changes]


# Versions ---------------------------------------------------------------------------------------------


def test_the_first_inventory_makes_version_one(agent, now):
    passport = taken(agent, now)
    assert (passport.version, passport.changes, passport.made_at) == (1, [], now)
    assert [gpu["model"] for gpu in passport.facts["nodes"][""]["gpus"]] == ["NVIDIA H100 80GB HBM3"] * 8
    agent.refresh_from_db()
    assert (agent.inventory, agent.inventory_at) == (H100, now)


def test_its_digest_is_of_its_canonical_json(agent, now):
    passport = HardwarePassport.objects.get(pk=taken(agent, now).pk)
    text = json.dumps(passport.facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert passport.sha256 == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"os": {**H100["os"], "kernel": "6.8.0-99-generic", "name": "Ubuntu 24.04.2 LTS"}},
        {"gpus": [{**gpu, "driver": "570.10", "memory_mb": 81251} for gpu in gpus(8)]},
        {"gpus": [{**gpu, "index": 7 - gpu["index"]} for gpu in gpus(8)]},
        {"memory_mb": 1547000 - 20000},
        {"hostname": "renamed"},
        {"filesystems": [{"mount": "/", "type": "ext4", "size_gb": 3700, "free_gb": 12}]},
        {"network": []},
        {"host_keys": []},
        {"disks": [{**disk, "name": f"renamed{at}"} for at, disk in enumerate(disks(2))]},
        {"cpu": {**H100["cpu"], "threads": 96}},
    ],
    ids=lambda changes: ", ".join(changes) or "nothing",
)
def test_what_is_not_hardware_makes_no_version(agent, now, changes):
    first = taken(agent, now)
    second = taken(agent, now + HOUR, **changes)
    assert second == first
    agent.refresh_from_db()
    assert agent.inventory_at == now + HOUR
    assert {name: agent.inventory[name] for name in changes} == changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gpus": gpus(8)[:3] + gpus(8)[4:]}, ["GPU 3: NVIDIA H100 80GB HBM3, 80 GB → missing"]),
        (
            {"gpus": [{**gpu, "index": at} for at, gpu in enumerate(gpus(8)[:3] + gpus(8)[4:])]},
            ["GPU 3: NVIDIA H100 80GB HBM3, 80 GB → missing"],
        ),
        ({"gpus": gpus(9)}, ["GPU 8: not there → NVIDIA H100 80GB HBM3, 80 GB"]),
        (
            {"gpus": [*gpus(7), {**gpus(8)[7], "uuid": "GPU-other"}]},
            ["GPU 7: NVIDIA H100 80GB HBM3, 80 GB → another NVIDIA H100 80GB HBM3, 80 GB"],
        ),
        (
            {
                "gpus": [
                    *gpus(7),
                    {**gpus(8)[7], "uuid": "GPU-other", "model": "NVIDIA A100-SXM4-40GB", "memory_mb": 40960},
                ]
            },
            ["GPU 7: NVIDIA H100 80GB HBM3, 80 GB → NVIDIA A100-SXM4-40GB, 40 GB"],
        ),
        ({"memory_mb": 1031000}, ["RAM: 1,511 GB → 1,007 GB"]),
        (
            {"cpu": {"model": "AMD EPYC 9554 64-Core Processor", "sockets": 2, "cores": 128, "threads": 256}},
            ["CPU: AMD EPYC 9654 96-Core Processor, 96 cores → 2 × AMD EPYC 9554 64-Core Processor, 128 cores"],
        ),
        ({"disks": disks(1)}, ["Disk nvme1n1: 3.8 TB NVMe, SAMSUNG MZQL23T8HCLS-00A07 → missing"]),
        (
            {"disks": [disks(2)[0], {**disks(2)[1], "serial_sha256": "f" * 64}]},
            ["Disk nvme1n1: 3.8 TB NVMe, SAMSUNG MZQL23T8HCLS-00A07 → another 3.8 TB NVMe, SAMSUNG MZQL23T8HCLS-00A07"],
        ),
        ({"os": {**H100["os"], "architecture": "aarch64"}}, ["Architecture: x86_64 → aarch64"]),
    ],
)
def test_other_hardware_makes_a_version_that_says_what_changed(agent, now, changes, words):
    taken(agent, now)
    passport = taken(agent, now + HOUR, **changes)
    assert passport.version == 2
    assert [line.replace("\N{NO-BREAK SPACE}", " ") for line in in_words(passport.changes)] == words
    assert taken(agent, now + 2 * HOUR, **changes) == passport


def test_hardware_that_comes_back_is_a_version_of_its_own(agent, now):
    taken(agent, now)
    taken(agent, now, gpus=gpus(7))
    passport = taken(agent, now)
    assert passport.version == 3
    assert in_words(passport.changes)[0].startswith("GPU 7: not there")


def test_disks_without_serial_numbers_are_told_by_what_they_are(agent, now):
    take_inventory(agent=agent, inventory=VIRTUAL, now=now)
    swapped = [{**disk, "name": name} for disk, name in zip(VIRTUAL["disks"], ("vda", "vdb"), strict=True)]
    assert take_inventory(agent=agent, inventory=inventory(VIRTUAL, disks=swapped), now=now).version == 1
    grown = [VIRTUAL["disks"][0], {**VIRTUAL["disks"][1], "size_gb": 429}]
    (change,) = take_inventory(agent=agent, inventory=inventory(VIRTUAL, disks=grown), now=now).changes
    assert change["what"] == "Disk sdb"


def test_a_cluster_has_one_passport_of_all_its_nodes(provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    first, second = (make_agent(machine, now=now, node=node) for node in machine.nodes.all())
    one = taken(first, now)
    assert not is_complete(one, machine)
    both = taken(second, now + HOUR)
    assert (both.version, set(both.facts["nodes"])) == (2, {"node-1", "node-2"})
    assert is_complete(both, machine)
    assert in_words(both.changes)[0].startswith("Node node-2: not read → 8 × NVIDIA H100 80GB HBM3")
    less = taken(second, now + 2 * HOUR, gpus=gpus(6))
    assert [change["what"] for change in less.changes] == ["node-2: GPU 6", "node-2: GPU 7"]


def test_a_node_whose_agent_is_revoked_stays_in_the_passport_and_one_that_is_gone_does_not(provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    first, second = (make_agent(machine, now=now, node=node) for node in machine.nodes.all())
    taken(first, now)
    taken(second, now)
    second.revoked_at = now
    second.save(update_fields=["revoked_at"])
    assert set(taken(first, now).facts["nodes"]) == {"node-1", "node-2"}
    Node.objects.filter(machine=machine, name="node-2").delete()
    passport = taken(first, now)
    assert set(passport.facts["nodes"]) == {"node-1"}
    assert passport.changes[-1]["after"] == hardware.GONE


def test_what_a_simulated_agent_read_is_marked(provider, now):
    agent = make_agent(make_machine(provider), now=now, is_simulated=True)
    assert taken(agent, now).is_simulated


def test_other_host_keys_are_no_other_hardware_but_are_noted(agent, now):
    taken(agent, now)
    assert agent.host_keys_changed_at is None
    other = [{"type": "ssh-ed25519", "fingerprint": "SHA256:" + "B" * 43}]
    assert taken(agent, now + HOUR, host_keys=other).version == 1
    assert agent.host_keys_changed_at == now + HOUR
    taken(agent, now + 2 * HOUR, host_keys=other)
    agent.refresh_from_db()
    assert agent.host_keys_changed_at == now + HOUR


# At hand-over -----------------------------------------------------------------------------------------


def test_differences_at_hand_over_are_those_of_the_servers_that_were_read(provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    first, second = (make_agent(machine, now=now, node=node) for node in machine.nodes.all())
    taken(first, now)
    passport = taken(second, now)
    assert differences(passport, {"node-1": H100, "node-2": H100}) == []
    assert differences(passport, {"node-1": inventory(swap_mb=5)}) == []
    (change,) = differences(passport, {"node-2": inventory(gpus=gpus(7))})
    assert (change["what"], change["after"]) == ("node-2: GPU 7", hardware.MISSING)


# What is not believed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "inventory",
        {},
        inventory(version=2),
        inventory(version=True),
        inventory(memory_mb="much"),
        inventory(memory_mb=-1),
        inventory(memory_mb=10**30),
        inventory(memory_mb=1.5),
        inventory(cpu={"model": "x"}),
        inventory(gpus=gpus(65)),
        inventory(gpus={"0": {}}),
        inventory(gpus=[{"index": 0}]),
        inventory(disks=[None]),
        {key: value for key, value in H100.items() if key != "disks"},
    ],
)
def test_what_is_no_inventory_is_refused_and_nothing_is_kept(agent, now, wrong):
    with pytest.raises(AgentRefused) as refused:
        take_inventory(agent=agent, inventory=wrong, now=now)
    assert (refused.value.code, refused.value.status) == ("malformed", 400)
    agent.refresh_from_db()
    assert agent.inventory == {}
    assert not HardwarePassport.objects.exists()


def test_unknown_keys_are_dropped_and_texts_are_cut_and_cleaned(agent, now):
    told = inventory(hostname="a\0b\ud800" + "x" * 900, secret={"of": "someone"})
    told["cpu"]["voltage"] = 5
    take_inventory(agent=agent, inventory=told, now=now)
    agent.refresh_from_db()
    assert "secret" not in agent.inventory
    assert "voltage" not in agent.inventory["cpu"]
    assert agent.inventory["hostname"].startswith("abx")
    assert len(agent.inventory["hostname"]) <= 200


def test_what_a_machine_cannot_tell_stays_unknown(agent, now):
    unknown = [{**gpu, "memory_mb": None, "uuid": ""} for gpu in gpus(2)]
    passport = taken(agent, now, gpus=unknown)
    assert taken(agent, now, gpus=unknown) == passport
    assert hardware.described(passport.facts["nodes"][""])[0] == ("GPUs", "2 × NVIDIA H100 80GB HBM3")


# What everybody may read ------------------------------------------------------------------------------


def test_the_public_words_have_neither_serial_numbers_nor_uuids(agent, now):
    facts = taken(agent, now).facts["nodes"][""]
    words = str(hardware.described(facts))
    assert "8 × NVIDIA H100 80GB HBM3" in words
    assert "2 × 3.8" in words
    for secret in ("GPU-0000", "0" * 30, "nvme0n1"):
        assert secret not in words


def test_nodes_that_are_alike_are_told_once(agent, now):
    facts = taken(agent, now).facts["nodes"][""]
    other = hardware.facts_of(VIRTUAL)
    alike = hardware.groups({"a": facts, "c": other, "b": facts})
    assert [names for names, _ in alike] == [["a", "b"], ["c"]]
