"""What a browser is allowed to do."""

from urllib.parse import urlsplit

from marketplace.settings.core import SITE_URL
from marketplace.settings.environment import env
from marketplace.settings.money import STRIPE_API_BASE, STRIPE_JS_URL


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
