"""The languages that the pages are in, and who reads which.

Words follow the active language, which :mod:`accounts.middleware` makes that of whoever asks, and
:func:`accounts.outbox.written_for` that of whoever is written to. Outside of both, in tasks and commands, it is
English.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.functional import lazy
from django.utils.translation import trans_real

from common.formats import in_region

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
    """Write in English until the block ends: what is the same to everybody, such as a document or a line of history.

    Numbers and money are as English has them, in no country's way, and times are in UTC, whoever asks. Also a decorator,
    for functions that make one.
    """
    with translation.override(ENGLISH), in_region(""), timezone.override(UTC):
        yield


def said_later(write: Callable[[], str]) -> str:
    """Words that are written when somebody reads them, in the language of that moment.

    For what is made once and told to several people, or made in one place and read in another.
    """
    return lazy(write, str)()


def is_in_our_texts(words: str) -> bool:
    """Whether these words stand, just like this, in a text that is marked for translation, in any language.

    Reads all of them: not for every request.
    """
    whole = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)")
    return any(whole.search(text) for code in dict(settings.LANGUAGES) for text in _texts(code))


def _texts(code: str) -> Iterator[str]:
    """As they stand in the sources, and as they are said in this language."""
    catalog: Any = trans_real.translation(code)._catalog  # type: ignore[attr-defined]
    for source, said in catalog.items():
        yield source[0] if isinstance(source, tuple) else source  # of a plural: with its number
        yield said
