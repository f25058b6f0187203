"""What the annotations of the ``stripe`` package mean.

The package writes most types as strings and imports what they name only for type checkers. This resolves them:
``hints(class)`` gives the real types, whether the class is a TypedDict of parameters or an object of answers.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, get_type_hints

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict


class _Names(Mapping[str, Any]):
    """The names a module knows, with those that it imports for type checkers only."""

    def __init__(self, module: str) -> None:
        self._module = sys.modules[module]
        self._imports = _checked_imports(module)

    def __getitem__(self, name: str) -> Any:
        if hasattr(self._module, name):
            return getattr(self._module, name)
        if name not in self._imports:
            raise KeyError(name)
        where, what = self._imports[name]
        return getattr(import_module(where), what)

    def __iter__(self):
        return iter(self._imports)

    def __len__(self) -> int:
        return len(self._imports)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(import_module(module)))


@cache
def _checked_imports(module: str) -> dict[str, tuple[str, str]]:
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def names(module: str) -> Mapping[str, Any]:
    import_module(module)
    return _Names(module)


def evaluated(annotation: str, module: str) -> Any:
    """The type that an annotation in ``module`` writes."""
    return _resolved({"it": annotation}, module)["it"]


@cache
def hints(cls: type) -> dict[str, Any]:
    """The attributes that a class itself declares, and their types.

    Where a TypedDict of parameters also takes the options of a request (api_key …), those are left out: they are
    headers, not parameters.
    """
    own = {
        name: annotation
        for name, annotation in inspect.get_annotations(cls).items()
        if not name.startswith("_") and name != "OBJECT_NAME"
    }
    if is_typeddict(cls):
        own = {name: annotation for name, annotation in own.items() if name not in RequestOptions.__annotations__}
    return _resolved(own, cls.__module__)


def _resolved(annotations: dict[str, Any], module: str) -> dict[str, Any]:
    holder = type("_", (), {"__annotations__": annotations, "__module__": module})
    return get_type_hints(holder, None, names(module), include_extras=True)
