"""A database or a cache that is away: the site says so, and is back by itself once they are."""

import os
import signal
from collections.abc import Iterator

import pytest
import stripe
from django.http import HttpResponse
from django.test import RequestFactory

from marketplace.embedded.parts import Parts
from marketplace.embedded.servers import Part
from marketplace.middleware import outage_page
from tests.running import Answer, Web, ask, short_lived_folder, until

pytestmark = pytest.mark.faults

PAGE = "/accounts/login/"
# Somebody who has a session: it is looked for in the cache, then in the database, before any view is asked.
SESSION = "sessionid=abcdefghijklmnopqrstuvwxyz012345"
TOKEN = "abcdefghijklmnopqrstuvwxyz012345"


def look(web: Web) -> Answer:
    return ask(web.url + PAGE, cookie=SESSION)


def sign_in(web: Web) -> Answer:
    """With a wrong password. Attempts are counted in the cache."""
    form = {"login": "nobody@example.com", "password": "not this one", "csrfmiddlewaretoken": TOKEN}
    return ask(web.url + PAGE, cookie=f"{SESSION}; csrftoken={TOKEN}", data=form)


# What needs the part, by part. While the cache is away sessions come from the database, so pages are still there.
NEEDS = {"cache": sign_in, "database": look}


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with short_lived_folder() as folder, Parts(folder / "var", given={}, durable=False) as parts, Web(parts) as web:
        assert look(web).status == 200
        assert sign_in(web).status == 200
        yield web


def assert_outage(web: Web, part: str) -> None:
    page = NEEDS[part](web)
    assert page.status == 503
    assert page.headers["Retry-After"] == "10"
    assert "Back in a moment" in page.text
    assert page.seconds < 8

    answer, parts = web.health()
    assert answer.status == 503
    assert parts[part] == "no answer"
    assert answer.seconds < 6
    for secret in (web.parts.cache.password, str(web.parts.database.socket_dir), "Traceback"):
        assert secret not in answer.text + page.text

    # Again: the first may have met a connection that was still kept, the second meets none.
    assert NEEDS[part](web).status == 503


def assert_back(web: Web, part: str) -> None:
    until("the page is back", lambda: NEEDS[part](web).status == 200, 10)
    assert web.health()[1][part] == "ok"
    # Every thread of the server has found its way back, not only the one that was asked first.
    assert {look(web).status for _ in range(12)} == {200}


@pytest.mark.parametrize("part", ["cache", "database"])
def test_stopped_and_started(web: Web, part: str) -> None:
    broken: Part = getattr(web.parts, part)
    broken.stop()
    try:
        assert_outage(web, part)
    finally:
        broken.start()
    assert_back(web, part)


def test_pages_do_not_need_the_cache(web: Web) -> None:
    web.parts.cache.stop()
    try:
        assert look(web).status == 200
    finally:
        web.parts.cache.start()


@pytest.mark.parametrize("part", ["cache", "database"])
def test_hanging(web: Web, part: str) -> None:
    """Not gone but mute: nothing refuses the connection, so only a time limit ends the wait for it."""
    pid = getattr(web.parts, part).process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        answer, parts = web.health()
        assert answer.status == 503
        assert parts[part] == "no answer"
        assert answer.seconds < 6
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_back(web, part)


def test_without_a_worker_the_site_is_not_healthy(web: Web) -> None:
    answer, parts = web.health()
    assert answer.status == 503
    assert parts["database"] == parts["cache"] == "ok"
    assert parts["worker"].startswith("no sign of a worker")


def test_a_payment_processor_that_does_not_answer_is_an_outage_and_a_mistake_is_not() -> None:
    middleware = outage_page(lambda request: HttpResponse())
    request = RequestFactory().get("/bookings/")
    page = middleware.process_exception(request, stripe.APIConnectionError("no route to 10.0.0.7"))
    assert page.status_code == 503
    assert b"10.0.0.7" not in page.content
    assert middleware.process_exception(request, ValueError()) is None
