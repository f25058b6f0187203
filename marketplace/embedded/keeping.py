"""What an installation keeps on its disk: secrets that are made once, and the settings of a run."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path


def kept(var: Path, name: str, make: Callable[[], str]) -> str:
    """A secret of this installation: made once, then read from the disk."""
    file = var / "secrets" / name
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, f"{make()}\n")
        return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file, whole or not at all, that only its owner may read."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    new.replace(file)


def write_env(file: Path, env: Mapping[str, str]) -> None:
    """Write settings as the ``KEY='value'`` lines that ``environs`` reads."""
    lines = []
    for name, value in sorted(env.items()):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        # Names in braces are filled in even between quotes; a name that nothing has may have a default.
        escaped = escaped.replace("${", "${MARKETPLACE_NOTHING:-$}{")
        lines.append(f"{name}='{escaped}'\n")
    write_private(file, "".join(lines))
