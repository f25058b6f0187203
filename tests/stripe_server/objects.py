"""Compares an object that the server is about to send with the class that the ``stripe`` package has for it.

Everything that the class declares and does not call optional must be there, with a value of its type; nothing that
it does not declare may be there.
"""

import types
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin

import typing_extensions
from stripe._list_object import ListObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import StripeObject, UntypedStripeObject

from tests.stripe_server.names import hints

Check = Callable[[Any, str], Iterator[str]]

#: The package writes only a list's data, has_more and url.
_LIST_KEYS = {"object", "data", "has_more", "url"}


def faults(expected: Any, value: Any) -> list[str]:
    """What is wrong with ``value`` where the package declares ``expected``; one sentence each."""
    return list(_check(expected)(value, getattr(expected, "OBJECT_NAME", "") or "list"))


def class_of(name: str) -> type | None:
    """The class for objects whose ``object`` is ``name``."""
    if name not in OBJECT_CLASSES:
        return None
    module, cls = OBJECT_CLASSES[name]
    return getattr(import_module(module), cls)


@cache
def _check(hint: Any) -> Check:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint))
    if origin in (Literal, typing_extensions.Literal):
        words = get_args(hint)
        return _test(lambda value: value in words, f"one of {words[:6]}")
    if origin is list:
        return _list(_check(get_args(hint)[0]))
    if origin is ListObject or hint is ListObject:
        return _list_object(_check(get_args(hint)[0]) if get_args(hint) else _anything)
    if origin in (dict, UntypedStripeObject):
        return _mapping(_check(get_args(hint)[-1]))
    if isinstance(hint, type) and issubclass(hint, StripeObject):
        # Read late: objects hold one another in circles.
        return lambda value, path: _object(hint)(value, path)
    if hint in _PLAIN:
        return _PLAIN[hint]
    raise TypeError(f"An attribute's type is not understood: {hint!r}")


@cache
def _object(cls: type) -> Check:
    fields = {name: _check(hint) for name, hint in hints(cls).items()}
    required = [name for name, hint in hints(cls).items() if type(None) not in get_args(hint)]

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no object"
            return
        if value.get("deleted") is True and "deleted" in fields:
            if set(value) != {"id", "object", "deleted"}:
                yield f"{path}: a deleted object has an id, and nothing else"
            return
        for name, part in value.items():
            if name not in fields:
                yield f"{path}.{name}: not known"
            elif part is not None or name in required:
                yield from fields[name](part, f"{path}.{name}")
        for name in required:
            if name not in value:
                yield f"{path}.{name}: missing"

    return check


def _union(options: tuple[Any, ...]) -> Check:
    nothing = type(None) in options
    closed = any(get_origin(o) in (Literal, typing_extensions.Literal) for o in options)
    # As in parameters: ``Literal[…]|str`` means one of these words.
    meant = [o for o in options if o is not type(None) and not (o is str and closed)]
    objects = {o.OBJECT_NAME: _check(o) for o in meant if isinstance(o, type) and hasattr(o, "OBJECT_NAME")}
    others = [_check(o) for o in meant if not (isinstance(o, type) and hasattr(o, "OBJECT_NAME"))]

    def check(value: Any, path: str) -> Iterator[str]:
        if value is None:
            if not nothing:
                yield f"{path}: may not be null"
            return
        if isinstance(value, dict) and value.get("object") in objects:
            yield from objects[value["object"]](value, path)
            return
        found: list[str] = []
        for option in others:
            found = list(option(value, path))
            if not found:
                return
        yield from found or [f"{path}: {value!r} is of no allowed kind"]

    return check


def _list(inner: Check) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, part in enumerate(value):
            yield from inner(part, f"{path}[{number}]")

    return check


def _list_object(inner: Check) -> Check:
    of_data = _list(inner)

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict) or value.get("object") != "list" or set(value) != _LIST_KEYS:
            yield f"{path}: no list object"
            return
        if not isinstance(value["has_more"], bool) or not isinstance(value["url"], str):
            yield f"{path}: has_more or url is not of its type"
        yield from of_data(value["data"], f"{path}.data")

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no mapping"
            return
        for name, part in value.items():
            yield from inner(part, f"{path}[{name}]")

    return check


def _test(test: Callable[[Any], bool], what: str) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not test(value):
            yield f"{path}: {value!r} is not {what}"

    return check


def _anything(value: Any, path: str) -> Iterator[str]:
    return iter(())


def _decimal(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


_PLAIN: dict[Any, Check] = {
    str: _test(lambda value: isinstance(value, str), "a string"),
    int: _test(lambda value: type(value) is int, "an integer"),
    float: _test(lambda value: type(value) in (int, float), "a number"),
    bool: _test(lambda value: isinstance(value, bool), "a boolean"),
    Decimal: _test(_decimal, "a decimal in a string"),
    Any: _anything,
    dict: _test(lambda value: isinstance(value, dict), "a mapping"),
}
