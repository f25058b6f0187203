"""Documents as they are kept: whole, as JSON, so that they can be read as they were issued, years later.

Amounts are strings, days ISO 8601. What was not there yet when a document was issued takes its default; what is not
known is refused, because leaving it out would tell another story.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class NotADocument(ValueError):
    """This JSON is no document of ours."""


def to_json(document: Any) -> dict[str, Any]:
    """A document of :mod:`billing.documents.facts` as JSON."""
    return {field.name: _plain(getattr(document, field.name)) for field in fields(document)}


def from_json(kind: type[T], content: Any) -> T:
    """The inverse of :func:`to_json`.

    Raises:
        NotADocument: something is missing, unknown or of another type.
    """
    return cast(T, _read(kind, content, kind.__name__))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return value


def _read(kind: Any, content: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _read_fields(kind, content, where)
    if get_origin(kind) is tuple:
        if not isinstance(content, list):
            raise NotADocument(f"{where} is not a list.")
        return tuple(_read(get_args(kind)[0], one, f"{where}[{place}]") for place, one in enumerate(content))
    if get_origin(kind) is UnionType:
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return None if content is None else _read(kind, content, where)
    if not isinstance(content, str):
        raise NotADocument(f"{where} is not a string.")
    try:
        return READERS[kind](content)
    except (ValueError, InvalidOperation) as error:
        raise NotADocument(f"{where} is “{content}”, which is no {kind.__name__.lower()}.") from error


def _read_fields(kind: Any, content: Any, where: str) -> Any:
    if not isinstance(content, dict):
        raise NotADocument(f"{where} is not an object.")
    types, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    if unknown := content.keys() - known.keys():
        raise NotADocument(f"{where} has {', '.join(sorted(unknown))}, which is not known.")
    needed = {name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING}
    if missing := needed - content.keys():
        raise NotADocument(f"{where} lacks {', '.join(sorted(missing))}.")
    return kind(**{name: _read(types[name], value, f"{where}.{name}") for name, value in content.items()})


def _amount(written: str) -> Decimal:
    amount = Decimal(written)
    if not amount.is_finite():
        raise ValueError("An amount is finite")
    return amount


READERS: dict[Any, Callable[[str], Any]] = {str: str, Decimal: _amount, date: date.fromisoformat}
