"""The administrators' actions that take two of them (rules: Administrators).

Each room names its own when it is ready (``apps.py``). The service that does it refuses to do it for one administrator alone
(:func:`~accounts.services.decisions.require_two`): this is how two of them get there, not what keeps one from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.utils.functional import Promise

from accounts.models import User

#: As they are frozen: texts by their names.
Arguments = Mapping[str, str]
#: What both administrators read: pairs of words.
Shown = Sequence[tuple[str, str]]


class Do(Protocol):
    def __call__(self, arguments: Arguments, *, by: User, second: User, reason: str, now: datetime) -> object:
        """Do it. ``by`` asked for it, ``second`` confirms. What was true when it was asked for is looked at again here."""


@dataclass(frozen=True)
class DangerousAction:
    """``about`` names what it is done to: of each such thing one request may wait at a time.

    ``show`` says what will be done, and raises a :class:`~common.errors.MarketplaceError` when it cannot be.
    """

    name: str
    label: str | Promise
    about: Callable[[Arguments], str]
    show: Callable[[Arguments], Shown]
    do: Do


_actions: dict[str, DangerousAction] = {}


def takes_two(action: DangerousAction) -> DangerousAction:
    """Let it be asked for by its name."""
    _actions[action.name] = action
    return action


def named(name: str) -> DangerousAction:
    return _actions[name]


def label_of(name: str) -> str:
    """Of one that no longer exists its bare name: what was decided stays to be read."""
    action = _actions.get(name)
    return str(action.label) if action else name
