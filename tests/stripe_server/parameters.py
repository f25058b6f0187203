"""Reads a request's form by the TypedDict that the ``stripe`` package declares for it.

A form knows only strings. The declared type says what they stand for ("1000" is an amount, "true" a truth), and
everything that it does not declare is an error: an unknown parameter, a missing one, a value outside its literals.
"""

import re
import types
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from stripe._stripe_object import UntypedStripeObject

from tests.stripe_server.names import hints

Reader = Callable[[Any, str], Any]


class Wrong(Exception):
    """A parameter that its type does not allow. ``code`` is Stripe's: parameter_unknown, parameter_missing …"""

    def __init__(self, path: str, why: str, code: str = "") -> None:
        super().__init__(why)
        self.path = path
        self.code = code


def read(params: type, form: dict[str, Any], allowed_besides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The parameters of a request.

    Args:
        params: the TypedDict.
        form: the tree of :func:`tests.stripe_server.forms.parsed`.
        allowed_besides: parameters taken as they are although the type does not have them.

    Raises:
        Wrong: the first thing that the type does not allow.
    """
    extra = {name: _plain(form[name]) for name in allowed_besides if name in form}
    return _typed_dict(params)({k: v for k, v in form.items() if k not in extra}, "") | extra


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        listed = value and all(key.isdigit() for key in value)
        return [_plain(part) for part in value.values()] if listed else {k: _plain(v) for k, v in value.items()}
    return value


@cache
def _typed_dict(cls: type) -> Reader:
    fields: dict[str, Reader] = {}
    required: set[str] = set()
    for name, hint in hints(cls).items():
        needed, inner = _need(hint)
        fields[name] = _reader(inner)
        if needed:
            required.add(name)

    def take(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong(path, f"Invalid object: {path}", "parameter_invalid_empty" if value == "" else "")
        result = {}
        for name, part in value.items():
            where = f"{path}[{name}]" if path else name
            if name not in fields:
                raise Wrong(where, f"Received unknown parameter: {where}", "parameter_unknown")
            result[name] = fields[name](part, where)
        for name in required:
            if name not in value:
                where = f"{path}[{name}]" if path else name
                raise Wrong(where, f"Missing required param: {where}.", "parameter_missing")
        return result

    return take


def _need(hint: Any) -> tuple[bool, Any]:
    origin = get_origin(hint)
    if origin in (NotRequired, typing_extensions.NotRequired):
        return False, get_args(hint)[0]
    if origin in (Required, typing_extensions.Required):
        return True, get_args(hint)[0]
    return True, hint


def _reader(hint: Any) -> Reader:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint))
    if origin in (Literal, typing_extensions.Literal):
        return _literal(get_args(hint))
    if origin is list:
        return _list(_reader(get_args(hint)[0]))
    if origin in (dict, UntypedStripeObject):
        args = get_args(hint)
        return _mapping(_reader(args[-1]) if args else _text)
    if typing_extensions.is_typeddict(hint):
        # Read late: some of these types hold themselves.
        return lambda value, path: _typed_dict(hint)(value, path)
    if hint in _PLAIN:
        return _PLAIN[hint]
    raise TypeError(f"A parameter's type is not understood: {hint!r}")


def _union(options: tuple[Any, ...]) -> Reader:
    literals = [option for option in options if get_origin(option) in (Literal, typing_extensions.Literal)]
    closed = [option for option in literals if get_args(option) != ("",)]
    # The package writes "one of these words" as ``Literal[…]|str``, so that newer words pass its type checkers.
    chosen = [option for option in options if not (option is str and closed) and option is not type(None)]
    order = sorted(chosen, key=lambda option: option is str)
    readers = [_reader(option) for option in order]

    def take(value: Any, path: str) -> Any:
        wrong = []
        for reader in readers:
            try:
                return reader(value, path)
            except Wrong as error:
                wrong.append(error)
        # The deepest error says most: it is about a part of the alternative that was meant.
        raise max(wrong, key=lambda error: len(error.path))

    return take


def _literal(words: tuple[Any, ...]) -> Reader:
    def take(value: Any, path: str) -> Any:
        for word in words:
            if value == (str(word).lower() if isinstance(word, bool) else str(word)):
                return word
        raise Wrong(path, f"Invalid {path}: must be one of {', '.join(map(str, words))}")

    return take


def _list(reader: Reader) -> Reader:
    def take(value: Any, path: str) -> list[Any]:
        if not isinstance(value, dict) or list(value) != [str(number) for number in range(len(value))]:
            raise Wrong(path, f"Invalid array: {path}")
        return [reader(part, f"{path}[{number}]") for number, part in value.items()]

    return take


def _mapping(reader: Reader) -> Reader:
    def take(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong(path, f"Invalid hash: {path}")
        return {name: reader(part, f"{path}[{name}]") for name, part in value.items()}

    return take


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise Wrong(path, f"Invalid string: {path}")
    return value


def _integer(value: Any, path: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d+", value):
        raise Wrong(path, f"Invalid integer: {value}", "parameter_invalid_integer")
    return int(value)


def _number(value: Any, path: str) -> float:
    return float(_decimal(value, path))


def _decimal(value: Any, path: str) -> str:
    try:
        if isinstance(value, str) and Decimal(value).is_finite():
            return value
    except InvalidOperation:
        pass
    raise Wrong(path, f"Invalid decimal: {value}")


def _boolean(value: Any, path: str) -> bool:
    if value not in ("true", "false"):
        raise Wrong(path, f"Invalid boolean: {value}")
    return value == "true"


_PLAIN: dict[Any, Reader] = {
    str: _text,
    int: _integer,
    float: _number,
    Decimal: _decimal,
    bool: _boolean,
    Any: lambda value, path: value,
}
