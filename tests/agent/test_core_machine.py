"""What the machine is and how it is doing, read from recorded texts and trees."""

import hashlib
import json
import time

import pytest

from agent import gpus, health, inventory, selftest
from agent.config import Config

H100 = """\
0, NVIDIA H100 80GB HBM3, 81559, GPU-6c0b1f2a-4f1e-8d5c-1c4b-4b7f5d0c1e01, 550.54.15
1, NVIDIA H100 80GB HBM3, 81559, GPU-9a1b2c3d-0e1f-2a3b-4c5d-6e7f8a9b0c02, 550.54.15
"""

#: As ``rocm-smi --showproductname --showuniqueid --showmeminfo vram --showdriverversion --json`` of ROCm 6.
ROCM_6 = json.dumps(
    {
        "card1": {
            "Unique ID": "0x9f3b6a1c2d4e5f60",
            "VRAM Total Memory (B)": "68702699520",
            "VRAM Total Used Memory (B)": "10960896",
            "Card Series": "AMD Instinct MI210",
            "Card Model": "0x740f",
            "Card Vendor": "Advanced Micro Devices, Inc. [AMD/ATI]",
            "Card SKU": "D67301V",
            "GFX Version": "gfx90a",
        },
        "card0": {"Card Series": "N/A", "Device Name": "Phoenix3", "Unique ID": "N/A", "VRAM Total Memory (B)": "N/A"},
        "system": {"Driver version": "6.7.0"},
    }
)

#: Of ROCM 5: other letters, and a warning before the JSON.
ROCM_5 = 'WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status\n\n{"card0": {"Card series": "Radeon RX 7900 XTX", "VRAM Total Memory (B)": "25753026560", "Unique ID": "0x1234"}}\n'

ROCM_HEALTH = json.dumps(
    {
        "card0": {
            "Temperature (Sensor edge) (C)": "31.0",
            "Temperature (Sensor junction) (C)": "42.0",
            "Temperature (Sensor memory) (C)": "N/A",
            "GPU use (%)": "88",
            "VRAM Total Memory (B)": "1000",
            "VRAM Total Used Memory (B)": "250",
        }
    }
)


def test_nvidia_gpus_as_recorded():
    first, second = gpus.nvidia_facts(H100)
    assert first == {
        "index": 0,
        "model": "NVIDIA H100 80GB HBM3",
        "memory_mb": 81559,
        "uuid": "GPU-6c0b1f2a-4f1e-8d5c-1c4b-4b7f5d0c1e01",
        "driver": "550.54.15",
    }
    assert second["index"] == 1


def test_a_name_with_a_comma_and_memory_that_cannot_be_read():
    text = "0, Tesla V100, SXM2, 16160, GPU-x, 535.1\n1, NVIDIA GH200 480GB, [N/A], GPU-y, 550\n"
    first, second = gpus.nvidia_facts(text)
    assert (first["model"], first["memory_mb"]) == ("Tesla V100, SXM2", 16160)
    assert second["memory_mb"] is None


@pytest.mark.parametrize(
    "text", ["", "No devices were found\n", "NVIDIA-SMI has failed because it could not talk, ok, to, the, driver\n"]
)
def test_no_gpu_is_an_empty_list(text):
    assert gpus.nvidia_facts(text) == []
    assert gpus.nvidia_health(text) == []
    assert gpus.rocm_facts(text) == []


def test_nvidia_health_as_recorded():
    assert gpus.nvidia_health("0, 97, 40000, 80000, 71\n1, [N/A], [N/A], 81559, [Not Supported]\n") == [
        {"index": 0, "percent": 97.0, "memory_percent": 50.0, "temperature_c": 71.0},
        {"index": 1, "percent": None, "memory_percent": None, "temperature_c": None},
    ]


def test_amd_gpus_of_rocm_6():
    apu, card = gpus.rocm_facts(ROCM_6)
    assert apu == {"index": 0, "model": "Phoenix3", "memory_mb": None, "uuid": "", "driver": "6.7.0"}
    assert card == {
        "index": 1,
        "model": "AMD Instinct MI210",
        "memory_mb": 65520,
        "uuid": "0x9f3b6a1c2d4e5f60",
        "driver": "6.7.0",
    }


def test_amd_gpus_of_rocm_5_with_a_warning_before():
    (card,) = gpus.rocm_facts(ROCM_5)
    assert (card["model"], card["memory_mb"], card["driver"]) == ("Radeon RX 7900 XTX", 24560, "")


def test_amd_health_has_the_hottest_sensor():
    assert gpus.rocm_health(ROCM_HEALTH) == [
        {"index": 0, "percent": 88.0, "memory_percent": 25.0, "temperature_c": 42.0}
    ]


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def server(tmp_path):
    """Two sockets of two cores with two threads each, an NVMe disk, a hard disk, a card that tells its speed."""
    files = {
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
        "proc/sys/kernel/osrelease": "6.1.0-25-amd64\n",
        "proc/meminfo": "MemTotal:       1584128000 kB\nMemFree: 5 kB\nMemAvailable:   396032000 kB\nSwapTotal:  2097152 kB\n",
        "proc/cpuinfo": "",
        "proc/mounts": (
            "/dev/nvme0n1p2 / ext4 rw 0 0\n/dev/nvme0n1p2 /var/lib/docker ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
            "server:/x /net nfs4 rw 0 0\n/dev/sda1 /my\\040data xfs rw 0 0\n/dev/sdb1 /gone xfs rw 0 0\n"
        ),
        "my data/.keep": "",
        "sys/block/nvme0n1/size": "7501476528\n",
        "sys/block/nvme0n1/device/model": "SAMSUNG MZQL23T8HCLS-00A07              \n",
        "sys/block/nvme0n1/device/serial": "S64HNE0R123456      \n",
        "sys/block/nvme0n1/queue/rotational": "0\n",
        "sys/block/sda/size": "7814037168\n",
        "sys/block/sda/queue/rotational": "1\n",
        "sys/block/sdb/size": "1953525168\n",
        "sys/block/sdb/queue/rotational": "0\n",
        "sys/block/sdc/size": "0\n",
        "sys/block/nvme0c0n1/size": "100\n",
        "sys/block/nvme0c0n1/hidden": "1\n",
        "sys/class/net/eth0/address": "AA:BB:cc:00:11:22\n",
        "sys/class/net/eth0/speed": "10000\n",
        "sys/class/net/eth1/address": "aa:bb:cc:00:11:23\n",
        "sys/class/net/eth1/speed": "-1\n",
        "sys/class/dmi/id/sys_vendor": "QEMU\n",
        "proc/uptime": "123.45 99.0\n",
        "proc/loadavg": "0.52 0.40 0.30 1/100 1\n",
        "proc/sys/kernel/random/boot_id": "b007\n",
        "proc/stat": "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\n",
        "proc/net/dev": "Inter-|\n face |\n    lo: 9 1 0 0 0 0 0 0 9 1\n  eth0: 1000000 1 0 0 0 0 0 0 500000 1\ndocker0:7 1 0 0 0 0 0 0 7 1\n",
        "sys/class/thermal/thermal_zone0/temp": "41500\n",
        "sys/class/thermal/thermal_zone1/temp": "-273000\n",
        "sys/class/hwmon/hwmon2/temp1_input": "38000\n",
        "sys/class/hwmon/hwmon2/temp2_input": "255000\n",
    }
    for name in ("loop0", "ram0", "zram0", "dm-0", "md127", "sr0"):
        files[f"sys/block/{name}/size"] = "1000"
    for name in ("lo", "docker0", "veth12ab", "br-0a1b", "virbr0", "wg0"):
        files[f"sys/class/net/{name}/address"] = "00:00:00:00:00:01"
    for number in range(8):
        files["proc/cpuinfo"] += f"processor\t: {number}\nmodel name\t: AMD EPYC 9654 96-Core Processor\n\n"
        folder = f"sys/devices/system/cpu/cpu{number}/topology"
        files[f"{folder}/physical_package_id"] = str(number % 2)
        files[f"{folder}/core_id"] = str(number // 2 % 2)
    write(tmp_path, files)
    return tmp_path


def test_the_processors_are_counted_in_sockets_cores_and_threads(server):
    expected = {"model": "AMD EPYC 9654 96-Core Processor", "sockets": 2, "cores": 4, "threads": 8}
    assert inventory.cpu(server) == expected


def test_they_are_counted_by_cpuinfo_where_sys_does_not_tell(tmp_path):
    text = "".join(
        f"processor\t: {n}\nmodel name\t: Xeon\nphysical id\t: {n % 2}\ncore id\t\t: {n // 4}\n\n" for n in range(8)
    )
    write(tmp_path, {"proc/cpuinfo": text})
    assert inventory.cpu(tmp_path) == {"model": "Xeon", "sockets": 2, "cores": 4, "threads": 8}


def test_cpus_count_as_cores_where_nothing_tells(tmp_path):
    write(tmp_path, {"proc/cpuinfo": "processor\t: 0\nmodel name : x\nprocessor\t: 1\n"})
    assert inventory.cpu(tmp_path) == {"model": "x", "sockets": 1, "cores": 2, "threads": 2}


def test_an_arm_board_without_packages_is_one_socket(tmp_path):
    files = {"proc/cpuinfo": "processor\t: 0\nprocessor\t: 1\nModel\t\t: Ampere\n"}
    for n in range(2):
        files[f"sys/devices/system/cpu/cpu{n}/topology/physical_package_id"] = "-1"
        files[f"sys/devices/system/cpu/cpu{n}/topology/core_id"] = str(n)
    write(tmp_path, files)
    assert inventory.cpu(tmp_path) == {"model": "Ampere", "sockets": 1, "cores": 2, "threads": 2}


def test_memory_and_the_system(server):
    assert inventory.memory_mb(server) == (1547000, 2048)
    system = inventory.operating_system(server)
    assert (system["name"], system["kernel"]) == ("Debian GNU/Linux 12 (bookworm)", "6.1.0-25-amd64")


def test_only_real_disks_count_and_their_serial_numbers_stay_here(server):
    nvme, hard, solid = (
        sorted(inventory.disks(server), key=lambda disk: disk["kind"], reverse=False)[1],
        *(disk for disk in inventory.disks(server) if disk["name"].startswith("sd")),
    )
    assert nvme == {
        "name": "nvme0n1",
        "model": "SAMSUNG MZQL23T8HCLS-00A07",
        "serial_sha256": hashlib.sha256(b"S64HNE0R123456").hexdigest(),
        "size_gb": 3840,
        "kind": "NVMe",
    }
    assert (hard["kind"], hard["size_gb"], hard["serial_sha256"]) == ("HDD", 4000, "")
    assert solid["kind"] == "SSD"
    assert len(inventory.disks(server)) == 3


def test_local_file_systems_count_once(server):
    assert [(one["mount"], one["type"]) for one in inventory.filesystems(server)] == [
        ("/", "ext4"),
        ("/my data", "xfs"),
    ]


def test_network_cards_and_their_speeds(server):
    mac = hashlib.sha256(b"aa:bb:cc:00:11:22").hexdigest()
    first, second = inventory.network(server)
    assert first == {"name": "eth0", "speed_mbps": 10000, "mac_sha256": mac}
    assert (second["name"], second["speed_mbps"]) == ("eth1", None)


def test_a_virtual_machine_is_told_by_its_firmware(server, tmp_path):
    assert inventory.virtualization(server) == "qemu"
    write(tmp_path / "bare", {"proc/cpuinfo": "flags\t: fpu vme\n"})
    assert inventory.virtualization(tmp_path / "bare") == "none"
    write(tmp_path / "guest", {"proc/cpuinfo": "flags\t: fpu hypervisor lahf_lm\n"})
    assert inventory.virtualization(tmp_path / "guest") == "vm-other"


def test_an_empty_machine_has_an_inventory_too(tmp_path):
    found = inventory.collect(tmp_path)
    assert set(found) == {
        "version", "hostname", "os", "cpu", "memory_mb", "swap_mb", "gpus", "gpu_tool", "disks", "filesystems",
        "network", "host_keys", "ssh_port", "containers", "virtualization",
    }  # fmt: skip
    assert found["disks"] == found["filesystems"] == found["network"] == found["host_keys"] == []


def test_this_machine_has_an_inventory():
    found = inventory.collect()
    assert found["memory_mb"] > 0
    assert found["cpu"]["threads"] >= found["cpu"]["cores"] >= 1
    json.dumps(found, allow_nan=False)


def test_health_is_between_two_readings(server):
    sampler = health.Sampler(server)
    time.sleep(0.2)
    write(
        server,
        {
            "proc/stat": "cpu  150 0 125 775 150 0 0 0 50 0\n",
            "proc/net/dev": "x\nx\n  eth0: 2000000 1 0 0 0 0 0 0 600000 1\n",
        },
    )
    said = sampler.read()
    assert said["cpu_percent"] == 37.5  # 200 ticks, of which 125 idle or waiting
    assert said["memory_percent"] == 75.0
    assert said["temperature_c"] == 41.5
    assert said["load_1m"] == 0.5
    assert 8 < said["network_rx_mbps"] <= 40.1
    assert said["network_rx_mbps"] == pytest.approx(10 * said["network_tx_mbps"], rel=0.01)
    assert said["gpus"] == []
    assert said["gpu_percent"] is None
    assert 0 < said["disk_percent"] <= 100
    assert (health.uptime_seconds(server), health.boot_id(server)) == (123, "b007")


def test_what_cannot_be_read_is_null(tmp_path):
    said = health.Sampler(tmp_path).read()
    assert {name for name, value in said.items() if value is not None} == {"gpus"}
    assert health.uptime_seconds(tmp_path) is None


def test_counters_that_fall_are_no_rate(server):
    sampler = health.Sampler(server)
    write(server, {"proc/net/dev": "x\nx\n eth0: 5 1 0 0 0 0 0 0 5 1\n"})
    said = sampler.read()
    assert said["network_rx_mbps"] is None
    assert said["network_tx_mbps"] is None


def test_health_is_cheap():
    sampler = health.Sampler()
    begun = time.monotonic()
    said = sampler.read()
    if not said["gpus"]:
        assert time.monotonic() - begun < 0.2


SSHD = """\
port 22
usepam yes
pubkeyauthentication yes
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
"""


def by_id(found):
    return {check.id: check.status for check in found}


def test_an_sshd_as_it_comes_lets_buyers_in():
    assert set(by_id(selftest.settings_checks(SSHD)).values()) == {"pass"}


@pytest.mark.parametrize(
    ("change", "check", "status"),
    [
        (("pubkeyauthentication yes", "pubkeyauthentication no"), "ssh.keys", "fail"),
        ((".ssh/authorized_keys .ssh/authorized_keys2", "/etc/keys/%u"), "ssh.keys_file", "fail"),
        ((".ssh/authorized_keys .ssh", "%h/.ssh/authorized_keys .ssh"), "ssh.keys_file", "pass"),
        (("usepam yes", "usepam no"), "ssh.pam", "warn"),
        (("port 22", "allowusers admin\nallowusers root"), "ssh.allowed", "fail"),
        (("port 22", "allowusers admin\nallowusers rsm-*"), "ssh.allowed", "pass"),
        (("port 22", "allowusers rsm-*@10.0.0.0/8"), "ssh.allowed", "pass"),
        (("port 22", "allowgroups ssh sudo"), "ssh.allowed", "fail"),
        (("port 22", "denyusers rsm-*"), "ssh.allowed", "fail"),
        (("port 22", "denyusers root"), "ssh.allowed", "pass"),
        (("port 22", "allowusers *"), "ssh.allowed", "pass"),
        (("port 22", "allowusers * !rsm-*"), "ssh.allowed", "fail"),
    ],
)
def test_an_sshd_that_would_lock_buyers_out_is_found(change, check, status):
    assert by_id(selftest.settings_checks(SSHD.replace(*change)))[check] == status


def test_an_sshd_that_does_not_tell_is_a_warning():
    assert by_id(selftest.settings_checks("")) == {"ssh.settings": "warn"}


def test_a_gpu_without_its_driver_is_found_on_the_bus(tmp_path):
    write(
        tmp_path,
        {
            "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
            "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
            "sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n",
            "sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n",
            "sys/bus/pci/devices/0000:02:00.0/vendor": "0x1002\n",
            "sys/bus/pci/devices/0000:02:00.0/class": "0x120000\n",
            "sys/bus/pci/devices/0000:03:00.0/vendor": "0x1a03\n",
            "sys/bus/pci/devices/0000:03:00.0/class": "0x030000\n",
        },
    )
    assert selftest.pci_gpus(tmp_path) == {"NVIDIA": 1, "AMD": 1}
    if not gpus.facts()[0]:
        check = selftest.gpu(tmp_path)
        assert check.status == "fail"
        assert "nvidia-smi" in check.remedy


def test_every_check_is_whole_and_has_an_id_of_its_own(tmp_path):
    found = selftest.checks(Config(tmp_path), None)
    assert len({check.id for check in found}) == len(found)
    for check in found:
        assert check.status in ("pass", "warn", "fail")
        assert check.title
        assert check.actual
        assert check.required
        assert check.why
        assert check.remedy or check.status == "pass" or check.id == "containers"
    assert selftest.table(found).count("\n") >= len(found) - 1


def test_a_container_runtime_is_required_where_buyers_get_containers(tmp_path):
    there = inventory.containers()["runtime"] == "podman"
    assert selftest.container(Config(tmp_path)).status == "pass"
    assert (selftest.container(Config(tmp_path, access_kind="container")).status == "pass") == there


@pytest.mark.skipif(not inventory.os.access("/usr/sbin/sshd", inventory.os.X_OK), reason="sshd is not installed")
def test_sshd_tells_its_settings_though_it_never_ran():
    if inventory.os.geteuid() == 0 and inventory.host_keys():
        assert "pubkeyauthentication yes" in inventory.sshd_settings("rsm-selftest")
        assert 0 < inventory.ssh_port() < 65536
