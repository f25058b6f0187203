"""The agent's key, and the exact bytes that it signs. Keys are made and used by OpenSSH's own ``ssh-keygen``."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from agent.errors import AgentError
from agent.files import sync_folder
from agent.shell import run

#: Namespaces keep a signature over one sort of thing from passing for another.
REPORT = "rsm-report"
ERASURE = "rsm-erasure"


def canonical(thing: Any) -> str:
    """The protocol's canonical JSON. ValueError or TypeError for what JSON cannot say, such as NaN."""
    text = json.dumps(thing, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # A file name that is no UTF-8 reaches Python as lone surrogates, which cannot be sent.
    return text.encode("utf-8", "replace").decode("utf-8")


def fingerprint(public: str) -> str:
    """``SHA256:...`` of a public key's line, as ``ssh-keygen -l`` prints it. ValueError when it is none."""
    words = public.split()
    if len(words) < 2:
        raise ValueError("This is no public key.")
    digest = hashlib.sha256(base64.b64decode(words[1], validate=True)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class Key:
    """An Ed25519 key pair in a file that only root can read."""

    def __init__(self, path: Path, public: str) -> None:
        self.path = path
        self.public = public

    @classmethod
    def create(cls, path: Path) -> Key:
        """Make a new key; one that is there stays and is an AgentError."""
        if path.exists():
            raise AgentError(f"{path} is there already.")
        # Made beside and then renamed: a crash leaves no half a key.
        beside = path.with_name(f".{path.name}.new")
        for leftover in (beside, _public_of(beside)):
            leftover.unlink(missing_ok=True)
        done = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rsm-agent", "-f", str(beside)])
        if not done.ok:
            raise AgentError(f"The key could not be made:\n{done}")
        _public_of(beside).unlink()
        os.replace(beside, path)
        sync_folder(path.parent)
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Key:
        """The key in this file. AgentError when there is none or it cannot be read."""
        done = run(["ssh-keygen", "-y", "-P", "", "-f", str(path)])
        words = done.output.split()
        if not done.ok or len(words) < 2:
            raise AgentError(f"The key cannot be read:\n{done}")
        return cls(path, f"{words[0]} {words[1]}")

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)

    def sign(self, namespace: str, data: bytes) -> str:
        """An armored SSHSIG over these bytes of UTF-8. AgentError when it cannot be made."""
        done = run(
            ["ssh-keygen", "-Y", "sign", "-q", "-f", str(self.path), "-n", namespace], stdin=data.decode("utf-8")
        )
        if not done.ok or "BEGIN SSH SIGNATURE" not in done.output:
            raise AgentError(f"The signature could not be made:\n{done}")
        return done.output


def _public_of(path: Path) -> Path:
    return path.with_name(path.name + ".pub")
