"""The demonstration, loaded once for all the tests of this folder, with few bookings; gone again afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from machines.demo import hosted_machines
from machines.demo.hosted_machines import HostedMachine
from marketplace.demo import load

FEW = 8


@dataclass(frozen=True)
class Demo:
    now: datetime
    bookings: int


@pytest.fixture(scope="package")
def demo(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Demo]:
    now = timezone.now()
    everything = transaction.atomic()
    everything._from_testcase = True  # as TestCase's own: services that insist on the outermost block may run in it
    media: Path = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media):
        everything.__enter__()
        try:
            load.load_static(now=now)
            yield Demo(now, sum(1 for _ in load.load_bookings(now=now, count=FEW)))
        finally:
            transaction.set_rollback(True)
            everything.__exit__(None, None, None)


@pytest.fixture(scope="session")
def hosted() -> list[HostedMachine]:
    return hosted_machines.read()
