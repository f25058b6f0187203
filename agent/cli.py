"""The commands that an administrator gives."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from agent import VERSION, benchmark, gpus, handlers, install, selftest
from agent.config import DEFAULT_FOLDER, Config, folder_of
from agent.context import Context
from agent.enrolling import code_digest, enroll, forget, tidy, unenroll
from agent.errors import AgentError
from agent.inventory import ssh_port
from agent.journal import Journal
from agent.loop import work
from agent.signing import Key
from agent.wire import Wire, checked_server

#: How the program ends when it is not enrolled; systemd does not start it again then.
NOT_ENROLLED = 78


class NotEnrolled(AgentError):
    """The command is for an agent that is enrolled."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status."""
    options = _parser().parse_args(arguments)
    _log(options.verbose)
    try:
        return int(options.command(options, Config.load(folder_of(options.state))))
    except NotEnrolled as error:
        print(error, file=sys.stderr)
        return NOT_ENROLLED
    except AgentError as error:
        print(f"rsm-agent: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"rsm-agent: {error.filename}: permission denied. Run it as root.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    parser = argparse.ArgumentParser(
        prog="rsm-agent",
        description="The agent of the Remote Servers Marketplace: lets buyers in, measures, erases, and proves it.",
        epilog="What it says to the marketplace is described in docs/agent-protocol.md there.",
    )
    parser.add_argument("--version", action="version", version=f"rsm-agent {VERSION}")
    parser.set_defaults(state=None, verbose=False)
    for place in (parser, common):
        # Before the command or after it; what is not given there must not undo what was given here.
        where = f"folder of key, token and journal ({DEFAULT_FOLDER})"
        place.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=where)
        place.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="say more")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    one = commands.add_parser("enroll", parents=[common], help="make this server known to the marketplace")
    one.add_argument("--server", required=True, metavar="URL", help="the marketplace's address, https://...")
    one.add_argument("--code", required=True, help="the code that the machine's page shows; good once, for 15 minutes")
    one.add_argument("--install", action="store_true", help="install it as a service that starts with the machine")
    one.add_argument("--ssh-host", default="", metavar="HOST", help="the name or address under which buyers reach sshd")
    one.add_argument(
        "--ssh-port", type=int, default=0, metavar="PORT", help="the port under which they do (sshd's own)"
    )
    one.add_argument(
        "--scratch",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder that buyers may write into; may be repeated",
    )
    one.add_argument(
        "--ca-file", default="", metavar="FILE", help="certificates to trust, where the marketplace has its own"
    )
    one.set_defaults(command=_enroll)

    one = commands.add_parser("run", parents=[common], help="work until stopped (the service does this)")
    one.set_defaults(command=_run)

    one = commands.add_parser("self-test", parents=[common], help="check whether this server can be offered")
    one.add_argument("--thorough", action="store_true", help="also make an account and remove it again")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_self_test)

    one = commands.add_parser("benchmark", parents=[common], help="measure this server and print the values")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_benchmark)

    one = commands.add_parser("status", parents=[common], help="what it is enrolled as, and whether it is heard")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_status)

    one = commands.add_parser(
        "unenroll", parents=[common], help="take this server from the marketplace and forget the key"
    )
    one.add_argument("--force", action="store_true", help="also with unfinished work, or when the marketplace says no")
    one.set_defaults(command=_unenroll)
    return parser


def _enroll(options: argparse.Namespace, config: Config) -> int:
    _need_root(config)
    code = tidy(options.code)
    if config.enrolled and config.code_sha256 != code_digest(code):
        raise AgentError(f"This server is enrolled already, as {config.machine_name}. First: rsm-agent unenroll")
    if config.enrolled:
        _say(f"Enrolled already with this code, as {config.machine_name}.")
    else:
        config.server = checked_server(options.server)
        config.ca_file = os.path.abspath(options.ca_file) if options.ca_file else ""
        config.ssh_host = options.ssh_host
        config.sshd_port = ssh_port()
        config.ssh_port = options.ssh_port or config.sshd_port
        config.scratch = [os.path.abspath(folder) for folder in options.scratch]
        enroll(config, code, _say)
    _say("The self-test:")
    found = selftest.checks(config, _wire(config))
    print(selftest.table(found), flush=True)
    _send_self_test(config, found)
    if options.install:
        for sentence in install.install(config):
            _say(sentence)
    else:
        _say("It works while this runs: rsm-agent run (or give --install).")
    return 0


def _run(options: argparse.Namespace, config: Config) -> int:
    _need_enrolled(config)
    _need_root(config)
    context = Context(config, Key.load(config.key_path), _wire(config), Journal(config.journal_path))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: context.stopping.set())
    work(context, handlers=handlers.HANDLERS, undo=handlers.UNDO, lock_expired=handlers.lock_expired)
    return 0


def _self_test(options: argparse.Namespace, config: Config) -> int:
    wire = _wire(config) if config.enrolled else None
    found = selftest.checks(config, wire, thorough=options.thorough)
    if options.json:
        print(json.dumps([check.as_dict() for check in found], indent=1))
    else:
        print(selftest.table(found))
    if config.enrolled:
        _send_self_test(config, found)
    return 1 if selftest.failed(found) else 0


def _send_self_test(config: Config, found: list[selftest.Check]) -> None:
    """What it found is printed already: not being able to send it is said, no more."""
    try:
        _wire(config).signed("/agent/v1/self-test", selftest.message(found))
    except AgentError as error:
        print(f"The marketplace was not told: {error}", file=sys.stderr)


def _benchmark(options: argparse.Namespace, config: Config) -> int:
    context = None
    if config.enrolled:
        context = Context(config, Key.load(config.key_path), _wire(config), Journal(config.journal_path))
    result = benchmark.measure(_by_hand(), context)
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    reasons = result.get("reasons", {})
    for name, value in result["values"].items():
        print(f"  {name:<24}{reasons.get(name, 'not measured') if value is None else value}")
    return 0


def _by_hand() -> dict[str, Any]:
    """The order that the marketplace would give, by what is found here."""
    cards = gpus.facts()[0]
    memory = [card["memory_mb"] for card in cards if card["memory_mb"]]
    return {
        "seed": os.urandom(16).hex(),
        "seconds": 60,
        "gpu_count": len(cards),
        "gpu_memory_gb": round(min(memory) * 2**20 / 1e9) if memory else 0,
        "download_url": "/agent/v1/speed/",
        "upload_url": "/agent/v1/speed/",
        "iperf3": None,
    }


def _status(options: argparse.Namespace, config: Config) -> int:
    said = status(config)
    if options.json:
        print(json.dumps(said, indent=1))
    elif not config.enrolled:
        print("Not enrolled.")
    else:
        for title, value in said.items():
            print(f"  {title.replace('_', ' '):<16}{', '.join(value) if isinstance(value, list) else value}")
    return 0 if config.enrolled else NOT_ENROLLED


def status(config: Config) -> dict[str, Any]:
    """What the agent is, when it was last answered, and what it is in the middle of."""
    if not config.enrolled:
        return {"enrolled": False}
    try:
        last = json.loads(config.last_path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        last = {}
    return {
        "enrolled": True,
        "version": VERSION,
        "server": config.server,
        "machine": config.machine_name,
        "node": config.node,
        "agent": config.agent,
        "key": Key.load(config.key_path).fingerprint,
        "page": config.page,
        "last_heartbeat": last.get("answered_at", ""),
        "last_error": last.get("error", ""),
        "unfinished": [f"{entry.kind} {entry.id}" for entry in Journal(config.journal_path).unfinished()],
    }


def _unenroll(options: argparse.Namespace, config: Config) -> int:
    _need_enrolled(config)
    _need_root(config)
    unenroll(config, _say, force=options.force)
    for sentence in install.uninstall(config):
        _say(sentence)
    forget(config)
    _say("The key and the state are removed.")
    return 0


def _wire(config: Config) -> Wire:
    return Wire(config, Key.load(config.key_path))


def _need_enrolled(config: Config) -> None:
    if not config.enrolled:
        raise NotEnrolled(f"Not enrolled ({config.folder} holds no agent). See rsm-agent enroll --help")


def _need_root(config: Config) -> None:
    """With a state folder of one's own it may be tried without."""
    if os.geteuid() == 0:
        return
    if config.folder == DEFAULT_FOLDER:
        raise AgentError("This needs root: it makes and removes accounts. Run it with sudo.")
    print("Not root: accounts cannot be made or removed.", file=sys.stderr)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


class _Journal(logging.Formatter):
    """Lines with their priority, as systemd's journal reads them."""

    def format(self, record: logging.LogRecord) -> str:
        level = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
        mark = f"<{7 if record.levelno < logging.INFO else level}>"
        return "\n".join(mark + line for line in super().format(record).split("\n"))


def _log(verbose: bool) -> None:
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(_Journal("%(message)s") if "JOURNAL_STREAM" in os.environ else plain)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
