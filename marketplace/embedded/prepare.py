"""Brings the database, the static files and the translations up to date before anything is served.

One process, one start of Django.
"""

import os
import sys
from hashlib import sha256
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from marketplace.texts import compile_all


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    django.setup()
    compile_all()
    if "--static-only" not in sys.argv:
        call_command("migrate", interactive=False, verbosity=0)
    collect_static()
    if "--demo" in sys.argv:
        load_demo()


def collect_static() -> None:
    """Collect the static files when one of them is not what it was: hashing and compressing takes seconds."""
    known = Path(settings.STATIC_ROOT) / ".sources"
    digest = _sources()
    if known.exists() and known.read_text() == digest:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    known.write_text(digest)


def _sources() -> str:
    lines = []
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            lines.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def load_demo() -> None:
    """Fill an empty database with people and machines to try things with, or finish what was begun."""
    from marketplace.demo import progress  # needs the applications, which main() has just loaded

    if progress.wanted():
        call_command("load_demo")


if __name__ == "__main__":
    main()
