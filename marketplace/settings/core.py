"""What Django is made of here: addresses, apps, middleware, templates."""

from marketplace.settings.environment import BASE_DIR, env

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
# Keys that it was before: what was signed or sealed with them is still read.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", [], subcast=str)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
SITE_NAME = "Remote Servers"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [SITE_URL])
ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "marketplace.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
    "csp",
    "django_countries",
    "django_filters",
    "django_htmx",
    "heroicons",
    "pgtrigger",
    "pghistory",
    "common",
    "accounts.apps.AccountsConfig",
    "machines.apps.MachinesConfig",
    "bookings.apps.BookingsConfig",
    "billing.apps.BillingConfig",
    "marketplace.apps.MarketplaceConfig",
]

MIDDLEWARE = [
    # Before what sends plain HTTP on to HTTPS.
    "marketplace.middleware.refuse_early",
    "django.middleware.security.SecurityMiddleware",
    # Around the static files, too: no answer is framed.
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.middleware.outage_page",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # They are about the session's own person, whoever they act as.
    "accounts.sessions.keep_within_bounds",
    "accounts.security_log.note_refusals",
    "accounts.middleware.last_seen",
    "accounts.acting.ActingMiddleware",
    "accounts.recording.who_changes",
    "accounts.middleware.PersonPlace",
    # Within it, so that messages are put into words in the person's language.
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.acting_for",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.context.site",
            ],
            "builtins": [
                "django.templatetags.static",
                "common.templatetags.formats",
                "common.templatetags.parts",
                "common.templatetags.fields",
                "common.templatetags.drawings",
                "common.templatetags.remembering",
            ],
        },
    }
]
