"""Drawing the templates of the site's components."""

from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from common.formats import language


def draw(name: str, /, **values: Any) -> SafeString:
    return render_to_string(f"components/{name}.html", values)


def draw_words(name: str, /, *values: tuple[str, str]) -> SafeString:
    """As :func:`draw` for what is made of a few words alone, and is drawn in every row: remembered, by language."""
    return _drawn(name, language(), *((key, str(words)) for key, words in values))


@lru_cache(2048, typed=True)
def _drawn(name: str, _language: str, /, *values: tuple[str, str]) -> SafeString:
    return draw(name, **dict(values))


def trimmed(content: str) -> SafeString:
    """A rendered body without the white space around it; as safe as it was."""
    return mark_safe(content.strip())  # noqa: S308
