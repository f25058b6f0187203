"""Where things are kept: the database and its history, the cache, sessions, files."""

import pghistory

from marketplace.settings.environment import BASE_DIR, VAR_DIR, env
from marketplace.storage import storage_settings

# Kept open between requests and checked before use, so that a database that was away is met with a fresh
# connection and not with a broken one.
DATABASES = {"default": env.dj_db_url("DATABASE_URL", conn_max_age=60, conn_health_checks=True)}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)
# Nobody waits for a lock or a query for ever. In milliseconds; 0: no limit, as a long migration may want.
DATABASES["default"]["OPTIONS"].setdefault(
    "options",
    f"-c lock_timeout={env.int('DATABASE_LOCK_TIMEOUT', 5_000)}"
    f" -c statement_timeout={env.int('DATABASE_STATEMENT_TIMEOUT', 30_000)}",
)
REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# History ------------------------------------------------------------------------------------------

# History: triggers write it (common.history). Its tables bear what changes need, and nothing else of what they record.

PGHISTORY_CREATED_AT_FUNCTION = "clock_timestamp()"
PGHISTORY_FOREIGN_KEY_FIELD = pghistory.ForeignKey(db_index=False)
PGHISTORY_EXCLUDE_FIELD_KWARGS = {
    "django.db.models.Field": ["choices", "default", "help_text", "validators", "verbose_name"]
}

# Files --------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": storage_settings(env, MEDIA_ROOT),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
