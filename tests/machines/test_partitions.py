"""Samples by the day and by the hour: made ahead, moved, rolled up, forgotten; each of it twice."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from machines import partitions
from machines.models import HealthHour, HealthSample
from machines.tasks import keep_days, roll_up_hours
from tests.agents import make_agent
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def agent(machine):
    return make_agent(machine).row


def days() -> set[str]:
    return {f"{day:%Y%m%d}" for day in partitions._days()}


def lies_in(at) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM health_samples WHERE at = %s", [at])
        return cursor.fetchone()[0]


def sample(agent, at, **figures):
    return HealthSample.objects.create(agent=agent, at=at, **figures)


def test_the_migrations_leave_partitions_for_today_and_the_days_to_come():
    today = datetime.now(UTC)
    assert {f"{today + number * DAY:%Y%m%d}" for number in range(1, 7)} <= days()


def test_days_are_made_ahead_once(now):
    later = now + 100 * DAY
    made, _ = partitions.keep_partitions(now=later)
    assert made == partitions.AHEAD + 2
    assert partitions.keep_partitions(now=later) == (0, 0)
    assert f"{later + 7 * DAY:%Y%m%d}" in days()


def test_a_sample_lies_in_the_partition_of_its_day_by_utc(agent, now):
    at = now.replace(hour=0, minute=0, second=0)
    sample(agent, at)
    sample(agent, at - timedelta(microseconds=1))
    assert lies_in(at) == f"health_samples_{at:%Y%m%d}"
    assert lies_in(at - timedelta(microseconds=1)) == f"health_samples_{at - DAY:%Y%m%d}"


def test_what_came_on_a_day_without_a_partition_is_moved_into_it(agent, now):
    at = now + 60 * DAY
    sample(agent, at, cpu_percent=5)
    assert lies_in(at) == partitions.OTHER
    partitions.keep_partitions(now=at)
    assert lies_in(at) == f"health_samples_{at:%Y%m%d}"
    assert HealthSample.objects.get(agent=agent).cpu_percent == 5


def test_days_that_are_too_old_are_dropped(agent, now, settings):
    later = now + 50 * DAY
    partitions.keep_partitions(now=later)
    for age in (0, settings.MARKETPLACE_SAMPLES_DAYS, settings.MARKETPLACE_SAMPLES_DAYS + 1):
        sample(agent, later - age * DAY)
    partitions.keep_partitions(now=later)  # the older ones lay in the default partition
    kept = HealthSample.objects.filter(agent=agent).values_list("at", flat=True)
    assert set(kept) == {later, later - settings.MARKETPLACE_SAMPLES_DAYS * DAY}
    made, dropped = partitions.keep_partitions(now=later + DAY)
    assert (made, dropped > 0) == (1, True)
    assert set(HealthSample.objects.filter(agent=agent).values_list("at", flat=True)) == {later}


@pytest.mark.django_db(transaction=True)
def test_two_that_keep_the_partitions_at_once_do_not_meet(now):
    later = now + 200 * DAY
    twice_at_once(lambda: partitions.keep_partitions(now=later))
    assert f"{later:%Y%m%d}" in days()
    partitions.keep_partitions(now=now)
    for day in partitions._days():
        if day > (now + 20 * DAY).date():
            partitions._drop(day)


# Hours ------------------------------------------------------------------------------------------------------


def test_an_hour_says_how_many_the_mean_and_the_most(agent, now):
    hour = now.replace(minute=0, second=0)
    for minute, cpu, heat in ((0, 10, 40), (10, 20, 60), (20, 60, None)):
        sample(agent, hour - HOUR + minute * MINUTE, cpu_percent=cpu, temperature_c=heat)
    partitions.roll_up(now=now)
    rolled = HealthHour.objects.get(agent=agent)
    assert (rolled.hour, rolled.samples) == (hour - HOUR, 3)
    assert rolled.means == {"cpu_percent": 30.0, "temperature_c": 50.0}
    assert rolled.peaks == {"cpu_percent": 60.0, "temperature_c": 60.0}


def test_rolling_up_twice_is_the_same_and_what_came_since_is_added(agent, now):
    hour = now.replace(minute=0, second=0)
    sample(agent, hour, cpu_percent=10)
    partitions.roll_up(now=now)
    partitions.roll_up(now=now)
    assert HealthHour.objects.get(agent=agent).samples == 1
    sample(agent, hour + timedelta(seconds=1), cpu_percent=30)
    partitions.roll_up(now=now)
    assert HealthHour.objects.get(agent=agent).means == {"cpu_percent": 20.0}


@pytest.mark.django_db(transaction=True)
def test_two_that_roll_up_at_once_agree(machine, now):
    agent = make_agent(machine).row
    sample(agent, now.replace(minute=0, second=0), cpu_percent=10)
    twice_at_once(lambda: partitions.roll_up(now=now))
    assert HealthHour.objects.get(agent=agent).samples == 1


def test_hours_that_were_missed_are_caught_up_with(agent, now):
    hour = now.replace(minute=0, second=0)
    sample(agent, hour - 40 * HOUR, cpu_percent=1)
    partitions.roll_up(now=now - 39 * HOUR)
    for ago in range(39, -1, -1):
        sample(agent, hour - ago * HOUR, cpu_percent=ago)
    assert partitions.roll_up(now=now) == 41
    assert HealthHour.objects.filter(agent=agent).count() == 41
    assert partitions.roll_up(now=now) == partitions.AGAIN


def test_the_first_time_all_samples_are_rolled_up(agent, now):
    for ago in (20, 3):
        sample(agent, now.replace(minute=0, second=0) - ago * DAY)
    partitions.roll_up(now=now)
    assert HealthHour.objects.filter(agent=agent).count() == 2


def test_hours_are_forgotten_after_two_years(agent, now, settings):
    old, young = (now - timedelta(days=settings.MARKETPLACE_HOURS_DAYS + days) for days in (1, -1))
    for at in (old, young):
        HealthHour.objects.create(agent=agent, hour=at, samples=1)
    assert partitions.drop_hours(now=now) == 1
    assert HealthHour.objects.get(agent=agent).hour == young


def test_samples_of_nobody_known_are_no_trouble(now):
    """Partitions outlive an agent: its samples go with their day."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO health_samples (agent_id, at) VALUES (gen_random_uuid(), %s)", [now])
    partitions.roll_up(now=now)
    assert not HealthHour.objects.exists()


def test_the_tasks_do_it(agent):
    keep_days()
    assert roll_up_hours() >= partitions.AGAIN


def test_samples_are_found_by_agent_and_time_through_an_index(agent, now):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT * FROM health_samples WHERE agent_id = %s AND at >= %s AND at < %s",
            [agent.pk, now - DAY, now],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan
    # The two days that are asked for; the others are not even looked at.
    assert len(set(re.findall(r"on (health_samples_\w+)", plan))) == 2
