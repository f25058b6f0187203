"""How it went with each agent in trouble (``stories.py``), and a marketplace that is away when a booking ends."""

import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.e2e.hosted import Hosted
from tests.e2e.stories import STORIES, finish


@pytest.mark.parametrize("name", STORIES)
def test_a_machine_ends_up_clean_whatever_happens(stories: dict[str, Future[None]], name: str) -> None:
    stories[name].result(timeout=600)


def test_the_marketplace_is_away_at_the_end(site: Site, stories: dict[str, Future[None]], tmp_path: Path) -> None:
    """Two minutes without a marketplace. After the other stories, which need it."""
    for story in stories.values():
        story.exception(timeout=600)
    hosted = Hosted(site, tmp_path, "server-away")
    try:
        booking = hosted.book()
        hosted.wait_for_access(booking)
        uid = hosted.uid(booking)
        hosted.leave_things(booking)
        hosted.until(booking["end"] - 10)
        site.serving.interrupt()
        went = time.time()
        hosted.until(booking["end"])
        assert hosted.wait_for_refusal(booking, 10) < 10
        hosted.until(went + 120)
        assert hosted.has_account(booking)
        site.serving.start()
        finish(hosted, booking, uid)
        (outages,) = site.sql("SELECT count(*) AS n FROM platform_outages WHERE ended_at - began_at > interval '60 s'")
        assert outages["n"] == 1  # the marketplace's own absence, held against no machine
        (row,) = [hosted.row(booking)]
        assert row["down_minutes"] in (0, None)
    finally:
        hosted.close()
