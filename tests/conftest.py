"""What every test may use. People, machines and bookings are in modules of their own beside this one."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.utils import timezone

pytest_plugins = ["tests.people", "tests.stripe_standin", "tests.stripe_server.fixtures", "tests.plans"]

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def now() -> datetime:
    """The time that a test takes as its own, read once. Dates in tests are relative to it."""
    return timezone.now().replace(microsecond=0)


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
