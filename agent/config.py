"""What this installation is: the marketplace, its place there, and where its files lie."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from agent.errors import AgentError
from agent.files import write_whole

DEFAULT_FOLDER = Path("/var/lib/rsm-agent")


def folder_of(option: str | None) -> Path:
    """The state folder: what was given on the command line, else ``RSM_AGENT_STATE``, else the usual one."""
    return Path(option or os.environ.get("RSM_AGENT_STATE") or DEFAULT_FOLDER).absolute()


@dataclass
class Config:
    """``config.json`` in the state folder. The token and the key are in files of their own."""

    folder: Path
    server: str = ""
    agent: str = ""
    machine: str = ""
    machine_name: str = ""
    node: str = ""
    page: str = ""
    access_kind: str = "agent"
    #: How buyers reach sshd from outside; "" leaves the address to the marketplace.
    ssh_host: str = ""
    ssh_port: int = 22
    #: Where sshd listens on this machine itself: behind a router the two may differ. 0 when that is not known.
    sshd_port: int = 0
    #: Folders beside their homes that buyers may write into: emptied by a wipe.
    scratch: list[str] = field(default_factory=list)
    heartbeat_seconds: int = 30
    platform_key: str = ""
    ca_file: str = ""
    #: SHA-256 of the code that it was enrolled with: the same command given twice is no mistake.
    code_sha256: str = ""

    @classmethod
    def load(cls, folder: Path) -> Config:
        """Read it; one that is not enrolled when there is none. AgentError when it cannot be read."""
        try:
            data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            known = {one.name for one in fields(cls)} - {"folder"}
            return cls(folder, **{name: value for name, value in data.items() if name in known})
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise AgentError(f"{folder / 'config.json'} cannot be read: {error}") from None

    def save(self) -> None:
        """Write it whole or not at all, for root's eyes alone."""
        self.prepare()
        data = asdict(self)
        del data["folder"]
        write_whole(self.folder / "config.json", json.dumps(data, indent=1, sort_keys=True) + "\n")

    def prepare(self) -> None:
        """Make the state folder."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise AgentError(f"{self.folder} cannot be made: {error.strerror}.") from None

    @property
    def enrolled(self) -> bool:
        return bool(self.agent)

    @property
    def key_path(self) -> Path:
        return self.folder / "key"

    @property
    def journal_path(self) -> Path:
        return self.folder / "journal"

    @property
    def accounts_path(self) -> Path:
        return self.folder / "accounts"

    @property
    def lock_path(self) -> Path:
        """Held by the one ``run`` that works."""
        return self.folder / "lock"

    @property
    def last_path(self) -> Path:
        """What became of the newest heartbeat, for ``status``."""
        return self.folder / "heartbeat.json"

    @property
    def token(self) -> str:
        """The secret that every request carries; "" before the enrolment."""
        try:
            return (self.folder / "token").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def save_token(self, token: str) -> None:
        write_whole(self.folder / "token", token + "\n")
