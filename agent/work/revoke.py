"""Ending a buyer's access: nobody gets in, nothing of theirs runs; their data stays for the wipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.errors import WorkFailed
from agent.work import accounts, endtimer, keys, processes

if TYPE_CHECKING:
    from agent.context import Context
    from agent.journal import Entry


def run(context: Context, entry: Entry) -> dict[str, Any]:
    """Lock the account, remove the keys, end sessions and processes. WorkFailed when one of these did not succeed."""
    account = accounts.checked_name(entry.payload.get("account"))
    record = accounts.must_be_ours(context, account)
    if record is None:
        return _result(entry, 0, 0, "There is no such account on this machine.")
    entry.note("lock")
    log = [str(done) for done in accounts.lock(account)]
    keys.remove(record)
    ended = processes.end_all(account, record.uid, record.ids)
    keys.remove(record)  # once more, now that nobody can put one back
    log += [str(done) for done in (*ended.log, *endtimer.remove(account))]
    if not accounts.is_locked(account):
        raise WorkFailed(f"{account} could not be locked.", {"log": "\n".join(log)})
    if keys.present(record):
        raise WorkFailed(f"The keys of {account} could not be removed.", {"log": "\n".join(log)})
    if ended.left:
        raise WorkFailed(f"{ended.left} processes of {account} do not end.", {"log": "\n".join(log)})
    if record.phase not in accounts.GONE:
        record.phase = "locked"
        accounts.save(context, record)
    return _result(entry, ended.sessions, ended.processes, "\n".join(log))


def _result(entry: Entry, sessions: int, count: int, log: str) -> dict[str, Any]:
    """What was ended before the agent died, if it did, counts too."""
    before = entry.noted("ended") or {}
    sessions, count = sessions + int(before.get("sessions", 0)), count + int(before.get("processes", 0))
    entry.note("ended", sessions=sessions, processes=count)
    return {"locked": True, "sessions_ended": sessions, "processes_ended": count, "log": log}
