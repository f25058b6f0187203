"""Asking an address as somebody, and what came of it. Whatever was changed is undone."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.template.backends.django import Template
from django.test import Client
from django.test.client import ClientHandler
from django.urls import reverse

from accounts.models import User

WRITES = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"')
#: What asking alone leaves behind: when somebody was last seen, and that a token was used.
TRACES = {"usersessions_usersession", "api_token_uses", "api_tokens"}
#: An empty form is taken for none at all.
FITS_NOTHING = {"nothing": "that fits"}
ADDRESSES = count(1)
SENT_TO = (
    ("account_login", "login"),
    ("admin:login", "admin"),
    ("account_reauthenticate", "again"),
)


@cache
def handler() -> ClientHandler:
    return ClientHandler(enforce_csrf_checks=False)


@dataclass
class Person:
    """Somebody with a browser. ``cookie``: the session that they always begin with, all of it."""

    name: str
    user: User | None = None
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(REMOTE_ADDR=f"203.0.113.{next(ADDRESSES)}")  # limits count addresses
        self.client.handler = handler()  # one for all: making it takes a second
        if self.user is not None:
            self.client.force_login(self.user)
        self.keep()

    def keep(self) -> None:
        """Begin with this session from now on."""
        morsel = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        self.cookie = morsel.value if morsel else ""

    def begin(self) -> None:
        """As before anything was asked."""
        self.client.cookies.clear()
        if self.cookie:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = self.cookie

    def ask(
        self, method: str, address: str, data: dict[str, Any] | None = None, *, headers: dict[str, str] | None = None
    ) -> "Answer":
        with undone() as wrote:
            response = self.send(method, address, data, headers)
            text = _content_of(response).decode(errors="replace")
        return Answer(word_of(response), wrote - TRACES, text)

    def send(self, method: str, address: str, data: dict[str, Any] | None = None, headers: Any = None) -> Any:
        """What was changed by it stays: for :func:`undone` around it."""
        self.begin()
        if method == "POST":
            return self.client.post(address, data or FITS_NOTHING, headers=headers)
        if method == "PART":
            headers = {"HX-Request": "true"} | (headers or {})
        return self.client.get(address, data, headers=headers)


@dataclass(frozen=True)
class Answer:
    """``word``: as the tables have it. ``wrote``: the tables of the database that something was written to."""

    word: str
    wrote: set[str]
    text: str


def _content_of(response: HttpResponseBase) -> bytes:
    """All of it: what is sent piece by piece is only made while it is read."""
    return b"".join(response.streaming_content) if response.streaming else response.content


def around() -> transaction.Atomic:
    """A transaction around everything, within which services may begin what they take for the outermost one."""
    atomic = transaction.atomic()
    atomic._from_testcase = True  # as Django's own TestCase marks its transactions
    return atomic


@contextmanager
def undone() -> Iterator[set[str]]:
    """Take back what is written to the database meanwhile, and say to which of its tables that was."""
    wrote: set[str] = set()

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if context["cursor"].rowcount != 0:
            wrote.update(WRITES.findall(sql))
        return result

    with around(), connection.execute_wrapper(watch):
        yield wrote
        transaction.set_rollback(True)


def asked_in_turn(people: Iterable[Person], method: str, address: str) -> dict[str, str]:
    """What each gets, by their names. Nobody meets what somebody before them has changed: it is undone as soon as there is
    something to undo, which spares most requests a savepoint of their own."""
    left, words = list(people), {}
    while left:
        with undone() as wrote:
            while left and not wrote:
                person = left.pop(0)
                response = person.send(method, address)
                _content_of(response)
                words[person.name] = word_of(response)
    return words


def word_of(response: HttpResponseBase) -> str:
    if response.status_code != 302:
        return str(response.status_code)
    to = urlsplit(response["Location"])
    for route, word in SENT_TO:
        if to.path == reverse(route) and "next" in parse_qs(to.query):
            return word
    return "302"


@contextmanager
def unrendered() -> Iterator[None]:
    """Pages are made and not drawn: the views run to their end, and drawing is what takes long."""
    render = Template.render

    def blank(self: Template, *args: Any, **kwargs: Any) -> str:
        return "" if str(self.origin.name).endswith(".html") else render(self, *args, **kwargs)

    with patch.object(Template, "render", blank):
        yield
