"""Whether the marketplace itself has been away: no machine is held to account for that.

Every sweep and, now and then, a heartbeat that has come in say that it is alive. A pause in that is written down as a
:class:`machines.models.PlatformOutage`.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max

from machines.models import Agent, AgentStatus, PlatformOutage, PlatformPulse

#: A longer pause is an absence.
LONGEST_PAUSE = timedelta(seconds=60)
#: Servers in so many places do not fall silent at the same time. If they seem to, it is the marketplace that is deaf.
PLACES = 5


@transaction.atomic
def note_alive(*, now: datetime) -> PlatformOutage | None:
    """The marketplace is there. Returns the absence that has just ended, if there was one."""
    pulse = PlatformPulse.objects.select_for_update().first()
    if pulse is None:
        PlatformPulse.objects.bulk_create([PlatformPulse(at=now)], ignore_conflicts=True)
        return None
    if now <= pulse.at:
        return None
    before, pulse.at = pulse.at, now
    pulse.save(update_fields=["at"])
    return PlatformOutage.objects.create(began_at=before, ended_at=now) if now - before > LONGEST_PAUSE else None


def was_away_lately(*, now: datetime) -> bool:
    """Agents that could not get through have not had the time to come back: the marketplace was away just now."""
    return PlatformOutage.objects.filter(ended_at__gt=now - settings.MARKETPLACE_AGENT_SILENCE).exists()


@transaction.atomic
def note_deafness(*, now: datetime) -> bool:
    """Nobody is heard any more, though the servers stand in many places: the way in is closed (a proxy, a name, a
    certificate). Write it down as the marketplace's own absence, up to now, and say so."""
    agents = Agent.objects.enrolled().filter(status=AgentStatus.ONLINE)
    seen = agents.aggregate(newest=Max("last_heartbeat_at"), places=Count("address", distinct=True))
    if seen["places"] < PLACES or seen["newest"] >= now - settings.MARKETPLACE_AGENT_SILENCE:
        return False
    PlatformPulse.objects.select_for_update().first()  # one at a time
    running = PlatformOutage.objects.filter(began_at=seen["newest"]).first()
    if running is None:
        PlatformOutage.objects.create(began_at=seen["newest"], ended_at=now)
    elif running.ended_at < now:
        running.ended_at = now
        running.save(update_fields=["ended_at"])
    return True
