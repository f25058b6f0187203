"""Letting a buyer in: an account with their keys that ends by itself, shown to work by a real log-in.

Each step is noted in the journal before it is begun and may be repeated, so that an agent that died goes on where it was. Until
the log-in has worked no key of the buyer's is in place; from then on the record says ``open`` and nothing here removes the account any more.
"""

from __future__ import annotations

import contextlib
import grp
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import inventory, shell
from agent.context import stamp
from agent.errors import WorkFailed
from agent.files import write_whole
from agent.shell import Done
from agent.signing import fingerprint
from agent.work import accounts, container, endtimer, keys, processes, wipe
from agent.work.accounts import Record

if TYPE_CHECKING:
    from agent.context import Context
    from agent.journal import Entry

#: Groups that let an account use the machine's GPUs, where there are such groups.
GPU_GROUPS = ("video", "render")


@dataclass
class Order:
    """A provision's payload, checked."""

    booking: str
    account: str
    access: str
    keys: list[str]
    expires_at: datetime
    locks_at: datetime
    processes: int
    open_files: int
    image: str

    @classmethod
    def checked(cls, payload: dict[str, Any]) -> Order:
        """WorkFailed for anything that is not as the protocol describes it."""
        access, limits = payload.get("access"), payload.get("limits") or {}
        if access not in ("agent", "container"):
            raise WorkFailed(f"{access!r} is no kind of access.")
        if not isinstance(limits, dict):
            raise WorkFailed("The limits cannot be read.")
        order = cls(
            booking=accounts.checked_booking(payload.get("booking")),
            account=accounts.checked_name(payload.get("account")),
            access=access,
            keys=accounts.checked_keys(payload.get("keys")),
            expires_at=accounts.checked_moment(payload.get("expires_at")),
            locks_at=accounts.checked_moment(payload.get("locks_at")),
            processes=accounts.checked_number(limits.get("processes"), 4096),
            open_files=accounts.checked_number(limits.get("open_files"), 65536),
            image=container.checked_image(payload.get("image")) if access == "container" else "",
        )
        if order.locks_at < order.expires_at:
            raise WorkFailed("The account would be locked before the booking ends.")
        return order


def run(context: Context, entry: Entry) -> dict[str, Any]:
    """Make the account, or correct the one that is there. The protocol's result; WorkFailed when it could not be done."""
    order = Order.checked(entry.payload)
    log: list[str] = []
    record = accounts.must_be_ours(context, order.account)
    if record is not None and record.phase not in accounts.GONE and record.booking != order.booking:
        raise WorkFailed(f"{order.account} is the account of another booking on this machine.")
    for other in accounts.every(context):
        if other.booking != order.booking and other.phase not in accounts.GONE:
            raise WorkFailed(
                f"The account {other.account} of an earlier booking is still on this machine: it has to be wiped first."
            )
    if record is not None and record.access != order.access and record.phase not in accounts.GONE:
        raise WorkFailed("The kind of access of an account that is there cannot be changed.")
    if order.expires_at <= context.now():
        if record is None or record.phase in ("begun", *accounts.GONE):
            raise WorkFailed("The booking's end has passed.")
        return _close(context, entry, record, order, log)
    if record is not None and record.phase in ("open", "locked"):
        return _correct(context, entry, record, order, log)
    try:
        return _make(context, entry, record, order, log)
    except Exception as error:
        undo(context, entry)
        if isinstance(error, (WorkFailed, OSError)):
            raise WorkFailed(str(error)) from error
        raise


def undo(context: Context, entry: Entry) -> None:
    """Take back an account that this work made, with everything that may have come into it meanwhile.

    One that was there before, and that it only corrected, is left as it is. WorkFailed when something of it is left.
    """
    account = entry.payload.get("account")
    if not isinstance(account, str) or not accounts.NAME.fullmatch(account):
        return  # :func:`run` did not begin with it either
    record = accounts.load(context, account)
    if record is None or record.phase in accounts.GONE or record.booking != entry.payload.get("booking"):
        return
    if record.phase != "begun" and entry.noted("record") is None:
        return
    entry.note("undo")
    # Before it was opened nobody was in but the agent's own check (and Podman, which leaves files here and there), so that a look into
    # every folder of the machine is not needed.
    everywhere = record.phase != "begun" or record.access == "container"
    taken = wipe.Wipe(context, entry, record, record.ids, everywhere=everywhere)
    problems = [problem for _, action in wipe.STEPS[:4] for problem in action(taken).problems]
    if problems:
        raise WorkFailed(
            f"What was begun of {account} could not be taken back; it has to be wiped. {'; '.join(problems)}"
        )
    record.phase = "undone"
    accounts.save(context, record)
    entry.note("undone")


def lock_expired(context: Context) -> list[str]:
    """Lock the accounts whose end has come, and end what runs in any that is locked. The names of those locked now.

    It needs nobody's word: the agent calls it again and again, whether it reaches the marketplace or not.
    """
    done = []
    now = stamp(context.now())
    for record in accounts.every(context):
        try:
            if record.phase == "open" and record.expires_at <= now:
                accounts.lock(record.account)
                keys.remove(record)
                processes.end_all(record.account, record.uid, record.ids)
                if accounts.is_locked(record.account):
                    record.phase = "locked"
                    accounts.save(context, record)
                    done.append(record.account)
            elif record.phase == "locked" and processes.of(record.ids):
                processes.end_all(record.account, record.uid, record.ids)
        except (WorkFailed, OSError):
            continue  # tried again the next time
    return done


# Making


def _make(context: Context, entry: Entry, record: Record | None, order: Order, log: list[str]) -> dict[str, Any]:
    if order.access == "container":
        container.require()
    entry.note("record")
    if record is None or record.phase in accounts.GONE:
        record = _new_record(context, order)
        accounts.save(context, record)
    entry.note("account", uid=record.uid)
    _make_account(record, order, log)
    entry.note("folders")
    _make_folders(record, log)
    entry.note("limits")
    _write_limits(order)
    entry.note("end", expires_at=stamp(order.expires_at))
    _say(log, endtimer.set_for(record, order.expires_at))
    options = _options(order)
    if order.access == "container":
        entry.note("container")
        _say(log, container.start(record, order.image, order.processes))
    facts = inventory.collect()
    entry.note("login")
    _say(log, keys.prepare(record.account))
    log.append(keys.check_login(context, record, [], order.expires_at, options, new=True))
    checked_at = context.now()
    record.phase, record.expires_at = "open", stamp(order.expires_at)
    accounts.save(context, record)
    entry.note("keys")
    keys.write(record, order.keys, order.expires_at, options)
    entry.note("open")
    return _result(context, order, checked_at, facts, log)


def _new_record(context: Context, order: Order) -> Record:
    home = accounts.HOMES.resolve() / order.account
    scratch = [
        str(Path(folder).resolve() / order.account) for folder in context.config.scratch if Path(folder).is_dir()
    ]
    for folder in (str(home), *scratch):
        if os.path.lexists(folder):
            raise WorkFailed(f"{folder} is there already, and this agent did not make it.")
    uid = accounts.fresh_uid(context)
    record = Record(
        order.account, order.booking, uid, str(home), order.access, stamp(order.expires_at), scratch=scratch
    )
    if order.access == "container":
        record.subordinate, record.subordinates = container.subordinates(uid)
    return record


def _make_account(record: Record, order: Order, log: list[str]) -> None:
    account, uid = record.account, record.uid
    if accounts.group_of_system(account) is None:
        _must(log, shell.run(["groupadd", "--gid", str(uid), account]))
    if accounts.of_system(account) is None:
        _must(
            log,
            # Subordinate numbers that it gave by itself would not be this record's: their files would be found by nobody.
            shell.run(["useradd", "--key", "SUB_UID_COUNT=0", "--key", "SUB_GID_COUNT=0", "--uid", str(uid), "--gid", str(uid), "--home-dir", record.home, "--create-home", "--shell", "/bin/bash",
                 "--comment", "buyer", "--expiredate", "1", account]),
        )  # fmt: skip
    present = [name for name in GPU_GROUPS if _is_group(name)]
    if present:
        _must(log, shell.run(["usermod", "--append", "--groups", ",".join(present), account]))
    if record.subordinates:
        for done in container.give_subordinates(record):
            _must(log, done)
    for done in accounts.unlock(account, order.locks_at):
        _must(log, done)


def _make_folders(record: Record, log: list[str]) -> None:
    for folder in (record.home, *record.scratch):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            status = os.fstat(handle)
            if status.st_uid not in (0, record.uid) or not stat.S_ISDIR(status.st_mode):
                raise WorkFailed(f"{folder} belongs to somebody else.")
            os.fchown(handle, record.uid, record.uid)
            os.fchmod(handle, 0o700)
        finally:
            os.close(handle)
        log.append(f"{folder} is the account's alone.")


def _write_limits(order: Order) -> None:
    accounts.LIMITS.mkdir(mode=0o755, parents=True, exist_ok=True)
    text = (
        f"# Of rsm-agent, for the booking {order.booking}.\n"
        f"{order.account} - nproc {order.processes}\n{order.account} - nofile {order.open_files}\n{order.account} - core 0\n"
    )
    write_whole(accounts.LIMITS / f"{order.account}.conf", text, mode=0o644)


# Correcting


def _correct(context: Context, entry: Entry, record: Record, order: Order, log: list[str]) -> dict[str, Any]:
    """Other keys, or another end, for an account that is there. It is never taken away here."""
    if accounts.of_system(record.account) is None:
        raise WorkFailed(f"The account {record.account} was made by this agent, but it is gone from the machine.")
    entry.note("correct")
    for done in accounts.unlock(record.account, order.locks_at):
        _must(log, done)
    _write_limits(order)
    # Before the keys: if it dies in between, the account is closed by the new end or, at the latest, by the old keys' one.
    record.phase, record.expires_at = "open", stamp(order.expires_at)
    accounts.save(context, record)
    _say(log, endtimer.set_for(record, order.expires_at))
    if order.access == "container":
        _say(log, container.start(record, order.image, order.processes))
    entry.note("login")
    _say(log, keys.prepare(record.account))
    log.append(keys.check_login(context, record, order.keys, order.expires_at, _options(order), new=False))
    entry.note("open")
    return _result(context, order, context.now(), inventory.collect(), log)


def _close(context: Context, entry: Entry, record: Record, order: Order, log: list[str]) -> dict[str, Any]:
    """The end was moved to a moment that has passed: it is over now."""
    entry.note("close")
    record.expires_at = stamp(order.expires_at)
    accounts.save(context, record)
    _say(log, accounts.lock(record.account))
    keys.remove(record)
    ended = processes.end_all(record.account, record.uid, record.ids)
    if not accounts.is_locked(record.account) or ended.left:
        raise WorkFailed(f"{record.account} could not be closed.")
    record.phase = "locked"
    accounts.save(context, record)
    log.append("The end has passed: the account is locked.")
    return _result(context, order, context.now(), inventory.collect(), log)


def _result(
    context: Context, order: Order, checked_at: datetime, facts: dict[str, Any], log: list[str]
) -> dict[str, Any]:
    host = getattr(context.config, "ssh_host", "") or ""
    return {
        "account": order.account,
        "ssh": {"host": host, "port": context.config.ssh_port},
        "host_keys": [{"type": line.split()[0], "fingerprint": fingerprint(line)} for line in keys.host_keys()],
        "keys": [fingerprint(key) for key in order.keys],
        "login_checked_at": stamp(checked_at),
        "inventory": facts,
        "log": "\n".join(log),
    }


def _options(order: Order) -> str:
    return container.OPTIONS if order.access == "container" else ""


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _must(log: list[str], done: Done) -> None:
    log.append(str(done))
    if not done.ok:
        raise WorkFailed(f"{done.command.split()[0]} failed: {done.errors.strip() or done.output.strip()}")


def _say(log: list[str], commands: list[Done]) -> None:
    log.extend(str(done) for done in commands)
