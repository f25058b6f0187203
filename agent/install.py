"""Running by itself: the program in its place, and a unit of systemd that starts it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from agent.building import build
from agent.config import DEFAULT_FOLDER, Config
from agent.errors import AgentError
from agent.files import write_whole
from agent.shell import has, run

NAME = "rsm-agent"
PROGRAM = Path("/usr/local/lib/rsm-agent/rsm-agent.pyz")
UNIT = Path("/etc/systemd/system/rsm-agent.service")

_UNIT = """[Unit]
Description=Remote Servers Marketplace: agent
Documentation={page}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
Restart=always
RestartSec=10
# Not enrolled: starting it again would not help.
RestartPreventExitStatus=78
# What the agent is in the middle of, such as deleting an account, ends by itself.
KillMode=process
TimeoutStopSec=20
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""


def install(config: Config) -> list[str]:
    """Put the program and its unit in place and start it. What was done, a sentence each; AgentError when it fails."""
    PROGRAM.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _replace_program()
    said = [f"The program is {PROGRAM}."]
    if not systemd_runs():
        command = " ".join(shlex.quote(word) for word in _command(config))
        return [*said, f"systemd does not run here. Have this started as root whenever the machine starts: {command}"]
    write_whole(UNIT, unit(config), mode=0o644)
    for words in (["daemon-reload"], ["enable", NAME], ["restart", NAME]):
        done = run(["systemctl", *words])
        if not done.ok:
            raise AgentError(f"The service could not be started:\n{done}")
    return [*said, f"The service {NAME} runs and starts with the machine. Its log: journalctl -u {NAME}"]


def unit(config: Config) -> str:
    """The unit's text. The page's address is the marketplace's word: on a line of its own it would be a setting."""
    page = config.page if re.fullmatch(r"https?://[!-~]+", config.page) and "\\" not in config.page else config.server
    return _UNIT.format(page=page.replace("%", "%%"), command=_for_unit(_command(config)))


def uninstall(config: Config) -> list[str]:
    """Stop the service of this installation, and take its unit and program away. What was done, a sentence each."""
    try:
        there = UNIT.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    if _for_unit(_command(config)[1:]) not in there:
        return [f"The service {NAME} works with another state folder, and stays."]
    if systemd_runs():
        run(["systemctl", "disable", "--now", NAME])
    UNIT.unlink(missing_ok=True)
    if systemd_runs():
        run(["systemctl", "daemon-reload"])
    shutil.rmtree(PROGRAM.parent, ignore_errors=True)
    return [f"The service {NAME} is stopped and removed, and {PROGRAM.parent} too."]


def systemd_runs() -> bool:
    """Whether systemd is what started this machine."""
    return Path("/run/systemd/system").is_dir() and has("systemctl")


def _replace_program() -> None:
    # Beside and renamed: a service that is just reading the old one reads it to its end.
    beside = PROGRAM.with_suffix(".new")
    beside.write_bytes(program())
    beside.chmod(0o755)
    os.replace(beside, PROGRAM)


def program() -> bytes:
    """The zipapp that is running, or one built from the folder that is."""
    here = Path(__file__).parent.parent
    return here.read_bytes() if here.is_file() else build(here)


def _command(config: Config) -> list[str]:
    elsewhere = ["--state", str(config.folder)] if config.folder != DEFAULT_FOLDER else []
    return [sys.executable or "/usr/bin/python3", str(PROGRAM), *elsewhere, "run"]


def _for_unit(command: list[str]) -> str:
    """As systemd reads it: blanks in quotes, its own signs doubled."""
    words = [word.replace("%", "%%").replace("$", "$$") for word in command]
    return " ".join(f'"{word}"' if " " in word else word for word in words)
