"""The sentence that says what has just been done, on its way to the next page: in a cookie, as Django keeps it."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class NamedCookieStorage(CookieStorage):
    """Under the name that the settings give, as all our cookies have it."""

    cookie_name = settings.MARKETPLACE_MESSAGES_COOKIE


class Storage(FallbackStorage):
    """In the cookie as far as it has room, the rest in the session."""

    storage_classes = (NamedCookieStorage, SessionStorage)
