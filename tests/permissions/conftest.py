"""One world for all tests of the walk: each test, and each request, undoes what it has changed."""

import gc
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from tests.permissions.asking import around, handler
from tests.permissions.world import World, make_world
from tests.stripe_server.fixtures import Processor, connected

SETTINGS = {
    # In the browser's cookie: what a request changes in its session is forgotten with it, and no query is asked for it.
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "STRIPE_SECRET_KEY": "sk_test_processor",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_processor",
    "STRIPE_WEBHOOK_SECRET": "whsec_processor",
}


@pytest.fixture(scope="package")
def world(django_db_setup: None, django_db_blocker: "pytest.FixtureRequest") -> Iterator[World]:
    processor = Processor()
    with override_settings(**SETTINGS), connected(processor):
        handler.cache_clear()  # it keeps the session engine that it was made with
        cache.clear()  # with what was counted against limits of the day
        with django_db_blocker.unblock():
            everything = around()
            everything.__enter__()
            made = make_world(processor, timezone.now().replace(microsecond=0))
        gc.collect()
        gc.freeze()  # what is there now stays: thousands of requests need not look at it again
        yield made
        gc.unfreeze()
        with django_db_blocker.unblock():
            transaction.set_rollback(True)
            everything.__exit__(None, None, None)
        handler.cache_clear()
    assert processor.violations == []


@pytest.fixture
def things(world: World, db: None) -> dict:
    return world.things


@pytest.fixture
def people(world: World, db: None) -> dict:
    return world.people
