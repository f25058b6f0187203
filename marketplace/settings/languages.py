"""Languages and time zones."""

from typing import Final

from marketplace.settings.environment import BASE_DIR

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
