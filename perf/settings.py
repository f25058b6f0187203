"""The marketplace's own settings with two bare views beside it, for ``perf/run.py`` and nothing else.

Same middleware, same templates, DEBUG off. What differs is said here: the limits on what one person may ask for are
out of the way, because the eight buyers of the measurement each ask more often than a person could.
"""

from decimal import Decimal

from marketplace.settings import *  # noqa: F403
from marketplace.settings import INSTALLED_APPS, MARKETPLACE_UNVERIFIED_LIMIT, VAR_DIR

DEBUG = False
ROOT_URLCONF = "perf.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "perf", "perf.bare"]
STATIC_ROOT = VAR_DIR / "static"

MARKETPLACE_BOOKING_RATE = "1000000/minute"  # instead of 30/minute
MARKETPLACE_UNPAID_HOLDS = 1_000_000  # instead of 3
MARKETPLACE_UNVERIFIED_LIMIT = dict.fromkeys(MARKETPLACE_UNVERIFIED_LIMIT, Decimal(10**9))  # instead of 500
