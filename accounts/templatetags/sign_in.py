"""Words for pages about signing in."""

from functools import lru_cache

from django import template
from django.utils.translation import gettext
from ua_parser import parse

register = template.Library()


@register.filter
def device(user_agent: str) -> str:
    """``Firefox 133 on Linux``, of what a browser says that it is."""
    browser, system = _named(user_agent)
    if browser and system:
        return gettext("{browser} on {system}").format(browser=browser, system=system)
    return browser or system or gettext("A program that does not say what it is")


@lru_cache(256)
def _named(user_agent: str) -> tuple[str, str]:
    found = parse(user_agent)
    browser = found.user_agent
    name = " ".join(filter(None, (browser.family, browser.major))) if browser else ""
    return name, found.os.family if found.os else ""
