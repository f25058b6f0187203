"""What the agent does to a machine, done to a disposable one and looked at from outside."""

import hashlib
import json
import secrets
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.agent.working import (
    assert_nothing_left,
    booking,
    drive,
    forget,
    key,
    machine,
    make_key,
    names_left,
    provision_payload,
    record,
    record_exists,
    wipe_payload,
    work,
)
from tests.disposable import disposable

__all__ = ["booking", "disposable", "key", "machine"]

METHODS = ["session_termination", "ssh_key_removal", "home_directory_purge", "user_deletion", "residue_verification"]


def test_a_buyer_is_let_in_and_the_result_says_how(machine, booking, key):
    report = work(machine, "provision", provision_payload(booking, key))
    assert report["status"] == "done", report
    result = report["result"]
    assert {"type": "ssh-ed25519", "fingerprint": machine.host_fingerprint()} in result["host_keys"]
    printed = subprocess.run(["ssh-keygen", "-l", "-f", f"{key}.pub"], capture_output=True, text=True, check=True)
    assert result["keys"] == [printed.stdout.split()[1]]
    assert result["ssh"]["port"] == machine.sshd_port
    assert result["login_checked_at"]
    assert result["inventory"]["version"] == 1

    seen = machine.ssh(
        f"rsm-{booking}", key, "id -u; id -Gn; pwd; ulimit -u; ulimit -n; ulimit -c; stat -c %a ~ /scratch/$USER"
    )
    uid, groups, home, processes, files, core, *modes = seen.stdout.splitlines()
    assert int(uid) == record(machine, booking)["uid"] >= 70000
    assert set(groups.split()) <= {f"rsm-{booking}", "video", "render"}
    assert (home, processes, files, core, modes) == (f"/home/rsm-{booking}", "512", "4096", "0", ["700", "700"])
    keys = machine.path(f"/etc/ssh/rsm-agent-keys/rsm-{booking}").read_text()
    assert "rsm-agent-check" not in keys
    assert keys.count("\n") == keys.count("expiry-time=") == 1
    assert "a buyer" not in keys


def test_a_buyer_cannot_let_others_in_for_longer(machine, booking, key, tmp_path):
    work(machine, "provision", provision_payload(booking, key))
    other = make_key(tmp_path / "other")
    public = Path(f"{other}.pub").read_text()
    put = "mkdir -p -m 700 ~/.ssh && cat >> ~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys"
    subprocess.run([*machine.ssh_command(f"rsm-{booking}", key), put], input=public, text=True, check=True)
    assert machine.ssh(f"rsm-{booking}", other, "true").returncode == 255
    assert machine.ssh(f"rsm-{booking}", key, f"echo >> /etc/ssh/rsm-agent-keys/rsm-{booking}").returncode == 1


def test_where_sshd_includes_no_files_the_keys_lie_in_the_home(machine, booking, key):
    config = machine.path("/etc/ssh/sshd_config")
    before = config.read_text()
    try:
        config.write_text(before.replace("Include", "#Include"))
        machine.reload_sshd()
        report = work(machine, "provision", provision_payload(booking, key))
        assert report["status"] == "done", report
        assert "lie in the home" in report["result"]["log"]
        assert machine.ssh(f"rsm-{booking}", key, "true").returncode == 0
        assert machine.ssh(f"rsm-{booking}", key, "echo >> .ssh/authorized_keys").returncode == 1
        assert work(machine, "wipe", wipe_payload(booking))["status"] == "done"
        assert_nothing_left(machine, booking, record(machine, booking)["uid"])
    finally:
        config.write_text(before)
        machine.reload_sshd()


def test_at_the_end_nobody_gets_in_though_nothing_else_happens(machine, booking, key):
    account = f"rsm-{booking}"
    end = datetime.now(UTC) + timedelta(seconds=12)
    payload = provision_payload(booking, key, end=end)
    assert work(machine, "provision", payload)["status"] == "done"
    assert machine.ssh(account, key, "true").returncode == 0
    time.sleep(max(0, (end - datetime.now(UTC)).total_seconds()) + 1)  # the keys expire by full seconds
    assert machine.ssh(account, key, "true").returncode == 255
    # Moved later, it works again; moved into the past, it is over.
    assert work(machine, "provision", provision_payload(booking, key))["status"] == "done"
    assert machine.ssh(account, key, "true").returncode == 0
    past = provision_payload(booking, key, end=datetime.now(UTC) - timedelta(minutes=1))
    assert work(machine, "provision", past)["status"] == "done"
    assert machine.ssh(account, key, "true").returncode == 255


def test_the_agents_own_clock_locks_ends_sessions_and_is_undone_by_a_later_end(machine, booking, key):
    account = f"rsm-{booking}"
    work(machine, "provision", provision_payload(booking, key, end=datetime.now(UTC) + timedelta(minutes=5)))
    uid = record(machine, booking)["uid"]
    machine.ssh(account, key, "setsid nohup sleep 1000 >/dev/null 2>&1 </dev/null & echo data > kept")
    session = subprocess.Popen([*machine.ssh_command(account, key), "sleep 1000"])
    while len(machine.processes_of(uid)) < 3:
        time.sleep(0.05)
    assert work(machine, "lock_expired", {}) == {"locked": []}
    assert work(machine, "lock_expired", {}, RSM_OFFSET="301") == {"locked": [account]}
    assert session.wait(10) == 255
    assert machine.processes_of(uid) == []
    assert machine.ssh(account, key, "true").returncode == 255
    assert work(machine, "lock_expired", {}, RSM_OFFSET="301") == {"locked": []}
    assert work(machine, "provision", provision_payload(booking, key))["status"] == "done"
    assert machine.ssh(account, key, "cat kept").stdout == "data\n"


def test_a_correction_changes_the_keys_and_leaves_the_data(machine, booking, key, tmp_path):
    account, other = f"rsm-{booking}", make_key(tmp_path / "other")
    work(machine, "provision", provision_payload(booking, key))
    # What a buyer's shell does is their affair: the check does not depend on it.
    machine.ssh(account, key, "echo data > kept; echo exit 7 > .bashrc")
    assert work(machine, "provision", provision_payload(booking, other))["status"] == "done"
    assert machine.ssh(account, key, "true").returncode == 255
    machine.run("rm", f"/home/{account}/.bashrc")
    assert machine.ssh(account, other, "cat kept").stdout == "data\n"


def test_summer_time_does_not_lengthen_a_booking(machine, booking, key):
    """An sshd before 9.1 reads ends in the machine's own zone, always as standard time."""
    code = (
        "import sys; sys.path.insert(0, '/opt/rsm')\n"
        "from datetime import datetime, timezone\n"
        "from agent.work.keys import end_for_older\n"
        "for month in (1, 7): print(end_for_older(datetime(2026, month, 1, 10, tzinfo=timezone.utc)))\n"
    )
    done = machine.run(machine.python, "-c", code, env={"TZ": "Europe/Berlin"})
    assert done.stdout.split() == ["20260101110000", "20260701110000"], done.stderr
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/ca")
    for end, expected in (("20260101110000", "2026-01-01T10:00:00"), ("20260701110000", "2026-07-01T10:00:00")):
        signing = ["ssh-keygen", "-q", "-s", "/tmp/ca", "-I", "x", "-V", f"20250101000000:{end}", "/tmp/ca.pub"]
        assert machine.run(*signing, env={"TZ": "Europe/Berlin"}).returncode == 0
        shown = machine.run("ssh-keygen", "-L", "-f", "/tmp/ca-cert.pub", env={"TZ": "UTC"})
        assert f"to {expected}" in shown.stdout


def test_revoking_ends_access_and_keeps_the_data(machine, booking, key):
    account = f"rsm-{booking}"
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    machine.ssh(account, key, "echo data > kept; setsid nohup sleep 1000 >/dev/null 2>&1 </dev/null &")
    session = subprocess.Popen([*machine.ssh_command(account, key), "sleep 1000"])
    while len(machine.processes_of(uid)) < 3:
        time.sleep(0.05)
    result = work(machine, "revoke", {"booking": booking, "account": account})["result"]
    assert result["locked"] is True
    assert result["sessions_ended"] == 1
    assert result["processes_ended"] >= 3
    assert session.wait(10) == 255
    assert machine.processes_of(uid) == []
    assert machine.ssh(account, key, "true").returncode == 255
    assert machine.path(f"/home/{account}/kept").read_text() == "data\n"
    again = work(machine, "revoke", {"booking": booking, "account": account})
    assert (again["status"], again["result"]["sessions_ended"]) == ("done", 0)


MESS = r"""
cd ~; mkdir -p many deep .config/systemd/user 'odd
name' closed "$(printf 'bad\377')" && touch 'odd
name/-rf' ' ' '--' "$(printf 'bad\377/x')"
python3 -V >/dev/null 2>&1; for i in $(seq 10000); do : > many/$i; done
d=deep; for i in $(seq 40); do d=$d/level; done; mkdir -p $d
ln -s /etc escape; ln -s / root; ln many/1 /tmp/hard-link; echo x > closed/in; chmod 500 closed
echo '[Timer]' > .config/systemd/user/evil.timer
for f in /tmp /var/tmp /dev/shm /scratch/$USER; do echo secret > $f/left-$$; mkdir -p $f/dir-$$/a/b; echo x > $f/dir-$$/a/b/c; ln -s /etc/passwd $f/dir-$$/link; done
chmod 000 /tmp/dir-$$; mkfifo /tmp/fifo
ipcmk -M 4096 >/dev/null; ipcmk -S 1 >/dev/null; ipcmk -Q >/dev/null
echo '* * * * * true' | crontab - ; echo 'sleep 1' | at now + 1 hour 2>/dev/null
setsid nohup sleep 1000 >/dev/null 2>&1 </dev/null &
(setsid sh -c 'trap "" TERM HUP INT; exec 9>/tmp/open; rm /tmp/open; while :; do sleep 0.2; done' >/dev/null 2>&1 </dev/null &)
true
"""


def test_a_wipe_leaves_nothing_whatever_the_buyer_did(machine, booking, key):
    account = f"rsm-{booking}"
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    machine.ssh(account, key, MESS)
    code = (
        f"import ctypes, os; os.setgid({uid}); os.setuid({uid}); ctypes.CDLL(None).mq_open(b'/queue', 0o102, 0o600, None)\n"
        f"os.chdir('/home/{account}/deep')\n"
        "for _ in range(1500): os.mkdir('a-level-of-it'); os.chdir('a-level-of-it')\n"
        "open('bottom', 'w').close()"
    )
    assert machine.run(machine.python, "-c", code).returncode == 0
    spoils = (
        f"echo x > /home/{account}/roots; mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/{account}; "
        f"touch /home/{account}/fixed /home/{account}/added /tmp/fixed; mkdir /tmp/fixed-dir; touch /tmp/fixed-dir/x; "
        f"chown -R {uid}:{uid} /tmp/fixed /tmp/fixed-dir; chattr +i /home/{account}/fixed /tmp/fixed /tmp/fixed-dir; "
        f"chattr +a /home/{account}/added; mkdir /home/{account}/mounted; mount -t tmpfs x /home/{account}/mounted; "
        f"echo x > /home/{account}/mounted/y"
    )
    assert machine.run("sh", "-c", spoils).returncode == 0
    assert len(machine.ipc_of(uid)) >= 5
    assert len(machine.processes_of(uid)) >= 2
    owned = machine.owned_by(uid)
    assert len(owned) > 10000
    if machine.path("/usr/bin/crontab").exists():
        assert f"/var/spool/cron/crontabs/{account}" in owned
    if machine.path("/usr/bin/at").exists():
        assert any(path.startswith("/var/spool/cron/atjobs/") for path in owned)
    passwd = machine.path("/etc/passwd").read_text()

    began = time.monotonic()
    report = work(machine, "wipe", wipe_payload(booking))
    assert report["status"] == "done", report
    assert time.monotonic() - began < 60
    assert_nothing_left(machine, booking, uid)
    assert machine.path("/etc/passwd").read_text() == "".join(
        line for line in passwd.splitlines(keepends=True) if account not in line
    )

    evidence = json.loads(report["result"]["evidence"])
    logs = report["result"]["logs"]
    assert [step["method"] for step in evidence["steps"]] == METHODS
    assert {step["status"] for step in evidence["steps"]} == {"success"}
    assert evidence["checked"]["left"] == []
    assert evidence["checked"]["objects_looked_at"] > 10000
    assert {"/", "/tmp", "/dev/shm", "/scratch"} <= set(evidence["checked"]["file_systems"])
    assert evidence["logs_sha256"] == hashlib.sha256(logs.encode()).hexdigest()
    assert (evidence["reference"], evidence["machine"], evidence["nonce"]) == (booking, "the-machine", "n")
    purge = evidence["steps"][2]["counts"]
    assert purge["files"] > 10000
    assert purge["ipc"] == 3
    for name in ("left-", "odd", "secret", "hard-link", "level"):
        assert name not in report["result"]["evidence"]
        assert name not in logs


def test_the_evidence_is_signed(machine, booking, key, tmp_path):
    work(machine, "provision", provision_payload(booking, key))
    report = work(machine, "wipe", wipe_payload(booking))
    (tmp_path / "signers").write_text(f"agent {report['public']}\n")
    (tmp_path / "signature").write_text(report["result"]["evidence_signature"])
    check = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        tmp_path / "signers",
        "-I",
        "agent",
        "-n",
        "rsm-erasure",
        "-s",
        tmp_path / "signature",
    ]
    evidence = report["result"]["evidence"]
    assert subprocess.run(check, input=evidence.encode(), capture_output=True).returncode == 0
    assert subprocess.run(check, input=evidence.encode() + b" ", capture_output=True).returncode != 0
    # Again: the same outcome, though everything is gone.
    again = work(machine, "wipe", wipe_payload(booking))
    assert again["status"] == "done", again


def test_what_cannot_be_removed_makes_the_wipe_fail(machine, booking, key):
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    stuck = f"echo secret > /var/tmp/a-secret-name; chown {uid} /var/tmp/a-secret-name; mount --bind /var/tmp/a-secret-name /var/tmp/a-secret-name"
    assert machine.run("sh", "-c", stuck).returncode == 0
    report = work(machine, "wipe", wipe_payload(booking))
    assert report["status"] == "failed"
    evidence = json.loads(report["result"]["evidence"])
    status = {step["method"]: step["status"] for step in evidence["steps"]}
    assert (status["home_directory_purge"], status["residue_verification"]) == ("failed", "failed")
    assert {"kind": "file", "count": 1, "where": "/var/tmp"} in evidence["checked"]["left"]
    assert "a-secret-name" not in json.dumps(report["result"]["evidence"])
    machine.run("umount", "/var/tmp/a-secret-name")
    report = work(machine, "wipe", wipe_payload(booking))
    assert report["status"] == "done", report
    assert_nothing_left(machine, booking, uid)


def test_a_file_of_somebody_elses_is_never_removed_but_told(machine, booking, key):
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    machine.run("sh", "-c", f"echo mine > /var/tmp/provider; chgrp {uid} /var/tmp/provider")
    report = work(machine, "wipe", wipe_payload(booking))
    assert report["status"] == "failed"
    left = json.loads(report["result"]["evidence"])["checked"]["left"]
    assert left == [{"kind": "file of another user in the buyer's group", "count": 1, "where": "/var/tmp"}]
    assert machine.path("/var/tmp/provider").read_text() == "mine\n"
    machine.run("chgrp", "root", "/var/tmp/provider")


def test_processes_that_keep_starting_others_are_ended(machine, booking, key):
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    machine.ssh(
        f"rsm-{booking}",
        key,
        "b() { while :; do sleep 0.01 & setsid sleep 0.02 & wait; done; }; for i in 1 2 3 4 5 6 7 8; do b >/dev/null 2>&1 </dev/null & done; sleep 0.2",
    )
    assert machine.processes_of(uid)
    began = time.monotonic()
    assert work(machine, "revoke", {"booking": booking, "account": f"rsm-{booking}"})["status"] == "done"
    assert time.monotonic() - began < 10
    assert machine.processes_of(uid) == []


def test_user_numbers_are_never_given_out_twice(machine, key):
    seen = []
    for _ in range(2):
        reference = secrets.token_hex(4)
        work(machine, "provision", provision_payload(reference, key))
        seen.append(record(machine, reference)["uid"])
        assert work(machine, "wipe", wipe_payload(reference))["status"] == "done"
    assert seen[0] < seen[1]


def test_an_agent_that_forgot_everything_starts_above_what_lies_about(machine, booking, key):
    machine.run("sh", "-c", "rm -f /var/lib/rsm-agent/last_uid; touch /var/tmp/old; chown 70500 /var/tmp/old")
    work(machine, "provision", provision_payload(booking, key))
    machine.run("rm", "/var/tmp/old")
    assert record(machine, booking)["uid"] == 70501


def test_accounts_of_others_are_not_touched(machine, key):
    machine.run("useradd", "-m", "rsm-0badcafe").check_returncode()
    try:
        for kind, payload in (
            ("provision", provision_payload("0badcafe", key)),
            ("revoke", {"booking": "0badcafe", "account": "rsm-0badcafe"}),
            ("wipe", wipe_payload("0badcafe")),
        ):
            report = work(machine, kind, payload)
            assert report["status"] == "failed"
            assert "did not make" in report["error"]
        assert machine.path("/home/rsm-0badcafe").is_dir()
    finally:
        machine.run("userdel", "-r", "rsm-0badcafe")


@pytest.mark.parametrize(
    "account", ["root", "rsm-", "rsm-1234567", "rsm-../../etc", "rsm-12345678\n", "RSM-12345678", 7]
)
def test_only_accounts_of_the_marketplaces_names_are_worked_on(machine, key, account):
    for kind, payload in (
        ("provision", provision_payload("12345678", key)),
        ("revoke", {"booking": "12345678"}),
        ("wipe", wipe_payload("12345678")),
    ):
        assert work(machine, kind, {**payload, "account": account})["status"] == "failed"


def test_a_second_booking_waits_for_the_wipe_of_the_first(machine, booking, key):
    work(machine, "provision", provision_payload(booking, key))
    report = work(machine, "provision", provision_payload("feedbeef", key))
    assert report["status"] == "failed"
    assert "wiped first" in report["error"]
    assert names_left(machine, "feedbeef") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": []},
        {"keys": ["ssh-ed25519 AAAA"]},
        {"keys": ['command="x" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPb0aXsLBwFmuyP1NFTOBRSVXk4J4WQvGoq7mQWtx5Fm']},
        {"keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPb0aXsLBwFmuyP1NFTOBRSVXk4J4WQvGoq7mQWtx5Fm a\nssh-rsa x"]},
        {"expires_at": "tomorrow"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"access": "root"},
        {"limits": {"processes": "many"}},
    ],
)
def test_a_wrong_order_is_refused_and_changes_nothing(machine, key, wrong):
    report = work(machine, "provision", {**provision_payload("deadbeef", key), **wrong})
    assert report["status"] == "failed"
    assert names_left(machine, "deadbeef") == []


def test_where_the_log_in_fails_everything_is_taken_back(machine, key):
    machine.stop_sshd()
    try:
        report = work(machine, "provision", provision_payload("0ddba115", key))
    finally:
        machine.start_sshd()
    assert report["status"] == "failed"
    assert "log-in" in report["error"]
    uid = record(machine, "0ddba115")["uid"]
    assert record(machine, "0ddba115")["phase"] == "undone"
    assert_nothing_left(machine, "0ddba115", uid)
    # And it works once sshd is back, with another number.
    assert work(machine, "provision", provision_payload("0ddba115", key))["status"] == "done"
    assert record(machine, "0ddba115")["uid"] > uid
    assert work(machine, "wipe", wipe_payload("0ddba115"))["status"] == "done"


def test_a_booking_that_never_was_here_is_wiped_by_looking_for_anybodys_leftovers(machine):
    report = work(machine, "wipe", wipe_payload("ba5eba11"))
    assert report["status"] == "done", report
    machine.run("sh", "-c", "touch /var/tmp/forgotten; chown 71234 /var/tmp/forgotten")
    assert work(machine, "wipe", wipe_payload("ba5eba11"))["status"] == "done"
    assert machine.owned_by(71234) == []


def test_killed_at_any_step_a_provision_is_finished_by_the_next_run(machine, booking, key):
    account = f"rsm-{booking}"
    for step in range(1, 20):
        killed = drive(machine, "provision", provision_payload(booking, key), RSM_KILL_AT=str(step))
        if killed.returncode == 0:
            break
        assert killed.returncode == -9, killed.stderr
        if record_exists(machine, booking) and record(machine, booking)["phase"] == "begun":
            assert machine.ssh(account, key, "true").returncode == 255, "let in before the log-in was checked"
        report = work(machine, "provision", provision_payload(booking, key))
        assert report["status"] == "done", (step, report)
        assert machine.ssh(account, key, "true").returncode == 0
        forget(machine, booking)
        assert names_left(machine, booking) == []
    assert step >= 8


def test_killed_at_any_step_a_provision_can_be_taken_back(machine, key):
    for step in (1, 2, 6, 8):
        reference = secrets.token_hex(4)
        payload = provision_payload(reference, key)
        assert drive(machine, "provision", payload, RSM_KILL_AT=str(step)).returncode == -9
        assert work(machine, "undo", payload)["status"] == "done"
        assert names_left(machine, reference) == []
        if record_exists(machine, reference):
            assert record(machine, reference)["phase"] == "undone"


def test_killed_at_any_step_a_wipe_is_finished_by_the_next_run(machine, booking, key):
    work(machine, "provision", provision_payload(booking, key))
    uid = record(machine, booking)["uid"]
    machine.ssh(
        f"rsm-{booking}", key, "touch a b c /tmp/x; ipcmk -M 10; setsid nohup sleep 1000 >/dev/null 2>&1 </dev/null &"
    )
    for step in range(1, 12):
        killed = drive(machine, "wipe", wipe_payload(booking), RSM_KILL_AT=str(step))
        assert killed.returncode == -9, (step, killed.stdout)
    report = work(machine, "wipe", wipe_payload(booking))
    assert report["status"] == "done", report
    assert_nothing_left(machine, booking, uid)
    steps = {step["method"]: step for step in json.loads(report["result"]["evidence"])["steps"]}
    # What was done by the runs that were killed is told as well.
    assert steps["session_termination"]["counts"]["processes"] >= 1
    assert steps["home_directory_purge"]["counts"]["ipc"] == 1


def test_very_long_logs_lose_their_middle_and_say_so():
    from agent.work.wipe import MOST_LOGS, _shortened

    assert _shortened("userdel: done") == "userdel: done"
    cut = _shortened("first " + "ü" * MOST_LOGS + " last")
    assert len(cut.encode()) < MOST_LOGS + 100
    assert cut.startswith("first ")
    assert cut.endswith(" last")
    assert "bytes are left out here" in cut
