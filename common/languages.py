"""The languages that the pages are in, and who reads which.

Words follow the active language, which :mod:`accounts.middleware` makes that of whoever asks, and
:func:`accounts.outbox.written_for` that of whoever is written to. Outside of both, in tasks and commands, it is
English.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.functional import lazy

#: The language of documents, of the administration, of history, and of whoever has none of the others.
ENGLISH = "en"


def known(code: str) -> str:
    """The code, if it is that of a language of ours; else empty."""
    return code if code in dict(settings.LANGUAGES) else ""


def chosen_in_browser(request: HttpRequest) -> str:
    """The language that was chosen in this browser, by the switch; empty: none, or one that is none of ours."""
    return known(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""))


def wanted_by_browser(request: HttpRequest) -> str:
    """The language chosen in this browser, else the first of its ``Accept-Language`` that is ours, else English."""
    return translation.get_language_from_request(request)


@contextmanager
def in_language(code: str) -> Iterator[None]:
    """Write in this language until the block ends; empty, or not one of ours: in English."""
    with translation.override(known(code) or ENGLISH):
        yield


@contextmanager
def in_english() -> Iterator[None]:
    """Write in English until the block ends: what is the same to everybody, such as a document.

    Also a decorator, for functions that make one.
    """
    with translation.override(ENGLISH):
        yield


def said_later(write: Callable[[], str]) -> str:
    """Words that are written when somebody reads them, in the language of that moment.

    For what is made once and told to several people, or made in one place and read in another.
    """
    return lazy(write, str)()
