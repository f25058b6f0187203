"""Pages of changes: one part of them at a time, or all of them as a file."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from common.history.export import KINDS, as_file
from common.history.reading import History

A_PAGE = 50


def answered(
    request: HttpRequest, history: History, *, template: str, name: str, context: dict[str, Any]
) -> HttpResponseBase:
    """The page, with ``page``: a part of the changes; with ``?as=csv`` or ``?as=json`` the file called ``name``."""
    kind = request.GET.get("as", "")
    if kind in KINDS:
        return as_file(history, name=name, kind=kind)
    return render(request, template, context | {"page": page_of(history, request.GET.get("page"))})


def page_of(history: History, number: str | None) -> Page[Any]:
    """A part of the changes: the first one, if there is none of this number."""
    parts: Paginator[Any] = Paginator(history, A_PAGE)  # type: ignore[arg-type]
    return parts.get_page(number)
