"""A timer of systemd's that ends an account even when the agent is dead.

It is a unit of its own in ``/etc/systemd/system``, so that it holds over a restart of the machine too. Where systemd does not run
there is none: the ends of the keys, the account's own end (at midnight) and the agent itself remain.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from agent.shell import Done, run
from agent.work import processes
from agent.work.accounts import Record

FOLDER = Path("/etc/systemd/system")


def set_for(record: Record, expires_at: datetime) -> list[Done]:
    """Have systemd lock the account at its end."""
    if not processes.has_systemd():
        return []
    name = _name(record.account)
    for kind, text in texts(record, expires_at).items():
        (FOLDER / f"{name}.{kind}").write_text(text, encoding="utf-8")
    return [
        run(["systemctl", "daemon-reload"]),
        run(["systemctl", "enable", f"{name}.timer"]),
        # Started anew: one that is running already keeps its old moment.
        run(["systemctl", "restart", f"{name}.timer"]),
    ]


def remove(account: str) -> list[Done]:
    """Take it away; quietly when there is none."""
    name, done = _name(account), []
    units = [FOLDER / f"{name}.{kind}" for kind in ("timer", "service")]
    there = [unit for unit in units if unit.exists()]
    if there and processes.has_systemd():
        done.append(run(["systemctl", "disable", "--now", f"{name}.timer"]))
    for unit in there:
        unit.unlink()
    if there and processes.has_systemd():
        done.append(run(["systemctl", "daemon-reload"]))
    return done


def left(account: str) -> int:
    """How many of its units are there."""
    return len(list(FOLDER.glob(f"{_name(account)}.*")))


def texts(record: Record, expires_at: datetime) -> dict[str, str]:
    """The units, by their kind."""
    account, uid = record.account, record.uid
    moment = expires_at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    service = f"""\
[Unit]
Description=End of the booking of {account} (rsm-agent)

[Service]
Type=oneshot
ExecStart=-/usr/sbin/usermod --lock --expiredate 1 {account}
ExecStart=-/bin/loginctl terminate-user {account}
ExecStart=-/usr/bin/pkill -STOP -u {uid}
ExecStart=-/usr/bin/pkill -STOP -u {uid}
ExecStart=-/usr/bin/pkill -KILL -u {uid}
ExecStart=-/usr/bin/pkill -KILL -U {uid}
"""
    timer = f"""\
[Unit]
Description=End of the booking of {account} (rsm-agent)

[Timer]
OnCalendar={moment}
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {"service": service, "timer": timer}


def _name(account: str) -> str:
    return f"rsm-agent-end-{account}"
