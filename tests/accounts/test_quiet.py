"""Quiet hours and digests are a matter of a person's own clock, also on the days on which it is changed."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from accounts.quiet import next_digest, quiet_until

BERLIN, NEW_YORK, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "zone", "now", "expected"),
    [
        # Over midnight, in winter: UTC+1.
        ("22:00", "07:00", BERLIN, "2026-11-21 20:59", None),
        ("22:00", "07:00", BERLIN, "2026-11-21 21:00", "2026-11-22 06:00"),
        ("22:00", "07:00", BERLIN, "2026-11-22 03:00", "2026-11-22 06:00"),
        ("22:00", "07:00", BERLIN, "2026-11-22 06:00", None),
        # Within one day.
        ("12:00", "14:00", BERLIN, "2026-11-21 11:30", "2026-11-21 13:00"),
        ("12:00", "14:00", BERLIN, "2026-11-21 13:00", None),
        # The night in which the clocks go forward is an hour shorter, the one in which they go back an hour longer.
        ("22:00", "07:00", BERLIN, "2026-03-28 21:00", "2026-03-29 05:00"),
        ("22:00", "07:00", BERLIN, "2026-10-24 20:00", "2026-10-25 06:00"),
        # An end that is skipped: 02:30 is 03:30 that day. An end that comes twice: the first counts.
        ("22:00", "02:30", BERLIN, "2026-03-29 01:15", "2026-03-29 01:30"),
        ("22:00", "02:30", BERLIN, "2026-10-25 00:15", "2026-10-25 00:30"),
        ("22:00", "02:30", BERLIN, "2026-10-25 01:15", None),
        # Both ends are skipped.
        ("02:15", "02:45", BERLIN, "2026-03-29 01:20", "2026-03-29 01:45"),
        # Elsewhere.
        ("22:00", "07:00", NEW_YORK, "2026-11-01 05:30", "2026-11-01 12:00"),
        ("22:00", "07:00", KATHMANDU, "2026-11-21 17:00", "2026-11-22 01:15"),
    ],
)
def test_until_when_it_is_quiet(start, end, zone, now, expected):
    found = quiet_until(time.fromisoformat(start), time.fromisoformat(end), zone, now=at(now))
    assert found == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("pace", "zone", "now", "expected"),
    [
        ("daily", BERLIN, "2026-11-21 06:59", "2026-11-21 07:00"),
        ("daily", BERLIN, "2026-11-21 07:00", "2026-11-22 07:00"),
        # Eight o'clock is eight o'clock, whatever happened in the night.
        ("daily", BERLIN, "2026-03-28 12:00", "2026-03-29 06:00"),
        ("daily", BERLIN, "2026-10-24 12:00", "2026-10-25 07:00"),
        ("weekly", BERLIN, "2026-11-21 12:00", "2026-11-23 07:00"),
        ("weekly", BERLIN, "2026-11-23 06:00", "2026-11-23 07:00"),
        ("weekly", BERLIN, "2026-11-23 07:00", "2026-11-30 07:00"),
        ("weekly", KATHMANDU, "2026-11-22 23:00", "2026-11-23 02:15"),
    ],
)
def test_when_the_next_digest_is(pace, zone, now, expected):
    assert next_digest(pace, zone, now=at(now)) == at(expected)
