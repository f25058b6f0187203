"""People: signing in, being verified, tokens for their programs, and what takes two administrators."""

from datetime import timedelta
from decimal import Decimal

from marketplace.settings.core import DEBUG, SITE_NAME, SITE_URL
from marketplace.settings.environment import env

# Signing in ---------------------------------------------------------------------------------------

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

# Administrators -----------------------------------------------------------------------------------

# What one administrator asked for waits this long for a second one; so much, in each currency, one alone may give back.
MARKETPLACE_SECOND_PERSON = timedelta(hours=env.int("MARKETPLACE_SECOND_PERSON_HOURS", 72))
MARKETPLACE_REFUND_ALONE = Decimal(env.str("MARKETPLACE_REFUND_ALONE", "500"))
# The longest that an administrator may look at the site as somebody else, to help them.
MARKETPLACE_ACTING = timedelta(minutes=env.int("MARKETPLACE_ACTING_MINUTES", 30))
