"""The site's components as template tags. Available in every template without loading.

Each draws ``templates/components/<name>.html``, which says at its top what it takes. ``docs/look.md`` shows them all.
Fields of forms are in :mod:`common.templatetags.fields`, strips and charts in :mod:`common.templatetags.drawings`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from html import unescape
from typing import Any

import heroicons
from django import template
from django.conf import settings
from django.core.paginator import Page
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from common import formats
from common.drawing import draw, draw_words, trimmed
from common.money import rounded

register = template.Library()


# Small things -----------------------------------------------------------------------------------------


@register.simple_tag
def site_name() -> str:
    """The marketplace's name, also where no request is (mails)."""
    return str(settings.SITE_NAME)


@register.simple_tag
def site_url() -> str:
    return str(settings.SITE_URL)


@register.simple_tag
def zone_name() -> str:
    """The time zone in which this page writes its times: ``Europe/Berlin``."""
    return timezone.get_current_timezone_name()


@register.simple_tag
def icon(name: str, size: int = 20, style: str = "outline", cls: str = "") -> SafeString:
    """An icon of Heroicons, for the eyes only: the words belong beside it. ``style``: outline, solid, mini, micro."""
    return _icon(str(name), size, style, cls)


@lru_cache(256)
def _icon(name: str, size: int, style: str, cls: str) -> SafeString:
    attrs: dict[str, object] = {"aria_hidden": "true", "focusable": "false", "class": f"icon {cls}".strip()}
    svg = heroicons._render_icon(style, name, size, attrs)  # as its own template tags do
    return mark_safe(svg)  # noqa: S308 - drawn by the package from a name and our own attributes


@register.simple_tag(takes_context=True)
def nav_link(
    context: template.Context, name: str, label: str, under: str = "", pk: Any = None, exact: bool = False
) -> SafeString:
    """A link to the page of that name, marked as current on it and on the pages under it.

    ``under`` is the path that counts as under it, where that differs from its own; with ``exact`` none does. ``pk`` is
    of what the page is about. A page that this deployment does not have gets no link.
    """
    try:
        url = reverse(name, args=[] if pk is None else [pk])
    except NoReverseMatch:
        return SafeString("")
    request = context.get("request")
    path = request.path if request else ""
    current = format_html(' aria-current="{}"', "page" if path == url else "true")
    is_current = path == url if exact else path.startswith(under or url)
    return format_html('<a href="{}"{}>{}</a>', url, current if is_current else "", label)


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, **changes: Any) -> str:
    """The page's query string with some keys changed; ``None`` or an empty value takes a key out.

    ``<a href="{% query_with page=2 %}">``. Always begins with ``?``, so that it leads back to the same page.
    """
    request = context.get("request")
    query = request.GET.copy() if request else QueryDict(mutable=True)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        elif isinstance(value, list | tuple):
            query.setlist(key, list(value))
        else:
            query[key] = value
    return f"?{query.urlencode()}"


@register.simple_tag
def moment(value: datetime | None, style: str = "when") -> SafeString | str:
    """A ``<time>``: ``style`` is when, both (own zone and UTC), day, clock, ago or countdown. UTC stands in the title."""
    if value is None:
        return formats.NOTHING
    if style == "countdown":
        left = max(value - timezone.now(), formats.MINUTE * 0)
        return format_html(
            '<time datetime="{}" title="{}" data-countdown>{}</time>',
            value.isoformat(),
            formats.when_both(value),
            formats.duration(left),
        )
    write = {
        "when": formats.when,
        "both": formats.when_both,
        "day": formats.day,
        "clock": formats.clock,
        "ago": formats.ago,
    }[style]
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), formats.when_both(value), write(value)
    )


# Words in a form --------------------------------------------------------------------------------------


@register.simple_tag
def mark(tone: str, words: str, title: str = "") -> SafeString:
    """A dot with words: the marks of proof and of state. ``tone``: good, warn, bad, soft."""
    return draw_words("mark", ("tone", tone), ("words", words), ("title", title))


@register.simple_tag
def badge(words: str, tone: str = "") -> SafeString:
    return draw_words("badge", ("words", words), ("tone", tone))


@register.simple_tag
def verified(verification: Any) -> SafeString:
    """The badge of somebody who has been checked, with its date. ``verification``: an approved one."""
    return draw(
        "verified",
        kind=verification.get_kind_display(),
        at=verification.decided_at,
        until=verification.valid_until,
    )


@register.simple_tag
def button(
    label: str,
    href: str = "",
    kind: str = "",
    icon: str = "",
    type: str = "submit",
    name: str = "",
    value: str = "",
    disabled: bool = False,
) -> SafeString:
    """A link with ``href``, a button without. ``kind``: primary, danger, quiet."""
    return draw(
        "button",
        label=label,
        href=href,
        kind=kind,
        icon=icon,
        type=type,
        name=name,
        value=value,
        disabled=disabled,
    )


@register.simple_tag
def stat(label: str, value: Any, note: str = "", tone: str = "") -> SafeString:
    return draw("stat", label=label, value=value, note=note, tone=tone)


@register.simple_tag
def facts(pairs: Iterable[Sequence[Any]]) -> SafeString:
    """``[(label, value), ...]`` or ``[(label, value, title), ...]``; empty values are left out."""
    rows = [
        {"label": pair[0], "value": pair[1], "title": pair[2] if len(pair) > 2 else ""}
        for pair in pairs
        if pair[1] not in (None, "")
    ]
    return draw("facts", rows=rows)


@register.simple_tag
def data_table(headers: Sequence[Any], rows: Iterable[Sequence[Any]], caption: str = "") -> SafeString:
    """``headers``: labels, those of numbers with a trailing ``#``. ``rows``: sequences of cells, as long as they."""
    columns = [{"label": str(h).removesuffix("#"), "number": str(h).endswith("#")} for h in headers]
    return draw(
        "data_table",
        columns=columns,
        rows=[list(zip(columns, row, strict=True)) for row in rows],
        caption=caption,
    )


@register.simple_tag
def timeline(steps: Iterable[Any]) -> SafeString:
    """``steps``: objects or mappings with ``title``, ``state`` ("done", "now", "next", "bad"), and perhaps ``at``
    (an aware datetime, or words such as "≈ 09:20"), ``detail``, ``by``."""
    return draw("timeline", steps=[_step(step) for step in steps])


def _step(step: Any) -> dict[str, Any]:
    def read(key: str) -> Any:
        return step.get(key, "") if isinstance(step, Mapping) else getattr(step, key, "")

    at = read("at")
    return {
        "at": at,
        "is_moment": isinstance(at, datetime),
        "title": read("title"),
        "detail": read("detail"),
        "by": read("by"),
        "state": read("state") or "next",
    }


@register.simple_tag
def receipt(
    lines: Iterable[Any],
    total: Decimal,
    currency: str,
    title: str = "",
    total_label: str = "",
    extra: Iterable[Sequence[Any]] = (),
) -> SafeString:
    """The lines of a quote and their total.

    ``lines``: objects or mappings with ``unit``, ``quantity``, ``rate``, ``amount``. ``extra``: rows of
    ``(label, amount)`` between the lines and the total, such as refunds.
    """
    return draw(
        "receipt",
        lines=[_line(line, currency) for line in lines],
        extra=[(label, formats.money(rounded(Decimal(amount), currency), currency)) for label, amount in extra],
        total=formats.money(total, currency),
        title=title,
        total_label=total_label or _("Total"),
    )


def _line(line: Any, currency: str) -> dict[str, str]:
    def read(key: str) -> Any:
        return line[key] if isinstance(line, Mapping) else getattr(line, key)

    return {
        "words": formats.counted(str(read("unit")), int(read("quantity")), formats.money(read("rate"), currency)),
        "amount": formats.money(read("amount"), currency),
    }


@register.simple_tag(takes_context=True)
def pagination(
    context: template.Context,
    page: Page,  # type: ignore[type-arg]
    key: str = "page",
    anchor: str = "",
) -> SafeString:
    """Links to the other pages of a list; everything else in the query string stays as it is.

    ``anchor``: the id of the list, where it is not the first on its page.
    """
    if page.paginator.num_pages <= 1:
        return SafeString("")

    def link(number: int) -> str:
        return query_with(context, **{key: number}) + (f"#{anchor}" if anchor else "")

    return draw(
        "pagination",
        page=page,
        total=page.paginator.count,
        pages=[
            {"number": number, "url": link(number) if isinstance(number, int) else ""}
            for number in page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
        ],
        previous=link(page.previous_page_number()) if page.has_previous() else "",
        next=link(page.next_page_number()) if page.has_next() else "",
    )


# Things with a body -----------------------------------------------------------------------------------


@register.simple_block_tag
def page_header(content: str, title: str, back_url: str = "", back_label: str = "") -> SafeString:
    """The top of a page. The body holds marks, a sentence, or buttons in ``<div class="actions">``."""
    return draw("page_header", content=trimmed(content), title=title, back_url=back_url, back_label=back_label)


@register.simple_block_tag
def note(content: str, tone: str = "", title: str = "") -> SafeString:
    """Something to know before going on. ``tone``: none, good, warn, bad."""
    return draw("note", content=trimmed(content), tone=tone, title=title)


@register.simple_block_tag
def empty(content: str, title: str, icon: str = "inbox") -> SafeString:
    """Nothing is here yet: what would be, and how to get it."""
    return draw("empty", content=trimmed(content), title=title, icon=icon)


@register.simple_block_tag
def terminal(content: str, label: str = "", comment: str = "") -> SafeString:
    """A command, ready to copy; ``comment`` is shown beneath it and not copied."""
    command = unescape(strip_tags(content)).strip()
    return draw("terminal", content=trimmed(content), command=command, label=label or _("Command"), comment=comment)


@register.simple_block_tag(takes_context=True)
def confirm(
    context: template.Context,
    content: str,
    id: str,
    label: str,
    action: str,
    title: str = "",
    yes: str = "",
    no: str = "",
    kind: str = "",
    next: str = "",
) -> SafeString:
    """A button that asks before it posts to ``action``. The body says what will happen, and may hold form fields."""
    return draw(
        "confirm",
        content=trimmed(content),
        id=id,
        label=label,
        action=action,
        title=title or label,
        yes=yes or label,
        no=no or _("Go back"),
        kind=kind,
        next=next,
        csrf_token=context.get("csrf_token", ""),
    )
