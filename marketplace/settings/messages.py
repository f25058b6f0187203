"""What people are told: mail, notifications, webhooks."""

from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured

from marketplace.settings.environment import VAR_DIR, env

# Mail ---------------------------------------------------------------------------------------------

if env.str("EMAIL_URL", ""):
    _email = env.dj_email_url("EMAIL_URL")
    if "EMAIL_BACKEND" not in _email:
        raise ImproperlyConfigured("EMAIL_URL begins with submission:// (TLS on port 587), smtps:// or smtp://.")
    EMAIL_BACKEND = _email["EMAIL_BACKEND"]
    EMAIL_HOST = _email["EMAIL_HOST"]
    EMAIL_PORT = _email["EMAIL_PORT"]
    EMAIL_HOST_USER = _email["EMAIL_HOST_USER"]
    EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS = _email["EMAIL_USE_TLS"]
    EMAIL_USE_SSL = _email["EMAIL_USE_SSL"]
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "marketplace.embedded.mail.FolderBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Remote Servers <no-reply@localhost>")

# Notifications and webhooks -----------------------------------------------------------------------

# Notifications in the page are tidied away after so many days unless their reader keeps them; what was sent to
# webhooks after so many.
MARKETPLACE_NOTIFICATION_DAYS = env.int("MARKETPLACE_NOTIFICATION_DAYS", 365)
MARKETPLACE_WEBHOOK_DAYS = env.int("MARKETPLACE_WEBHOOK_DAYS", 30)
# Webhooks go to https on these ports, have so many seconds in all, and are switched off after so many failures in a
# row over so long a time.
MARKETPLACE_WEBHOOK_PORTS = frozenset(env.list("MARKETPLACE_WEBHOOK_PORTS", [443, 8443], subcast=int))
MARKETPLACE_WEBHOOK_SECONDS = env.float("MARKETPLACE_WEBHOOK_SECONDS", 10.0)
MARKETPLACE_WEBHOOK_FAILURES = env.int("MARKETPLACE_WEBHOOK_FAILURES", 10)
MARKETPLACE_WEBHOOK_FAILING = timedelta(hours=env.int("MARKETPLACE_WEBHOOK_FAILING_HOURS", 24))
# Hosts, as host:port, that webhooks may reach though they are inside or speak plain HTTP; never where strangers sign up.
MARKETPLACE_WEBHOOK_TRUSTED = frozenset(env.list("MARKETPLACE_WEBHOOK_TRUSTED", [], subcast=str))
# Certificates of an authority of one's own, as a PEM file, believed beside the usual ones.
MARKETPLACE_WEBHOOK_CA_FILE = env.str("MARKETPLACE_WEBHOOK_CA_FILE", "")
MARKETPLACE_DISCORD_HOSTS = frozenset({"discord.com", "ptb.discord.com", "canary.discord.com"})
