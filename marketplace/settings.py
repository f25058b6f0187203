"""Settings, all of them read from the environment with defaults that fit ``bin/serve``.

While ``bin/serve`` runs, ``$MARKETPLACE_VAR/run/env`` holds the URLs of the parts it started, so that
``manage.py`` finds them by itself. Real environment variables always win over that file.
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import django_stubs_ext
import pghistory
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from environs import Env

from marketplace.storage import storage_settings

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
VAR_DIR = Path(env.str("MARKETPLACE_VAR", str(BASE_DIR / "var"))).resolve()
env.read_env(VAR_DIR / "run" / "env", recurse=False)

# Core ---------------------------------------------------------------------------------------------

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

# Database, cache, sessions ------------------------------------------------------------------------

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

# People and signing in ----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name", "organization_name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "accounts.passwords.BreachedPasswordValidator"},
    {"NAME": "accounts.passwords.GuessablePasswordValidator"},
]
# Stolen passwords beside the two lists that ship: a file of their hashes (accounts/passwords.py says of which kind), and
# the address of a range service such as https://api.pwnedpasswords.com/range/. Empty: neither.
MARKETPLACE_BREACHED_PASSWORDS = env.str("MARKETPLACE_BREACHED_PASSWORDS", "")
MARKETPLACE_BREACH_SERVICE = env.str("MARKETPLACE_BREACH_SERVICE", "")
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "accounts.sign_in_forms.SignUpForm"}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# A code and not a link: it is typed where one signs up, which a passkey needs, and nothing that opens links uses it up.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
# In seconds, like the next one: what a mail lets somebody do, it does for a short time.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 10 * 60
PASSWORD_RESET_TIMEOUT = 60 * 60
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = True
# How long somebody is believed who has shown again who they are (accounts/stepup.py).
MARKETPLACE_STEP_UP = timedelta(minutes=env.int("MARKETPLACE_STEP_UP_MINUTES", 10))
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = int(MARKETPLACE_STEP_UP.total_seconds())
ACCOUNT_RATE_LIMITS = {
    "login": env.str("RATE_LOGIN", "30/m/ip"),
    # Wrong codes of second factors count here, too.
    "login_failed": env.str("RATE_LOGIN_FAILED", "10/m/ip,5/300s/key"),
    "signup": env.str("RATE_SIGNUP", "20/m/ip"),
    "reset_password": env.str("RATE_PASSWORD_RESET", "20/m/ip,5/m/key"),
    "reauthenticate": env.str("RATE_STEP_UP", "10/m/user"),
    # On the way to an organization's provider and back: a whole university may have one address.
    "sso": env.str("RATE_SSO", "240/m/ip"),
}
MFA_ADAPTER = "accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
# Clocks of telephones may be a period of 30 seconds off.
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "accounts.second_factor.CodeForm",
    "reauthenticate": "accounts.second_factor.StepUpCodeForm",
    "activate_totp": "accounts.second_factor.ActivateForm",
    "add_webauthn": "accounts.second_factor.PasskeyForm",
    "signup_webauthn": "accounts.second_factor.FirstPasskeyForm",
    "login_webauthn": "accounts.second_factor.PasskeySignInForm",
    "authenticate_webauthn": "accounts.second_factor.SecondPasskeyForm",
    "reauthenticate_webauthn": "accounts.second_factor.StepUpPasskeyForm",
}
MFA_RATE_LIMITS = {"webauthn_login": env.str("RATE_PASSKEY", "10/m/ip")}
# Browsers know passkeys on https: and on http://localhost, and nowhere else.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SITE_URL.startswith("https:")
# Single sign-on: what is connected stands in organizations' own rows (accounts.models.SingleSignOn), never here.
SOCIALACCOUNT_ADAPTER = "accounts.sso.adapter.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"provider_class": "accounts.sso.oidc.Provider"},
    "saml": {"provider_class": "accounts.sso.saml.Provider"},
}
# Who came back from an organization's provider is written down with the address that it said, for so many days.
MARKETPLACE_SIGN_ON_DAYS = env.int("MARKETPLACE_SIGN_ON_DAYS", 90)
USERSESSIONS_TRACK_ACTIVITY = True
# Whether the administration wants a second factor, and a recent step-up for each change. Off where people only look
# around: without HTTPS, and in a demonstration, whose people have a password that everyone knows.
MARKETPLACE_ADMIN_MFA = env.bool("MARKETPLACE_ADMIN_MFA", SITE_URL.startswith("https:") and not DEBUG)

# History: triggers write it (common.history). Its tables bear what changes need, and nothing else of what they record.

PGHISTORY_CREATED_AT_FUNCTION = "clock_timestamp()"
PGHISTORY_FOREIGN_KEY_FIELD = pghistory.ForeignKey(db_index=False)
PGHISTORY_EXCLUDE_FIELD_KWARGS = {
    "django.db.models.Field": ["choices", "default", "help_text", "validators", "verbose_name"]
}

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

# Celery: sweeps, not timers. Losing every message costs at most one sweep interval. ----------------

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10, "visibility_timeout": 600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What talks to somebody outside waits in a queue of its own: a payment processor or a mail server that hangs
# keeps no booking from its start.
CELERY_TASK_ROUTES = {
    "billing.tasks.*": {"queue": "outside"},
    "accounts.tasks.send_mails": {"queue": "outside"},
    "accounts.tasks.deliver_webhooks": {"queue": "outside"},
    "accounts.tasks.forget_documents": {"queue": "outside"},
    "accounts.tasks.make_exports": {"queue": "outside"},
    "accounts.tasks.forget_exports": {"queue": "outside"},
}
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 5.0)
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "run" / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": SWEEP_SECONDS, "options": {"expires": 4 * SWEEP_SECONDS}}
    for name, task in {
        "worker heartbeat": "marketplace.tasks.heartbeat",
        "mails to send": "accounts.tasks.send_mails",
        "webhooks to deliver": "accounts.tasks.deliver_webhooks",
        "agents gone silent": "machines.tasks.call_silent_agents",
        "holds to cancel": "bookings.tasks.cancel_unpaid_holds",
        "extensions to lapse": "bookings.tasks.lapse_extensions",
        "bookings to start": "bookings.tasks.start_bookings",
        "bookings to end": "bookings.tasks.end_bookings",
        "bookings to let in": "bookings.tasks.provision_bookings",
        "bookings never delivered": "bookings.tasks.cancel_undelivered",
        "webhooks to process": "billing.tasks.process_webhooks",
        "payments to ask after": "billing.tasks.ask_after_payments",
        "refunds to make": "billing.tasks.make_refunds",
        "stages to charge": "billing.tasks.charge_stages",
        "payouts to send": "billing.tasks.send_payouts",
        "payouts to ask after": "billing.tasks.ask_after_payouts",
        "invoices to print": "billing.tasks.print_invoices",
    }.items()
}
# What is not in a hurry is asked for only every so many sweeps.
CELERY_BEAT_SCHEDULE |= {
    name: {"task": task, "schedule": sweeps * SWEEP_SECONDS, "options": {"expires": sweeps * SWEEP_SECONDS}}
    for name, (task, sweeps) in {
        # A figure of 30 days changes slowly.
        "reliability": ("machines.tasks.follow_reliability", 36),
        "digests to gather": ("accounts.tasks.gather_digests", 12),
        "old messages to tidy": ("accounts.tasks.tidy_messages", 720),
        "hours of health": ("machines.tasks.roll_up_hours", 120),
        "days of samples": ("machines.tasks.keep_days", 720),
        "statements to mail": ("billing.tasks.mail_statements", 120),
        "plans to ask after": ("billing.tasks.ask_after_subscriptions", 12),
        "payouts to schedule": ("billing.tasks.schedule_payouts", 36),
        "what was never told": ("billing.tasks.catch_up", 720),
        "uses of tokens to forget": ("accounts.tasks.forget_token_uses", 720),
        "verifications that end": ("accounts.tasks.follow_verifications", 12),
        "copies of data to make": ("accounts.tasks.make_exports", 2),
        "copies of data to forget": ("accounts.tasks.forget_exports", 120),
        "accounts to delete": ("accounts.tasks.delete_accounts", 120),
        "customers to forget": ("billing.tasks.forget_customers", 720),
        "old records of people": ("accounts.tasks.forget_old", 720),
        "old refusals": ("machines.tasks.forget_refusals", 720),
        "old messages of the processor": ("billing.tasks.forget_events", 720),
        "documents to forget": ("accounts.tasks.forget_documents", 60),
    }.items()
}
# Once a day, at night in UTC: what our rows and the payment processor do not agree on.
CELERY_BEAT_SCHEDULE["reconciliation"] = {"task": "billing.tasks.reconcile", "schedule": crontab(hour=3, minute=20)}

# Payments -----------------------------------------------------------------------------------------

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET")
# Events of connected accounts are sent to the same address, signed with a secret of their endpoint's own.
STRIPE_CONNECT_WEBHOOK_SECRET = env.str("STRIPE_CONNECT_WEBHOOK_SECRET", "")
# Whether providers can be paid through Stripe Connect. Stand-ins have none.
STRIPE_CONNECT = env.bool("STRIPE_CONNECT", False)
# The Price ids of the plans; a plan without one is not on sale.
STRIPE_PRICES = {
    tier: env.str(f"STRIPE_PRICE_{tier.upper()}", "") for tier in ("individual", "professional", "enterprise")
}
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "https://api.stripe.com")
STRIPE_JS_URL = env.str("STRIPE_JS_URL", "https://js.stripe.com/v3/")

# Rules of the marketplace: one set, read by the code and shown on "how it works" --------------------

# An unpaid booking holds its window this long.
MARKETPLACE_HOLD = timedelta(minutes=env.int("MARKETPLACE_HOLD_MINUTES", 15))
# The machine is wiped and checked this long after every booking; never billed.
MARKETPLACE_TURNAROUND = timedelta(minutes=env.int("MARKETPLACE_TURNAROUND_MINUTES", 30))
# A paid booking that has not been started this long after its time may be left with a full refund.
MARKETPLACE_LATE_START = timedelta(minutes=env.int("MARKETPLACE_LATE_START_MINUTES", 15))
# Windows that one buyer may hold without having paid, at a time.
MARKETPLACE_UNPAID_HOLDS = env.int("MARKETPLACE_UNPAID_HOLDS", 3)
# Requests to book that one person may make in a minute.
MARKETPLACE_BOOKING_RATE = env.str("MARKETPLACE_BOOKING_RATE", "30/minute")
# An invitation into an organization is good this long; letters that one organization may send, and that one address
# may get; organizations that one person may make.
MARKETPLACE_INVITATION = timedelta(hours=env.int("MARKETPLACE_INVITATION_HOURS", 72))
MARKETPLACE_INVITATION_RATE = env.str("MARKETPLACE_INVITATION_RATE", "200/day")
MARKETPLACE_INVITATION_ADDRESS_RATE = env.str("MARKETPLACE_INVITATION_ADDRESS_RATE", "10/day")
MARKETPLACE_ORGANIZATION_RATE = env.str("MARKETPLACE_ORGANIZATION_RATE", "20/day")
# A booking is charged in stages of this length, each so long ahead of its time; a stage that fails is tried again so
# many days after the first time, then the booking ends when the paid time does.
MARKETPLACE_STAGE = timedelta(days=env.int("MARKETPLACE_STAGE_DAYS", 28))
MARKETPLACE_STAGE_LEAD = timedelta(days=env.int("MARKETPLACE_STAGE_LEAD_DAYS", 7))
MARKETPLACE_STAGE_RETRIES = [timedelta(days=1), timedelta(days=3), timedelta(days=5)]
# After the end of a booking either side may dispute it this long; then the provider is paid.
MARKETPLACE_DISPUTE_WINDOW = timedelta(hours=env.int("MARKETPLACE_DISPUTE_WINDOW_HOURS", 72))
# What a provider is owed in a currency is paid out from so much on, in its minor units.
MARKETPLACE_PAYOUT_LEAST = env.int("MARKETPLACE_PAYOUT_LEAST", 100)
# The least and the most that one payment can be, in minor units of its currency: what the processor takes.
MARKETPLACE_PAYMENT_UNITS = (50, 99_999_999)
# Whoever is not verified has open bookings of so much at most, the new one included, in each currency.
MARKETPLACE_UNVERIFIED_LIMIT = env.dict(
    "MARKETPLACE_UNVERIFIED_LIMIT",
    {"EUR": Decimal(500), "USD": Decimal(500), "GBP": Decimal(500), "JPY": Decimal(75_000)},
    subcast_values=Decimal,
)
# The platform's part of what a buyer pays.
MARKETPLACE_COMMISSION = Decimal(env.str("MARKETPLACE_COMMISSION", "0.10"))
# Share refunded by cancellation terms: (time left before the start, share), the first that fits.
MARKETPLACE_CANCELLATION = {
    "flexible": [(timedelta(hours=1), Decimal("1"))],
    "moderate": [(timedelta(hours=24), Decimal("1")), (timedelta(0), Decimal("0.5"))],
    "strict": [(timedelta(days=7), Decimal("0.5"))],
}

# Verification -------------------------------------------------------------------------------------

# An approval counts this long; its person is told so many days before it ends, and may renew it so long before.
MARKETPLACE_VERIFICATION_VALID = timedelta(days=env.int("MARKETPLACE_VERIFICATION_VALID_DAYS", 730))
MARKETPLACE_VERIFICATION_WARNINGS = (30, 7)
MARKETPLACE_VERIFICATION_RENEWAL = timedelta(days=env.int("MARKETPLACE_VERIFICATION_RENEWAL_DAYS", 90))
# What a person has begun, or was asked for, and leaves so long is closed.
MARKETPLACE_VERIFICATION_DRAFT = timedelta(days=env.int("MARKETPLACE_VERIFICATION_DRAFT_DAYS", 30))
# Documents: how large each may be and all of a request together, how many there may be, and how often one person may
# upload; how long after the decision they are kept; how long a link to one works.
MARKETPLACE_DOCUMENT_BYTES = env.int("MARKETPLACE_DOCUMENT_MB", 10) * 1024 * 1024
MARKETPLACE_DOCUMENTS_BYTES = env.int("MARKETPLACE_DOCUMENTS_MB", 30) * 1024 * 1024
MARKETPLACE_DOCUMENTS_MOST = env.int("MARKETPLACE_DOCUMENTS_MOST", 8)
MARKETPLACE_UPLOAD_RATE = env.str("MARKETPLACE_UPLOAD_RATE", "12/minute")
MARKETPLACE_DOCUMENT_RETENTION = timedelta(days=env.int("MARKETPLACE_DOCUMENT_RETENTION_DAYS", 90))
MARKETPLACE_DOCUMENT_LINK = timedelta(minutes=env.int("MARKETPLACE_DOCUMENT_LINK_MINUTES", 5))

# API tokens and calendar feeds --------------------------------------------------------------------

# The longest that an API token can be good for, and how long a feed's address lives after it was last asked for.
MARKETPLACE_TOKEN_DAYS = env.int("MARKETPLACE_TOKEN_DAYS", 365)
MARKETPLACE_FEED = timedelta(days=env.int("MARKETPLACE_FEED_DAYS", 90))
# Requests with one token, and requests of one address with tokens that do not exist.
MARKETPLACE_TOKEN_RATE = env.str("MARKETPLACE_TOKEN_RATE", "120/minute")
MARKETPLACE_TOKEN_REFUSED_RATE = env.str("MARKETPLACE_TOKEN_REFUSED_RATE", "30/minute")
# Every use of a token is kept this long.
MARKETPLACE_TOKEN_USES_DAYS = env.int("MARKETPLACE_TOKEN_USES_DAYS", 365)

# What one administrator asked for waits this long for a second one; so much, in each currency, one alone may give back.
MARKETPLACE_SECOND_PERSON = timedelta(hours=env.int("MARKETPLACE_SECOND_PERSON_HOURS", 72))
MARKETPLACE_REFUND_ALONE = Decimal(env.str("MARKETPLACE_REFUND_ALONE", "500"))
# The longest that an administrator may look at the site as somebody else, to help them.
MARKETPLACE_ACTING = timedelta(minutes=env.int("MARKETPLACE_ACTING_MINUTES", 30))

# Privacy: how long what is kept; /privacy/ shows it, and docs/privacy.md -----------------------------

# A copy of one's data can be downloaded for so many days, and be asked for so often.
MARKETPLACE_EXPORT = timedelta(days=env.int("MARKETPLACE_EXPORT_DAYS", 7))
MARKETPLACE_EXPORT_RATE = env.str("MARKETPLACE_EXPORT_RATE", "5/day")
# Whoever asks for their account to be deleted may take it back for so many days.
MARKETPLACE_DELETION = timedelta(days=env.int("MARKETPLACE_DELETION_DAYS", 14))
# How long tax law has invoices and books kept.
MARKETPLACE_BOOKS_YEARS = env.int("MARKETPLACE_BOOKS_YEARS", 10)
# Accounts whose address nobody ever confirmed, and that were never used, are deleted after so many days.
MARKETPLACE_UNCONFIRMED_DAYS = env.int("MARKETPLACE_UNCONFIRMED_DAYS", 30)
# A session ends so many days after it was last used.
MARKETPLACE_SESSION_DAYS = env.int("MARKETPLACE_SESSION_DAYS", 14)
SESSION_COOKIE_AGE = MARKETPLACE_SESSION_DAYS * 24 * 60 * 60
# However often it is used, it ends so many days after its sign-in; a platform administrator's after so many hours.
MARKETPLACE_SESSION_MOST = timedelta(days=env.int("MARKETPLACE_SESSION_MOST_DAYS", 30))
MARKETPLACE_ADMIN_SESSION = timedelta(hours=env.int("MARKETPLACE_ADMIN_SESSION_HOURS", 12))
# Mails, messages of agents that were refused, and what the payment processor told us, are kept for so many days.
MARKETPLACE_MAIL_DAYS = env.int("MARKETPLACE_MAIL_DAYS", 180)
MARKETPLACE_REFUSALS_DAYS = env.int("MARKETPLACE_REFUSALS_DAYS", 90)
MARKETPLACE_PROCESSOR_EVENTS_DAYS = env.int("MARKETPLACE_PROCESSOR_EVENTS_DAYS", 90)

# Seller and tax -----------------------------------------------------------------------------------

# Who sells to buyers and buys from providers, as invoices name it. The defaults are a demonstration's, which a
# deployment is warned of (accounts.W001).
MARKETPLACE_SELLER_NAME = env.str("MARKETPLACE_SELLER_NAME", "Remote Servers Marketplace (demonstration)")
MARKETPLACE_SELLER_STREET = env.str("MARKETPLACE_SELLER_STREET", "Musterstraße 1")
MARKETPLACE_SELLER_POSTAL_CODE = env.str("MARKETPLACE_SELLER_POSTAL_CODE", "10115")
MARKETPLACE_SELLER_CITY = env.str("MARKETPLACE_SELLER_CITY", "Berlin")
# ISO 3166, in the EU: the rules of VAT are the EU's (accounts.tax).
MARKETPLACE_SELLER_COUNTRY = env.str("MARKETPLACE_SELLER_COUNTRY", "DE")
# Well formed, and nobody's.
MARKETPLACE_SELLER_VAT_ID = env.str("MARKETPLACE_SELLER_VAT_ID", "DE123456788")
MARKETPLACE_SELLER_EMAIL = env.str("MARKETPLACE_SELLER_EMAIL", "invoices@example.com")
# The VAT that listed prices hold, as a share; 0: the seller is not registered for VAT.
MARKETPLACE_VAT_RATE = Decimal(env.str("MARKETPLACE_VAT_RATE", "0.19"))
# The account that SEPA payouts are made from. The default is the example of ISO 13616, which no bank holds.
MARKETPLACE_SELLER_IBAN = env.str("MARKETPLACE_SELLER_IBAN", "DE89370400440532013000")
MARKETPLACE_SELLER_BIC = env.str("MARKETPLACE_SELLER_BIC", "COBADEFFXXX")

# Agents -------------------------------------------------------------------------------------------

# How often an agent says that it is alive, and after how long without it a machine is offline.
MARKETPLACE_AGENT_HEARTBEAT = timedelta(seconds=env.int("MARKETPLACE_AGENT_HEARTBEAT_SECONDS", 30))
MARKETPLACE_AGENT_SILENCE = timedelta(seconds=env.int("MARKETPLACE_AGENT_SILENCE_SECONDS", 90))
# An enrollment code works once, for this long.
MARKETPLACE_ENROLLMENT_CODE = timedelta(minutes=env.int("MARKETPLACE_ENROLLMENT_CODE_MINUTES", 15))
# A signed message is believed this long before and after the moment it says it was signed.
MARKETPLACE_AGENT_MESSAGE_AGE = timedelta(minutes=env.int("MARKETPLACE_AGENT_MESSAGE_AGE_MINUTES", 5))
# Work that an agent has taken and is silent about is handed out again after this long.
MARKETPLACE_AGENT_LEASE = timedelta(seconds=env.int("MARKETPLACE_AGENT_LEASE_SECONDS", 60))
# An agent's token is replaced after this long.
MARKETPLACE_AGENT_TOKEN_AGE = timedelta(days=env.int("MARKETPLACE_AGENT_TOKEN_DAYS", 7))
# Agents that may wait for work in one web process at a time; the others are told to come again.
MARKETPLACE_AGENT_WAITING = env.int("MARKETPLACE_AGENT_WAITING", 3)
# Requests of one agent, and enrollments from one address.
MARKETPLACE_AGENT_RATE = env.str("MARKETPLACE_AGENT_RATE", "240/minute")
MARKETPLACE_ENROLLMENT_RATE = env.str("MARKETPLACE_ENROLLMENT_RATE", "30/minute")
# The iperf3 server, as host:port, that agents measure their line against; empty: against the marketplace itself.
MARKETPLACE_IPERF3 = env.str("MARKETPLACE_IPERF3", "")
# Whether agents that only pretend (manage.py demo_fleet) are let in. Never where real people book.
MARKETPLACE_ALLOW_SIMULATED = env.bool("MARKETPLACE_ALLOW_SIMULATED", False)
# A wipe that has failed is tried again after pauses that grow from the first to the longest; then a person is told.
MARKETPLACE_WIPE_ATTEMPTS = env.int("MARKETPLACE_WIPE_ATTEMPTS", 5)
MARKETPLACE_WIPE_FIRST_PAUSE = timedelta(seconds=env.int("MARKETPLACE_WIPE_FIRST_PAUSE_SECONDS", 30))
# Checks of certificates of erasure, and the files for them, from one address.
MARKETPLACE_ERASURE_RATE = env.str("MARKETPLACE_ERASURE_RATE", "120/minute")
# Access that comes this long after the start is on time; later, the end moves, or the time is refunded.
MARKETPLACE_LATE_HANDOVER = timedelta(seconds=env.int("MARKETPLACE_LATE_HANDOVER_SECONDS", 60))
# Minutes of silence inside a booking that are not refunded.
MARKETPLACE_DOWNTIME_FREE = timedelta(minutes=env.int("MARKETPLACE_DOWNTIME_FREE_MINUTES", 5))
# Reliability: over how many days, below what a listing takes no new bookings, what a provider's cancellation costs.
MARKETPLACE_RELIABILITY_DAYS = env.int("MARKETPLACE_RELIABILITY_DAYS", 30)
MARKETPLACE_LEAST_RELIABILITY = env.float("MARKETPLACE_LEAST_RELIABILITY", 0.98)
MARKETPLACE_CANCELLATION_DEBIT = timedelta(hours=env.int("MARKETPLACE_CANCELLATION_DEBIT_HOURS", 12))
MARKETPLACE_DISPUTE_DEBIT = timedelta(hours=env.int("MARKETPLACE_DISPUTE_DEBIT_HOURS", 24))
# How long ahead maintenance is announced.
MARKETPLACE_MAINTENANCE_NOTICE = timedelta(days=env.int("MARKETPLACE_MAINTENANCE_NOTICE_DAYS", 7))
# Every heartbeat is kept this long, and the hours this long.
MARKETPLACE_SAMPLES_DAYS = env.int("MARKETPLACE_SAMPLES_DAYS", 30)
MARKETPLACE_HOURS_DAYS = env.int("MARKETPLACE_HOURS_DAYS", 730)
# The image of a container that a buyer gets where the machine names none.
MARKETPLACE_CONTAINER_IMAGE = env.str("MARKETPLACE_CONTAINER_IMAGE", "docker.io/library/ubuntu:24.04")
# The platform's own Ed25519 key, which countersigns certificates of erasure: the text of an OpenSSH private key. Empty:
# one is made and kept under var/secrets.
PLATFORM_SIGNING_KEY = env.str("PLATFORM_SIGNING_KEY", "")
# Public keys that it had before, separated by commas: what was signed with them stays good.
PLATFORM_FORMER_KEYS = env.list("PLATFORM_FORMER_KEYS", [], subcast=str)

# Messages -----------------------------------------------------------------------------------------

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

# Languages, zones, files --------------------------------------------------------------------------

LANGUAGE_CODE = "en"
# Each by its own name. Their words are in locale/, which `manage.py texts` writes and compiles.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# Numbers and dates in forms and attributes are read by browsers, which know one way of writing them.
FORMAT_MODULE_PATH = ["marketplace.forms_in"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SAMESITE: Final = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": storage_settings(env, MEDIA_ROOT),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# What a browser is allowed to do ------------------------------------------------------------------


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'", _origin(STRIPE_JS_URL)],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", _origin(STRIPE_JS_URL), _origin(STRIPE_API_BASE)],
        "frame-src": [_origin(STRIPE_JS_URL), "https://hooks.stripe.com"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", SITE_URL.startswith("https:"))
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if SITE_URL.startswith("https:") else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", SITE_URL.startswith("https:"))
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", SITE_URL.startswith("https:"))
# A load balancer asks over plain HTTP, from inside.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
if env.bool("BEHIND_PROXY", False):
    # Rate limits count the address that the proxy saw, not the proxy's own.
    ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", 1)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SITE_URL.startswith("https:")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
# A browser takes a cookie of such a name over HTTPS alone, and from this very host.
_HOST_ALONE = "__Host-" if SITE_URL.startswith("https:") else ""
SESSION_COOKIE_NAME = f"{_HOST_ALONE}sessionid"
CSRF_COOKIE_NAME = f"{_HOST_ALONE}csrftoken"
MARKETPLACE_MESSAGES_COOKIE = f"{_HOST_ALONE}messages"
MARKETPLACE_TIMEZONE_COOKIE = f"{_HOST_ALONE}timezone"
LANGUAGE_COOKIE_NAME = f"{_HOST_ALONE}language"
MESSAGE_STORAGE = "marketplace.messages.Storage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# Logging: one line an event, to standard output -----------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        # In UTC, an event a line, without API tokens: the addresses of calendar feeds hold one.
        "line": {
            "class": "common.redaction.RedactingFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
}
