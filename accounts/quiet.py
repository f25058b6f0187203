"""When a mail that can wait is sent: the end of quiet hours, the next digest. In a person's own time zone.

A time of the day is the moment at which their clock shows it. Where the clocks change: a time that is skipped is as
far after the change as it lies after the skipped hour's begin (02:30 is what 03:30 is then), of one that comes twice
the first counts.
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

from accounts.models import DigestPace, MessagePreferences, User

DIGEST_AT = time(8)
MONDAY = 0


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    """The zone in their profile; without one, UTC, as in their mails."""
    return zoneinfo.ZoneInfo(user.timezone or "UTC")


def moment(day: date, clock: time, zone: zoneinfo.ZoneInfo) -> datetime:
    """When the clocks of the zone show that time on that day, in UTC."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def quiet_until(start: time, end: time, zone: zoneinfo.ZoneInfo, *, now: datetime) -> datetime | None:
    """The end of the quiet hours that ``now`` lies in, if it lies in any. From 22:00 to 07:00 goes over midnight."""
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        until = day if start < end else day + timedelta(days=1)
        begins, ends = moment(day, start, zone), moment(until, end, zone)
        if begins <= now < ends:
            return ends
    return None


def quiet_hours_end(preferences: MessagePreferences, user: User, *, now: datetime) -> datetime | None:
    """Until when this person is not to be disturbed, if now."""
    if preferences.quiet_from is None or preferences.quiet_until is None:
        return None
    return quiet_until(preferences.quiet_from, preferences.quiet_until, zone_of(user), now=now)


def next_digest(pace: str, zone: zoneinfo.ZoneInfo, *, now: datetime) -> datetime:
    """The next eight o'clock, or the next Monday's, after ``now``."""
    day = now.astimezone(zone).date()
    while True:
        at = moment(day, DIGEST_AT, zone)
        if at > now and (pace != DigestPace.WEEKLY or day.weekday() == MONDAY):
            return at
        day += timedelta(days=1)
