"""/healthz tells whoever watches what is wrong, and tells nobody how to get in."""

import time

import pytest
from django.core.cache import cache
from django.test import Client

from marketplace import health
from marketplace.tasks import heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_heartbeat_but_the_tests_own():
    cache.delete(health.HEARTBEAT)
    yield
    cache.delete(health.HEARTBEAT)


def test_all_is_well(client: Client) -> None:
    heartbeat()
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "cache": "ok", "worker": "ok"}
    assert answer["Cache-Control"] == "no-store"


def test_a_worker_that_is_away_is_named(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["worker"] == f"no sign of a worker for {health.HEARTBEAT_SECONDS} s"
    assert answer.json()["database"] == answer.json()["cache"] == "ok"


def test_a_heartbeat_is_forgotten(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "HEARTBEAT_SECONDS", 1)
    heartbeat()
    assert client.get("/healthz").status_code == 200
    time.sleep(1.2)
    assert client.get("/healthz").status_code == 503


def test_it_is_for_reading(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
