"""Taking everything of a buyer's off the machine, and evidence of it.

Five steps, each of which looks afterwards whether it succeeded. All of them may be repeated: an agent that died, or a
wipe that failed, begins at the first one again and finds little left to do. In the terms of NIST SP 800-88 it is a *Clear*: what
was theirs is deleted and, where the disk is one that can be told so, its blocks are given back (``fstrim``).

What belongs to a buyer is told by its owner: user numbers are given out once, so nobody else's file can have theirs. Their
home and scratch folders go with all that is in them; elsewhere only what is theirs is removed. A file of somebody else's that merely
has their group is not removed, but it is told and the wipe fails: a person has to look.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agent
from agent.context import stamp
from agent.errors import WorkFailed
from agent.shell import Done, has
from agent.shell import run as run_command
from agent.signing import ERASURE, canonical
from agent.work import accounts, endtimer, filesystems, ipc, keyring, keys, processes, residue
from agent.work.accounts import IdSet, Record

if TYPE_CHECKING:
    from agent.context import Context
    from agent.journal import Entry

#: File systems that can tell their disk which blocks are free.
#: Letters of a step's summary that the marketplace takes.
MOST_SUMMARY = 2000
#: Bytes of logs that are reported: twice quoted they still fit into one request.
MOST_LOGS = 512 * 1024
_TRIMMED = (b"ext4", b"xfs", b"btrfs", b"f2fs")


@dataclass
class Step:
    """What became of one of the five steps."""

    summary: str
    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class Wipe:
    """One run through the five steps."""

    context: Context
    entry: Entry
    record: Record
    ids: IdSet
    #: Whether to look for what is theirs on every file system, not only in their own folders.
    everywhere: bool = True
    log: list[str] = field(default_factory=list)
    residue: residue.Residue = field(default_factory=residue.Residue)

    # 1

    def session_termination(self) -> Step:
        account = self.record.account
        self._say(accounts.lock(account))
        self._say(endtimer.remove(account))
        ended = processes.end_all(account, self.record.uid, self.ids)
        self._say(ended.log)
        step = Step("{sessions} sessions and {processes} processes ended; none is left")
        step.counts = {"sessions": ended.sessions, "processes": ended.processes}
        left = len(processes.of(self.ids))
        if left:
            step.problems.append(f"{left} processes do not end")
        if not accounts.is_locked(account):
            step.problems.append("the account could not be locked")
        return step

    # 2

    def ssh_key_removal(self) -> Step:
        before = keys.present(self.record)
        keys.remove(self.record)
        step = Step("{key_files} files of keys removed; none is left", counts={"key_files": before})
        if keys.present(self.record):
            step.problems.append("a file of keys could not be removed")
        return step

    # 3

    def home_directory_purge(self) -> Step:
        done = filesystems.Removed()
        trimmed = self._mount_points()
        own = [os.fsencode(folder) for folder in (self.record.home, *self.record.scratch)]
        unmounted, mounted = filesystems.unmount_of_user(self.ids, [*own, *self._runtime()])
        # What starts things by itself first, so that nothing new is written while the rest is removed.
        self._let_go_of_journal()
        for path in [path for path in residue.named(self.record) if os.fsencode(path) not in own]:
            done += filesystems.remove(os.fsencode(path), None)
        processes.end_all(self.record.account, self.record.uid, self.ids)
        for folder in own:
            done += filesystems.remove(folder, self.ids, whole=self.record.uid > 0)
        walk, theirs, others = filesystems.Walk(self.ids), [], 0
        for found in walk if self.everywhere else ():
            if found.status.st_uid in self.ids:
                theirs.append(found.path)
                done += filesystems.remove(found.path, self.ids)
            else:
                others += 1
        objects, objects_left, commands = ipc.remove(self.ids)
        self._say(commands)
        secrets = keyring.clear(self.record.uid)
        self._trim(trimmed)
        step = Step(
            "{files} files, {folders} folders and {ipc} IPC objects removed from all local file systems; none is left"
        )
        step.counts = {**done.counts, "ipc": objects, "unmounted": unmounted, "kernel_keys": secrets}
        left = len(residue.named(self.record)) + sum(os.path.lexists(path) for path in theirs)
        self.log.append(f"Looked at {walk.objects} objects; removed {done.files} files and {done.folders} folders.")
        self.log += [
            f"The system said {done.problems.count(text)} times: {text}" for text in sorted(set(done.problems))
        ]
        if left or mounted or objects_left or walk.unseen:
            step.problems.append(
                f"left: {left} files and folders, {mounted} mounts, {objects_left} IPC objects; {walk.unseen} folders could not be read"
            )
        if secrets and keyring.left(self.record.uid):
            step.problems.append(
                "keys in the kernel's keyrings cannot be removed: they go when the machine is restarted"
            )
        if others:
            step.problems.append(f"{others} files of other users have the buyer's group and were not touched")
        return step

    # 4

    def user_deletion(self) -> Step:
        account = self.record.account
        step = Step(
            "the account, its group and its limits are gone",
            counts={"accounts": int(accounts.of_system(account) is not None)},
        )
        self._say(accounts.remove_entry(self.record))
        (accounts.LIMITS / f"{account}.conf").unlink(missing_ok=True)
        left = [f"/etc/{name}" for name in residue.LISTS if residue.entries_in(name, account)]
        if left:
            step.problems.append(f"still in {', '.join(left)}")
        return step

    # 5

    def residue_verification(self) -> Step:
        self.residue = residue.look(self.record, self.ids)
        step = Step(
            "{objects} objects on {file_systems} file systems, processes, jobs, timers, IPC, keys and accounts looked at; nothing is left"
        )
        step.counts = {"objects": self.residue.objects, "file_systems": len(self.residue.file_systems)}
        if self.residue.left:
            kinds = [
                f"{one['count']} × {one['kind']}" + (f" in {one['where']}" if one["where"] else "")
                for one in self.residue.as_list()
            ]
            step.problems.append(f"left: {', '.join(kinds)}")
        return step

    def _let_go_of_journal(self) -> None:
        """systemd keeps a journal of each user's open: it closes them all when it writes to /run for a moment."""
        if processes.has_systemd() and residue.written_for(self.record.uid):
            self._say([run_command(["journalctl", "--relinquish-var"]), run_command(["journalctl", "--flush"])])

    def _say(self, commands: list[Done]) -> None:
        self.log.extend(str(done) for done in commands)

    def _runtime(self) -> list[bytes]:
        return [b"/run/user/%d" % self.record.uid] if self.record.uid > 0 else []

    def _mount_points(self) -> list[filesystems.Mount]:
        """The file systems that their folders are on."""
        found = []
        for folder in (self.record.home, *self.record.scratch):
            mount = filesystems.holding(os.fsencode(os.path.dirname(folder)))
            if mount is not None and mount not in found:
                found.append(mount)
        return found

    def _trim(self, on: list[filesystems.Mount]) -> None:
        """It says in the log whether blocks were given back to the disk; the wipe does not depend on it."""
        for mount in on:
            if mount.kind not in _TRIMMED:
                self.log.append(f"{filesystems.printable(mount.point)} is {mount.kind.decode()}, which is not trimmed.")
            elif has("fstrim"):
                self._say([run_command(["fstrim", "--verbose", os.fsdecode(mount.point)], timeout=15)])


#: The steps in the marketplace's words (``WipeMethod``), in their order.
STEPS: tuple[tuple[str, Callable[[Wipe], Step]], ...] = (
    ("session_termination", Wipe.session_termination),
    ("ssh_key_removal", Wipe.ssh_key_removal),
    ("home_directory_purge", Wipe.home_directory_purge),
    ("user_deletion", Wipe.user_deletion),
    ("residue_verification", Wipe.residue_verification),
)


def run(context: Context, entry: Entry) -> dict[str, Any]:
    """Wipe, and return the protocol's result. WorkFailed, with the same result, unless every step was a success."""
    payload = entry.payload
    account = accounts.checked_name(payload.get("account"))
    booking = accounts.checked_booking(payload.get("booking"))
    for name in ("booking_id", "machine"):
        if not isinstance(payload.get(name), str) or not payload[name]:
            raise WorkFailed(f"The work does not say its {name}.")
    record = accounts.must_be_ours(context, account)
    if record is not None and record.booking != booking:
        raise WorkFailed(f"{account} is not the account of this booking.")
    wipe = _of(context, entry, record, account, booking)
    if entry.noted("begin") is None:
        entry.note("begin", at=stamp(context.now()))
    steps = [_step(wipe, method, action) for method, action in STEPS]
    result = _evidence(wipe, steps)
    failed = [step for step in steps if step["status"] != "success"]
    if failed:
        raise WorkFailed(
            "The wipe is not complete: " + "; ".join(f"{step['method']}: {step['summary']}" for step in failed), result
        )
    if record is not None:
        record.phase = "wiped"
        accounts.save(context, record)
    entry.note("wiped")
    return result


def _of(context: Context, entry: Entry, record: Record | None, account: str, booking: str) -> Wipe:
    if record is not None:
        for folder in _scratch(entry.payload, context):
            mine = str(Path(folder).resolve() / account)
            if mine not in record.scratch and _is_theirs(mine, record.ids):
                record.scratch.append(mine)
        return Wipe(context, entry, record, record.ids)
    # Never made here, as far as the agent knows. So that this is no empty promise: nothing of *any* number that buyers are
    # given and that is nobody's now may be on the machine.
    return Wipe(context, entry, Record(account, booking, -1, str(accounts.HOMES.resolve() / account)), _orphans())


def _scratch(payload: dict[str, Any], context: Context) -> list[str]:
    given = payload.get("scratch") or []
    if not isinstance(given, list) or not all(isinstance(one, str) and one.startswith("/") for one in given):
        raise WorkFailed("The scratch folders cannot be read.")
    return [*given, *context.config.scratch]


def _is_theirs(folder: str, ids: IdSet) -> bool:
    try:
        return os.lstat(folder).st_uid in ids
    except OSError:
        return False


def _orphans() -> IdSet:
    """The numbers for buyers that something on this machine has, and nobody.

    Each is asked for by itself: the lists of all users and groups leave out those of a directory (LDAP).
    """
    possible = IdSet([(accounts.FIRST_UID, accounts.LAST_UID)])
    seen = processes.numbers(possible) | ipc.numbers(possible)
    for found in filesystems.Walk(possible):
        seen |= {number for number in (found.status.st_uid, found.status.st_gid) if number in possible}
    return IdSet([(number, number) for number in seen if not accounts.is_taken(number)])


def _step(wipe: Wipe, method: str, action: Callable[[Wipe], Step]) -> dict[str, Any]:
    """Do a step. What was counted before the agent died, or in an attempt that failed, is added."""
    before = (wipe.entry.noted(f"{method}.done") or {}).get("counts", {})
    wipe.entry.note(method)
    try:
        step = action(wipe)
    except (OSError, WorkFailed) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        step = Step("", problems=[f"it broke off: {text}"])
    counts = dict(step.counts)
    if method != "residue_verification":
        counts = {name: count + int(before.get(name, 0)) for name, count in counts.items()}
    wipe.entry.note(f"{method}.done", counts=counts)
    status = "failed" if step.problems else "success"
    summary = "; ".join(step.problems) if step.problems else step.summary.format(**counts)
    wipe.log.append(f"{method}: {status}: {summary}")
    return {
        "method": method,
        "status": status,
        "at": stamp(wipe.context.now()),
        "summary": summary[:MOST_SUMMARY],
        "counts": counts,
    }


def _evidence(wipe: Wipe, steps: list[dict[str, Any]]) -> dict[str, Any]:
    context, work, payload = wipe.context, wipe.entry.work, wipe.entry.payload
    logs = _shortened("\n".join(wipe.log))
    evidence = canonical(
        {
            "type": "rsm-erasure-evidence", "version": 1,
            "booking": payload["booking_id"], "reference": payload["booking"], "machine": payload["machine"],
            "agent": context.config.agent, "account": payload["account"], "nonce": work["nonce"], "attempt": work["attempt"],
            "started_at": (wipe.entry.noted("begin") or {})["at"], "finished_at": stamp(context.now()),
            "agent_version": agent.VERSION, "standard": "NIST SP 800-88 Rev. 2", "sanitization": "Clear",
            "logs_sha256": hashlib.sha256(logs.encode()).hexdigest(),
            "host": {
                "hostname_sha256": hashlib.sha256(socket.gethostname().encode()).hexdigest(),
                "os": _os_name(), "kernel": platform.release(),
            },
            "steps": steps,
            "checked": {
                "file_systems": wipe.residue.file_systems, "objects_looked_at": wipe.residue.objects,
                "left": wipe.residue.as_list(),
            },
        }
    )  # fmt: skip
    return {"evidence": evidence, "evidence_signature": context.key.sign(ERASURE, evidence.encode()), "logs": logs}


def _shortened(logs: str) -> str:
    """What the marketplace takes: the beginning and the end of very long logs, and how much lies between."""
    data = logs.encode()
    if len(data) <= MOST_LOGS:
        return logs
    half = MOST_LOGS // 2
    first, last = (part.decode(errors="ignore") for part in (data[:half], data[-half:]))
    return f"{first}\n[{len(data) - 2 * half} bytes are left out here]\n{last}"


def _os_name() -> str:
    try:
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip('"')
    except OSError:
        pass
    return platform.system()
