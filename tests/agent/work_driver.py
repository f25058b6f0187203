"""Runs inside the disposable machine: does one piece of work as the agent does it, and prints what became of it.

``work_driver.py <kind> <work as JSON>``; ``RSM_PORT``: sshd's port; ``RSM_OFFSET``: seconds by which the marketplace's clock is
ahead; ``RSM_KILL_AT``: the number of the note in the journal after which the process kills itself.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))

from agent.config import Config
from agent.context import Context
from agent.errors import WorkFailed
from agent.journal import Entry, Journal
from agent.signing import Key
from agent.work import provision, revoke, wipe

FOLDER = Path("/var/lib/rsm-agent")


def main() -> None:
    kind = sys.argv[1]
    work = json.loads(sys.argv[2])
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_path = FOLDER / "key"
    key = Key.load(key_path) if key_path.exists() else Key.create(key_path)
    clock = SimpleNamespace(server_clock=lambda: time.time() + float(os.environ.get("RSM_OFFSET", "0")))
    config = Config(FOLDER, agent="the-agent", ssh_port=int(os.environ["RSM_PORT"]), scratch=["/scratch"])
    context = Context(config, key, clock, Journal(FOLDER / "journal"))
    if kind == "lock_expired":
        print(json.dumps({"locked": provision.lock_expired(context)}))
        return
    _die_at(int(os.environ.get("RSM_KILL_AT", "0")))
    entry = context.journal.open({"id": "0" * 8, "kind": kind, "nonce": "n", "attempt": 1, "payload": {}, **work})
    handlers = {"provision": provision.run, "revoke": revoke.run, "wipe": wipe.run, "undo": provision.undo}
    try:
        print(json.dumps({"status": "done", "result": handlers[kind](context, entry), "public": key.public}))
    except WorkFailed as error:
        print(json.dumps({"status": "failed", "error": str(error), "result": error.result, "public": key.public}))
    if "RSM_KEEP" not in os.environ:
        context.journal.close(entry)


def _die_at(number: int) -> None:
    note, count = Entry.note, 0

    def counted(self, step, **facts):  # type: ignore[no-untyped-def]
        nonlocal count
        note(self, step, **facts)
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Entry.note = counted  # type: ignore[method-assign]


main()
