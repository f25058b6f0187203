"""Buyers who do not want to leave, who want to leave something behind, or who want the agent to do harm for them.

Each attack is carried out on a disposable machine by the buyer's own account; then it is looked at from outside.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.agent.working import (
    assert_nothing_left,
    booking,
    key,
    machine,
    provision_payload,
    record,
    wipe_payload,
    work,
)
from tests.disposable import Machine, disposable
from tests.racing import until

__all__ = ["booking", "disposable", "key", "machine"]

#: Starts another and ends, without a pause, in each of its lines: it is never where a list of processes says.
HOPPER = r"""
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    for (int line = 0; line < 3; line++)
        if (fork() == 0) { setsid(); for (;;) { pid_t next = fork(); if (next > 0) _exit(0); if (next < 0) usleep(100); } }
    return 0;
}
"""


class Buyer:
    """Somebody who has been let in."""

    def __init__(self, machine: Machine, reference: str, key: Path) -> None:
        assert work(machine, "provision", provision_payload(reference, key))["status"] == "done"
        self.machine, self.reference, self.key = machine, reference, key
        self.account, self.home = f"rsm-{reference}", f"/home/rsm-{reference}"
        self.uid = record(machine, reference)["uid"]

    def runs(self, script: str) -> str:
        done = self.machine.ssh(self.account, self.key, script)
        assert done.returncode == 0, done
        return done.stdout

    def runs_python(self, code: str) -> None:
        """As the buyer: the machine's Python lies where only root may look."""
        became = f"import os; os.setgroups([]); os.setgid({self.uid}); os.setuid({self.uid}); os.chdir({self.home!r})\n"
        done = self.machine.run(self.machine.python, "-c", became + code)
        assert done.returncode == 0, done.stderr

    def is_killed(self) -> None:
        """All that runs as them on this machine, at once."""
        self.machine.run(
            self.machine.python, "-c", f"import os, signal; os.setuid({self.uid}); os.kill(-1, signal.SIGKILL)"
        )

    def wiped(self) -> dict:
        """The evidence, with the report's status beside it."""
        report = work(self.machine, "wipe", wipe_payload(self.reference))
        return {**json.loads(report["result"]["evidence"]), "report": report["status"]}

    def is_gone(self) -> None:
        evidence = self.wiped()
        assert evidence["report"] == "done", evidence
        assert_nothing_left(self.machine, self.reference, self.uid)


@pytest.fixture
def buyer(machine, booking, key):
    return Buyer(machine, booking, key)


# Staying -------------------------------------------------------------------------------------------------


def test_processes_that_only_fork_and_end_do_not_outrun_the_wipe(buyer, tmp_path):
    compiler = shutil.which("cc")
    assert compiler, "This attack needs a C compiler."
    (tmp_path / "hopper.c").write_text(HOPPER)
    subprocess.run([compiler, "-O2", "-static", "-o", tmp_path / "hopper", tmp_path / "hopper.c"], check=True)
    buyer.machine.copy_in(tmp_path / "hopper", "/usr/local/bin/hopper")
    try:
        buyer.runs("hopper >/dev/null 2>&1 </dev/null")
        until(lambda: buyer.machine.processes_of(buyer.uid), "one of them is seen")

        buyer.is_gone()

        assert not any(buyer.machine.processes_of(buyer.uid) for _ in range(20))
    finally:
        buyer.is_killed()  # else a test that fails leaves the machines of all others to them


def test_root_and_others_live_on_when_a_buyers_processes_are_killed_at_once(buyer):
    other = buyer.machine.start("runuser", "-u", "nobody", "--", "sleep", "600")
    roots = buyer.machine.start("sleep", "600")
    buyer.runs("setsid sleep 600 >/dev/null 2>&1 </dev/null &")

    buyer.is_gone()

    assert (other.poll(), roots.poll()) == (None, None)
    buyer.machine.kill(other)
    buyer.machine.kill(roots)


def test_name_spaces_of_their_own_hide_nothing(buyer):
    buyer.runs(
        "unshare --user --map-root-user --mount --pid --ipc --net --fork --mount-proc sh -c '"
        "  mount -t tmpfs x /mnt; echo secret >/mnt/x; mount --bind /mnt /tmp; ipcmk -M 4096 >/dev/null;"
        '  trap "" TERM HUP INT; exec setsid sleep 600\' >/dev/null 2>&1 </dev/null & sleep 0.5'
    )
    # In a process name space of their own, which is seen from the machine, but not from outside it.
    there = ("pgrep", "--uid", str(buyer.uid), "sleep")
    assert buyer.machine.run(*there).stdout
    buyer.is_gone()
    assert not buyer.machine.run(*there).stdout


def test_what_goes_on_without_a_log_in_ends(buyer):
    buyer.runs(
        "tmux -S /tmp/t new-session -d 'sleep 600'; (setsid nohup sh -c 'sleep 600; id' >/dev/null 2>&1 </dev/null &)"
    )
    assert len(buyer.machine.processes_of(buyer.uid)) >= 2
    buyer.is_gone()


def test_a_connection_that_was_kept_open_ends(buyer, tmp_path):
    master = [*buyer.machine.ssh_command(buyer.account, buyer.key)[:-1], "-o", f"ControlPath={tmp_path / 'c'}"]
    kept = subprocess.Popen([*master, "-M", "-N", f"{buyer.account}@127.0.0.1"], stdin=subprocess.DEVNULL)
    again = [*master, f"{buyer.account}@127.0.0.1", "true"]
    deadline = time.monotonic() + 10
    while not (tmp_path / "c").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert subprocess.run(again, check=False, stdin=subprocess.DEVNULL).returncode == 0

    buyer.is_gone()

    assert kept.wait(10) != 0
    assert subprocess.run(again, check=False, capture_output=True).returncode != 0


# Leaving something behind ----------------------------------------------------------------------------------


def test_secrets_left_with_the_kernel_are_taken_from_it(buyer):
    # add_key: into the user's own keyring, and into the one that outlives every log-in for days.
    buyer.runs_python(
        "import ctypes; call = ctypes.CDLL(None).syscall\n"
        # The kernel is not the disposable machine's own: an earlier one's buyer may have had this number.
        "call(250, 7, -4); call(250, 8, -4, -5)\n"
        "assert call(248, b'user', b'stash', b'secret', 6, -4) > 0\n"
        "lasting = call(250, 22, -1, -4)\n"
        "assert lasting < 0 or call(248, b'user', b'stash', b'secret', 6, lasting) > 0\n"
    )
    evidence = buyer.wiped()
    assert evidence["report"] == "done", evidence
    assert evidence["steps"][2]["counts"]["kernel_keys"] >= 1
    left = buyer.machine.run(
        "setpriv", f"--reuid={buyer.uid}", f"--regid={buyer.uid}", "--clear-groups", "cat", "/proc/keys"
    ).stdout
    assert "stash" not in left


def test_what_systemd_wrote_for_the_buyer_goes_and_that_of_others_stays(buyer):
    theirs = [
        f"/var/log/journal/0123/user-{buyer.uid}.journal",
        f"/var/log/journal/0123/user-{buyer.uid}@00aa-01.journal",
        f"/var/lib/systemd/coredump/core.python3.{buyer.uid}.{'a' * 32}.77.1700000000000000.zst",
    ]
    others = [
        "/var/log/journal/0123/system.journal",
        "/var/log/journal/0123/user-1000.journal",
        f"/var/lib/systemd/coredump/core.python3.1000.{'a' * 32}.{buyer.uid}.1700000000000000.zst",
    ]
    # Root's, with a list that lets the buyer read: as journald and systemd-coredump write them.
    entry = "lambda tag, may, who: struct.pack('<HHI', tag, may, who)"
    code = (
        f"import os, struct; entry = {entry}; none = 0xffffffff\n"
        f"for path in {theirs + others}:\n"
        "    os.makedirs(os.path.dirname(path), exist_ok=True); open(path, 'w').write('lines')\n"
        f"for path in {theirs}:\n"
        f"    os.setxattr(path, 'system.posix_acl_access', struct.pack('<I', 2) + entry(1, 6, none) + entry(2, 4, {buyer.uid})"
        " + entry(4, 4, none) + entry(16, 4, none) + entry(32, 0, none))\n"
    )
    done = buyer.machine.run(buyer.machine.python, "-c", code)
    assert done.returncode == 0, done.stderr

    buyer.is_gone()

    assert [path for path in theirs + others if buyer.machine.path(path).exists()] == others


def test_no_subordinate_numbers_are_given_that_the_wipe_does_not_look_for(machine, booking, key):
    """Where the administrator has moved UID_MAX, ``useradd`` gives them by itself: files could be given to them."""
    settings = machine.path("/etc/login.defs")
    before = settings.read_text()
    try:
        settings.write_text(before.replace("\nUID_MAX", "\nUID_MAX 200000\n#UID_MAX"))
        machine.run("touch", "/etc/subuid", "/etc/subgid")
        buyer = Buyer(machine, booking, key)
        for name in ("subuid", "subgid"):
            assert buyer.account not in machine.path(f"/etc/{name}").read_text()
    finally:
        settings.write_text(before)


def test_very_many_very_deep_and_very_odd_names_are_removed_in_time(buyer):
    buyer.runs_python(
        "for folder in ('many', '/tmp/many'):\n"
        "    os.mkdir(folder)\n"
        "    for number in range(30000): os.mknod(f'{folder}/{number}')\n"
        "for name in (b'\\xff\\xfe', b'new\\nline', b'-rf', b'\\x1b[2J', b'x' * 255, b' ', b'*'): os.mknod(b'/tmp/many/' + name)\n"
        "for top in ('/tmp/deep', '/var/tmp/deep', 'deep'):\n"
        "    os.mkdir(top); os.chdir(top)\n"
        "    for level in range(5000): os.mkdir('d'); os.chdir('d')\n"
        f"    os.mknod('bottom'); os.chdir({buyer.home!r})\n"
        "with open('huge', 'w') as file: file.truncate(1 << 40)\n"
    )
    began = time.monotonic()
    buyer.is_gone()
    assert time.monotonic() - began < 45


# Having the agent do harm ------------------------------------------------------------------------------------


def test_links_and_swapped_folders_lead_the_wipe_nowhere(buyer):
    buyer.machine.run("sh", "-c", "mkdir -p /srv/provider && echo data >/srv/provider/keep && chmod 755 /srv/provider")
    buyer.runs(
        "ln -s /srv/provider away; ln -s /srv/provider /tmp/away; ln -s / .ssh; mkdir -p .config && ln -s /etc .config/systemd;"
        "mkdir -p d/e && ln -s /srv d/e/f; rm -rf /scratch/$USER/*; ln -s /srv/provider /scratch/$USER/provider"
    )
    buyer.is_gone()
    assert buyer.machine.path("/srv/provider/keep").read_text() == "data\n"


def test_a_folder_of_the_providers_under_the_name_of_the_buyers_is_not_removed(buyer):
    """Where everybody may write and rename, a buyer can put another's folder where theirs was."""
    machine = buyer.machine
    machine.run(
        "sh",
        "-c",
        "chmod 777 /scratch; mkdir /scratch/data; echo precious >/scratch/data/keep; chmod 755 /scratch/data",
    )
    try:
        buyer.runs("mv /scratch/$USER /scratch/other && mv /scratch/data /scratch/$USER")
        assert buyer.wiped()["report"] == "failed"  # a person has to look
        assert machine.path(f"/scratch/{buyer.account}/keep").read_text() == "precious\n"
        machine.run("mv", f"/scratch/{buyer.account}", "/scratch/data")
        buyer.is_gone()
    finally:
        machine.run("sh", "-c", "rm -rf /scratch/data; chmod 755 /scratch")


def test_a_shell_that_prints_without_end_does_not_fill_the_agents_memory(buyer, key):
    buyer.runs("echo 'exec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' >.bashrc")
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
    driver = buyer.machine.path("/opt/rsm/work_driver.py")
    before = driver.read_text()
    try:
        driver.write_text(limited + before)
        report = work(buyer.machine, "provision", provision_payload(buyer.reference, key))
    finally:
        driver.write_text(before)
    assert report["status"] == "done", report
    buyer.is_gone()


def test_another_users_mount_that_root_may_not_look_at_is_no_reason_to_fail(buyer):
    machine = buyer.machine
    holding = (
        "import ctypes, os, time; os.makedirs('/srv/users/mnt', exist_ok=True); handle = os.open('/dev/fuse', os.O_RDWR)\n"
        "options = b'fd=%d,rootmode=40000,user_id=1000,group_id=1000' % handle\n"
        "assert ctypes.CDLL(None).mount(b'x', b'/srv/users/mnt', b'fuse.sshfs', 0, options) == 0; time.sleep(600)\n"
    )
    machine.run("sh", "-c", "[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229")
    mounted = machine.start(machine.python, "-c", holding)
    try:
        deadline = time.monotonic() + 10
        while "/srv/users/mnt" not in machine.run("cat", "/proc/mounts").stdout and time.monotonic() < deadline:
            time.sleep(0.05)
        assert machine.run("stat", "/srv/users/mnt").returncode != 0
        buyer.runs("touch /tmp/mine")
        buyer.is_gone()
    finally:
        machine.run("umount", "-l", "/srv/users/mnt")
        machine.kill(mounted)


def test_numbers_that_a_directory_gave_to_people_are_nobodys_leftovers(machine):
    """A wipe of a booking that was never here looks for what belongs to nobody, and asks for each number by itself."""
    machine.run("groupadd", "--gid", "81234", "people").check_returncode()
    try:
        machine.run(
            "sh",
            "-c",
            "touch /var/tmp/theirs /var/tmp/nobodys; chown 81234 /var/tmp/theirs; chown 81235 /var/tmp/nobodys",
        )
        assert work(machine, "wipe", wipe_payload("ba5eba11"))["status"] == "done"
        assert machine.path("/var/tmp/theirs").exists()
        assert not machine.path("/var/tmp/nobodys").exists()
    finally:
        machine.run("sh", "-c", "groupdel people; rm -f /var/tmp/theirs")
