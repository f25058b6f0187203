"""Rate limits, counted in Redis so that every web process sees the same count (``limits``, moving window)."""

from functools import cache

from django.conf import settings
from django.utils.translation import gettext as _
from limits import parse
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from common.errors import MarketplaceError


class TooManyRequests(MarketplaceError):
    """Somebody asked too often. Becomes HTTP 429."""


@cache
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(RedisStorage(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2))


def spend(rate: str, *key: str) -> None:
    """Count one use of ``key`` against ``rate`` (as in ``"30/minute"``).

    Raises:
        TooManyRequests: the rate is used up.
    """
    if not _limiter().hit(parse(rate), *key):
        raise TooManyRequests(_("That was too often in a short time. Wait a minute, then try again."))
