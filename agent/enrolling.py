"""Becoming an agent of the marketplace, and ceasing to be one."""

from __future__ import annotations

import hashlib
import shutil
import socket
import time
from typing import Any, Callable

from agent import VERSION, inventory
from agent.backoff import Backoff
from agent.config import Config
from agent.errors import AgentError, Away, Refused
from agent.journal import Journal
from agent.signing import Key
from agent.wire import Wire
from agent.words import plain

#: How often an enrolment is sent while the marketplace is away; the code is good for 15 minutes.
TRIES = 5

Say = Callable[[str], None]


def code_digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def tidy(code: str) -> str:
    """As it was shown, however it was typed."""
    return code.strip().upper()


def enroll(config: Config, code: str, say: Say) -> None:
    """Enrol with this code and save what the marketplace answers. AgentError or WireError when it does not come to it.

    The key stays between tries: an answer that was lost is given again to the same code and the same key.
    """
    config.prepare()
    key = own_key(config)
    say(f"The key of this machine: {key.fingerprint}")
    found = inventory.collect()
    say(f"The inventory: {described(found)}")
    answer = _sent(Wire(config, key), _message(config, key, code, found), say)
    try:
        _adopt(config, answer, code)
    except (KeyError, TypeError, ValueError) as error:
        raise AgentError(f"The marketplace's answer lacks something: {error}") from None
    say(f"Enrolled for {config.machine_name}{', node ' + config.node if config.node else ''}.")
    if config.page:
        say(f"Its page: {config.page}")


def own_key(config: Config) -> Key:
    return Key.load(config.key_path) if config.key_path.exists() else Key.create(config.key_path)


def _message(config: Config, key: Key, code: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "enroll",
        "code": code,
        "public_key": key.public,
        "version": VERSION,
        "hostname": socket.gethostname(),
        "inventory": found,
        "ssh": {"host": config.ssh_host, "port": config.ssh_port},
        "simulated": False,
    }


def _sent(wire: Wire, message: dict[str, Any], say: Say) -> dict[str, Any]:
    backoff = Backoff()
    for left in range(TRIES - 1, -1, -1):
        try:
            return wire.signed("/agent/v1/enroll", message)
        except Away as error:
            if not left:
                raise
            wait = backoff.after_failure(error.retry_after)
            say(f"{error} Once more in {wait:.0f} s.")
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _adopt(config: Config, answer: dict[str, Any], code: str) -> None:
    """The token first: an agent that says that it is enrolled has one."""
    agent, machine, token = plain(answer["agent"]), plain(answer["machine"]), plain(answer["token"])
    config.save_token(token)
    config.agent, config.machine = agent, machine
    config.machine_name = plain(answer.get("machine_name") or machine)
    config.node = plain(answer.get("node") or "")
    config.page = plain(answer.get("page") or "")
    config.access_kind = plain(answer.get("access_kind") or "agent")
    config.platform_key = plain(answer.get("platform_key") or "")
    config.heartbeat_seconds = int(answer.get("heartbeat_seconds") or 30)
    config.code_sha256 = code_digest(code)
    config.save()


def described(found: dict[str, Any]) -> str:
    """The inventory in a line."""
    gpus = [gpu["model"] for gpu in found["gpus"]]
    cards = ", ".join(f"{gpus.count(model)} × {model}" for model in sorted(set(gpus))) or "no GPU"
    return (
        f"{cards}; {found['cpu']['model']}, {found['cpu']['cores']} cores; {found['memory_mb'] // 1024} GiB of memory"
    )


def unenroll(config: Config, say: Say, *, force: bool) -> None:
    """Tell the marketplace. AgentError when work is unfinished or it refuses, unless ``force``."""
    unfinished = Journal(config.journal_path).unfinished()
    if unfinished and not force:
        kinds = ", ".join(entry.kind for entry in unfinished)
        raise AgentError(f"Work is unfinished ({kinds}): let the agent end it, or give --force to leave it undone.")
    try:
        Wire(config, Key.load(config.key_path)).signed("/agent/v1/unenroll", {"kind": "unenroll"})
        say("The marketplace was told.")
    except AgentError as error:
        unknown_there = isinstance(error, Refused) and (error.status == 401 or error.code in ("unknown", "revoked"))
        if not (force or unknown_there):
            raise
        say(f"The marketplace was not told: {error}")


def forget(config: Config) -> None:
    """Remove the key and all else that the agent keeps; other people's files in the folder stay."""
    for name in ("token", "key", "key.pub", "config.json", "sequence", "sequence.lock", "heartbeat.json", "lock"):
        (config.folder / name).unlink(missing_ok=True)
    for folder in (config.journal_path, config.accounts_path):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        config.folder.rmdir()
    except OSError:
        return
