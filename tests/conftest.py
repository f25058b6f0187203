"""What every test may use. People, machines and bookings are in modules of their own beside this one."""

import gc
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations
from django.utils import timezone
from pytest_django.fixtures import Settings

pytest_plugins = [
    "tests.people",
    "tests.stripe_standin",
    "tests.stripe_server.fixtures",
    "tests.plans",
    "tests.deletion",
]

CHROMIUM = Path("/usr/bin/chromium")
OF_THE_MODELS = ("django_content_type", "auth_permission")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: it need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_configure() -> None:
    # Hashing passwords is slow on purpose, and nothing that is tested here is stored. Programs of their own hash as always.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def quick_flush() -> Iterator[None]:
    """After a test that commits, delete what was written, instead of truncating every table of the marketplace.

    Content types and permissions stay: they are those of the models, and making them anew takes longer than most tests.
    Foreign keys and the triggers that keep books and histories from being changed look away meanwhile, which takes a
    superuser; who is none truncates, as Django does.
    """
    truncate = DatabaseOperations.sql_flush

    def flush(self: DatabaseOperations, style: Any, tables: list[str], **about: Any) -> list[str]:
        mine = [self.quote_name(name) for name in tables if name not in OF_THE_MODELS]
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if cursor.fetchone() != (True,):
                return truncate(self, style, tables, **about)
            cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in mine))
            written = [name for (name,) in cursor.fetchall()]
        return ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {name}" for name in written)]

    DatabaseOperations.sql_flush = flush
    yield
    DatabaseOperations.sql_flush = truncate


@pytest.fixture
def now() -> datetime:
    """The time that a test takes as its own, read once. Dates in tests are relative to it."""
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def stored(settings: Settings, tmp_path: Path) -> Path:
    """The folder of a storage of the test's own: documents of other tests have the same numbers."""
    folder = tmp_path / "stored"
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    return folder


@pytest.fixture(scope="session")
def sshd() -> Path:
    """The SSH server's program."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("sshd is not installed")
    return Path(found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM.exists():
        return
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


# In CI everything is installed, so a test that skips is one that nobody runs: it fails there.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    return _no_skip((yield))


def _no_skip(report):
    if os.environ.get("CI") and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may be skipped. {reason}"
    return report
