"""Which data sheet a GPU belongs to, by the name that its driver gives it.

Drivers, makers and marketplaces write one model in many ways: ``NVIDIA H100 80GB HBM3``, ``H100 SXM5 80GB``, ``H100 SXM``.
A name is boiled down to its letters and digits without makers, families and amounts of memory; the memory that the
driver reports tells those apart that are then alike.
"""

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

#: Drivers report up to a tenth less than the data sheet: ECC, firmware.
TOLERANCE = 0.1
MIB_A_GB = 1024
#: Cards of which the driver shows each die as a GPU of its own, with its share of the memory.
DIES = {"mi250": 2, "mi250x": 2}

_NOISE = re.compile(
    r"\b(nvidia|amd|ati|advanced micro devices|corporation|geforce|quadro|tesla|radeon|instinct|graphics|generation"
    r"|edition|tm|r|ac|mcm|mba|per gpu)\b"
)
_MEMORY = re.compile(r"\b(\d+\s*gi?b?|hbm\w*|g?ddr\w*)\b")
_FORM = re.compile(r"\b(pcie|nvl|oam|sxm)\d?\b")
_NO_SIGN = re.compile(r"[^a-z0-9]")


class Sheet(Protocol):
    """As much of :class:`machines.models.GPUModel` as is needed here."""

    name: str
    aliases: list[str]
    memory_gb: int


SomeSheet = TypeVar("SomeSheet", bound=Sheet)


def find(name: str, memory_mb: int | None, sheets: Iterable[SomeSheet]) -> SomeSheet | None:
    """The data sheet of a GPU that calls itself ``name`` and has so much memory (MiB; ``None``: not known)."""
    return next(iter(candidates(name, memory_mb, sheets)), None)


def candidates(name: str, memory_mb: int | None, sheets: Iterable[SomeSheet]) -> list[SomeSheet]:
    """The data sheets that it may be, the likeliest first: those of its full name, else those that only leave out
    in which form it is built (PCIe, SXM)."""
    likely = [sheet for sheet in sheets if memory_mb is None or _fits(sheet, memory_mb)]
    if memory_mb is not None:
        likely.sort(key=lambda sheet: abs(sheet_memory_gb(sheet) - memory_mb / MIB_A_GB))
    full = [sheet for sheet in likely if _keys(name) & _sheet_keys(sheet)]
    return full or [sheet for sheet in likely if any(alike(name, other) for other in _names(sheet))]


def alike(one: str, other: str) -> bool:
    """Whether two names may mean one model, whatever its memory: the same but for a form that only one of them says."""
    forms, other_forms = _forms(one), _forms(other)
    if forms and other_forms and forms != other_forms:
        return False
    return bool(_keys(one, forms=False) & _keys(other, forms=False))


def is_named(name: str, sheet: Sheet) -> bool:
    """Whether the name is one of this data sheet's, whatever the memory."""
    return any(alike(name, other) for other in _names(sheet))


def sheet_memory_gb(sheet: Sheet) -> float:
    """The memory that the driver shows for one GPU of this model."""
    return sheet.memory_gb / dies(sheet)


def dies(sheet: Sheet) -> int:
    """How many GPUs the driver makes of one card of this model."""
    return max((DIES.get(key, 1) for key in _sheet_keys(sheet)), default=1)


def _fits(sheet: Sheet, memory_mb: int) -> bool:
    memory = sheet_memory_gb(sheet)
    return abs(memory - memory_mb / MIB_A_GB) <= TOLERANCE * memory


def _names(sheet: Sheet) -> list[str]:
    return [sheet.name, *sheet.aliases]


def _sheet_keys(sheet: Sheet) -> set[str]:
    return {key for name in _names(sheet) for key in _keys(name)}


def _keys(name: str, *, forms: bool = True) -> set[str]:
    """What is left of a name; several where it names several models, as ``Navi 31 [Radeon RX 7900 XT/7900 XTX]`` does."""
    words = name.lower()
    bracket = re.search(r"\[(.+)\]", words)
    found, first = set(), ""
    for part in (bracket.group(1) if bracket else words).split("/"):
        part = _MEMORY.sub(" ", _NOISE.sub(" ", part))
        part = _FORM.sub(r" \1 " if forms else " ", part).strip()
        # "7900 XTX" behind "RX 7900 XT" is an RX too.
        prefix = re.match(r"[a-z ]+(?=\d)", first) if part[:1].isdigit() else None
        first = first or part
        found.add(_NO_SIGN.sub("", (prefix.group(0) if prefix else "") + part))
    return found - {""}


def _forms(name: str) -> set[str]:
    return set(_FORM.findall(name.lower()))
