"""Form-encoded bodies and queries with brackets: ``items[0][price]=p`` is ``{"items": {"0": {"price": "p"}}}``."""

import re
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\[\]]*)\]")


def parsed(text: str) -> dict[str, Any]:
    """The tree that a form writes. Every leaf is a string; a list is a dict whose keys are numbers."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        path = [key.split("[", 1)[0], *_PART.findall(key)]
        here = root
        for part, following in zip(path, [*path[1:], None], strict=True):
            name = part or str(len(here))
            if following is None:
                here[name] = value
            elif not isinstance(here.setdefault(name, {}), dict):
                raise ValueError(f"{key} is both a value and a group.")
            else:
                here = here[name]
    return root
