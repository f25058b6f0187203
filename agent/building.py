"""The agent as one file that Python runs, the same bytes wherever and whenever it is built."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

SHEBANG = b"#!/usr/bin/env python3\n"

MAIN = """import sys

from agent.cli import main

sys.exit(main())
"""

#: The earliest that a zip can say.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def build(source: Path) -> bytes:
    """The zipapp of the ``agent`` folder in ``source``.

    Nothing is compressed: compressors differ between machines, and so anyone can read the file that they were given.
    """
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in (source / "agent").rglob("*.py")}
    files["__main__.py"] = MAIN.encode()
    buffer = io.BytesIO()
    # The offsets in a zip count from its begin, which the shebang is a part of.
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(_member(name), files[name])
    return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _MOMENT)
    member.create_system = 3
    member.external_attr = 0o644 << 16
    return member


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()
