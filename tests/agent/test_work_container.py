"""Access of kind "container". Podman itself is a stand-in script here: what is tested is who may run what, and the wipe."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from tests.agent.working import (
    assert_nothing_left,
    key,
    machine,
    names_left,
    provision_payload,
    record,
    wipe_payload,
    work,
)
from tests.disposable import Machine, disposable

__all__ = ["disposable", "key", "machine"]

#: Notes what it was told in the home of whoever runs it. "In the container" there is a variable, so that one sees where one is.
PODMAN = """\
#!/bin/sh
echo "$(id -un) $*" >>~/podman.log
case "$1 $2" in
    "container exists") [ -e ~/made ] ;;
    "create "*) case "$*" in *broken*) echo "no such image" >&2; exit 125;; esac; touch ~/made ;;
    "start "*) [ -e ~/made ] ;;
    "exec "*) while [ "$1" != booking ]; do shift; done; shift; INSIDE=yes exec "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def podman(machine: Machine) -> Machine:
    for name, text in (("podman", PODMAN), ("newuidmap", "#!/bin/sh\n"), ("newgidmap", "#!/bin/sh\n")):
        path = machine.path(f"/usr/local/bin/{name}")
        path.write_text(text)
        path.chmod(0o755)
    return machine


def order(reference: str, key: Path, **others) -> dict:
    return provision_payload(reference, key, access="container", image="docker.io/library/ubuntu:24.04", **others)


def test_a_log_in_lands_in_the_container_and_nothing_of_it_stays(podman, key):
    reference = secrets.token_hex(4)
    account = f"rsm-{reference}"
    report = work(podman, "provision", order(reference, key))
    assert report["status"] == "done", report
    made = record(podman, reference)
    first = made["subordinate"]
    assert f"{account}:{first}:65536" in podman.path("/etc/subuid").read_text().split()

    seen = podman.ssh(account, key, "echo $INSIDE; id -un; echo 'a  b' \"$(echo c)\"")
    assert seen.stdout.splitlines() == ["yes", account, "a  b c"]
    piped = subprocess.run(podman.ssh_command(account, key), input="echo $INSIDE\n", capture_output=True, text=True)
    assert piped.stdout == "yes\n"
    # Nothing more than an ordinary user may do.
    assert podman.ssh(account, key, "test -w /usr/local/lib/rsm-agent/enter").returncode == 1
    groups = podman.run("id", "-Gn", account).stdout.split()
    assert set(groups) <= {account, "video", "render"}
    log = podman.path(f"/home/{account}/podman.log").read_text()
    assert f"{account} create --name booking --pids-limit 512" in log
    assert "docker.io/library/ubuntu:24.04 sleep infinity" in log

    # What the container's own users wrote belongs to the account's subordinate numbers.
    theirs = [first, first + 1000, first + 65535]
    for number in theirs:
        podman.run(
            "sh",
            "-c",
            f"mkdir -p /var/tmp/layer/{number}; touch /var/tmp/layer/{number}/x; chown -R {number}:{number} /var/tmp/layer/{number}",
        )
        assert podman.owned_by(number)
    report = work(podman, "wipe", {**wipe_payload(reference), "access": "container"})
    assert report["status"] == "done", report
    assert_nothing_left(podman, reference, made["uid"])
    assert podman.owned_by(*theirs) == []
    assert json.loads(report["result"]["evidence"])["checked"]["left"] == []


def test_a_container_that_cannot_be_made_is_taken_back(podman, key):
    reference = secrets.token_hex(4)
    report = work(podman, "provision", {**order(reference, key), "image": "docker.io/library/broken"})
    assert report["status"] == "failed"
    assert "no such image" in report["error"]
    assert_nothing_left(podman, reference, record(podman, reference)["uid"])


@pytest.mark.parametrize("image", ["", "--privileged", "x y", "../x", "x;id", None])
def test_a_name_of_an_image_is_nothing_else(podman, key, image):
    reference = secrets.token_hex(4)
    report = work(podman, "provision", {**order(reference, key), "image": image})
    assert report["status"] == "failed"
    assert "image" in report["error"]
    assert names_left(podman, reference) == []


def test_without_podman_it_says_what_is_missing(machine, key):
    machine.run("rm", "-f", "/usr/local/bin/podman")
    if machine.run("sh", "-c", "command -v podman").returncode == 0:
        machine.run("sh", "-c", "rm -f $(command -v podman)")
    report = work(machine, "provision", order("deadbeef", key))
    assert report["status"] == "failed"
    assert "Podman is not installed" in report["error"]
    assert names_left(machine, "deadbeef") == []
