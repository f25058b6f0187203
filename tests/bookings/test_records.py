"""Every sentence that is written into the history of a booking is known to those who read it in another language."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from billing.chargeback_reasons import REASONS
from billing.models import RefundReason
from billing.services.chargebacks import HISTORY
from bookings import records
from bookings.models import WipeMethod, WipeStatus
from bookings.services.cancel import CancelReason
from bookings.services.keys import COUNT_AGAIN, COUNT_NO_MORE
from bookings.services.mismatch import sentence
from common import formats
from common.languages import in_language
from tests.people import DAY, HOUR

ROOT = Path(__file__).parents[2]
ROOMS = ("accounts", "machines", "bookings", "billing", "marketplace")
#: What writes into it, and where it takes its sentence; the other one is ``detail``. And why charges are dropped.
WRITERS = {
    "bookings.services.history": {"note": 1, "move": 2},
    "bookings.services.charges": {"drop": 1, "drop_open": 1, "drop_extension": 1},
}
HOLE = "\0"
#: What may fill a hole, of each kind that there is.
FILLINGS = ("3", "2 hours", "€12.00", "Fri 27 Nov, 09:00 UTC", "Not done: Account deleted.")
STEPS = [f"{method.label}: {status.label.lower()}" for method in WipeMethod for status in WipeStatus]
DIFFERENCE = sentence({"what": "GPU 3", "before": "NVIDIA H100, 80 GB", "after": "missing"})
#: Arguments that no literal shows: the lines that they can be; none: what people and agents write.
OTHERS: dict[str, list[str]] = {
    "billing.services.chargebacks: HISTORY[state].format(amount=amount)": [
        line.format(amount="€12.00") for line in HISTORY.values()
    ],
    "billing.services.chargebacks: in_words(chargeback.reason)": list(map(str, REASONS.values())),
    "billing.services.refunds: refund.get_reason_display()": list(map(str, RefundReason.labels)),
    "billing.services.refunds: why": [],
    "bookings.services.approvals: answer": [],
    "bookings.services.cancel: note": [],
    "bookings.services.cancel: reason.label": list(map(str, CancelReason.labels)),
    "bookings.services.charges: because": [],
    "bookings.services.erasure: what": STEPS,
    "bookings.services.erasure: where + step.summary": [],
    "bookings.services.erasure: said_later(lambda: f'{where}{why}')": [
        "node-2: The agent does not say why.",
        "Its agent was revoked, and no other is enrolled.",
        "Its time for that is over, and its agent has not shown the erasure. Look whether the agent runs.",
    ],
    "bookings.services.handover: said_later(partial(_recorded, wipe))": STEPS,
    "bookings.services.keys: why": [COUNT_AGAIN, COUNT_NO_MORE],
    "bookings.services.mismatch: '; '.join(map(sentence, new))": [DIFFERENCE, f"{DIFFERENCE}; {DIFFERENCE}"],
}


@dataclass(frozen=True)
class Argument:
    """What is passed, as it stands in the source, and the lines that it can become, with holes."""

    name: str
    lines: frozenset[str]

    @property
    def is_plain(self) -> bool:
        """Whether its words stand there."""
        return all(not line or any(letter.isalpha() for letter in line) for line in self.lines)


class Reader:
    """Follows an argument to the words that it is made of, within its module."""

    def __init__(self, source: str, name: str, module: ModuleType | None = None) -> None:
        self.tree, self.name, self.module = ast.parse(source), name, module
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    def arguments(self) -> Iterator[Argument]:
        places = dict(self._writers())
        for function in self.functions.values():
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and (name := ast.unparse(call.func)) in places:
                    details = [word.value for word in call.keywords if word.arg == "detail"]
                    for one in (call.args[places[name]], *details):
                        yield Argument(f"{self.name}: {ast.unparse(one)}", frozenset(self.lines(one, function)))

    def _writers(self) -> Iterator[tuple[str, int]]:
        """As the module calls them, and where each takes its sentence."""
        yield from WRITERS.get(self.name, {}).items()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    written = WRITERS.get(f"{node.module}.{alias.name}", {})  # a module: its functions by its name
                    yield from ((f"{alias.asname or alias.name}.{name}", place) for name, place in written.items())
                    if (place := WRITERS.get(node.module or "", {}).get(alias.name)) is not None:
                        yield alias.asname or alias.name, place

    def lines(self, node: ast.expr, function: ast.FunctionDef) -> list[str]:
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.IfExp(body=body, orelse=orelse):
                return self.lines(body, function) + self.lines(orelse, function)
            case ast.JoinedStr(values=parts):
                return ["".join(line) for line in product(*(self.lines(part, function) for part in parts))]
            case ast.FormattedValue(value=value) | ast.Lambda(body=value):
                return self.lines(value, function)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return ["".join(pair) for pair in product(self.lines(left, function), self.lines(right, function))]
            case ast.Call(func=ast.Name(id="said_later"), args=[words]):
                return self.lines(words, function)
            case ast.Call(func=ast.Attribute(value=words, attr="strip"), args=[]):
                return [line.strip() for line in self.lines(words, function)]
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                return self._returned(self.functions[name])
            case ast.Name(id=name):
                return self._named(name, function)
        return [HOLE]

    def _returned(self, function: ast.FunctionDef, place: int | None = None) -> list[str]:
        """What it returns; with a place, that part of the pairs that it returns."""
        found = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
        values = [one.elts[place] if place is not None and isinstance(one, ast.Tuple) else one for one in found]
        return [line for value in values for line in self.lines(value, function)]

    def _named(self, name: str, function: ast.FunctionDef) -> list[str]:
        if name in {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}:
            return [HOLE]
        found: list[str] = []
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    found += self.lines(value, function)
                case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Call(func=ast.Name(id=called))):
                    names = [ast.unparse(part) for part in parts]
                    if name in names and called in self.functions:
                        found += self._returned(self.functions[called], names.index(name))
        constant = getattr(self.module, name, None)
        return found or [constant if isinstance(constant, str) else HOLE]


def passed() -> list[Argument]:
    """All that is passed to the history anywhere."""
    found: list[Argument] = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        source = path.read_text()
        if re.search(r"bookings[./]services", f"{path} {source}"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found += Reader(source, name, importlib.import_module(name)).arguments()
    return found


def filled(line: str) -> Iterator[str]:
    """The line with its holes filled, in every way."""
    parts = line.split(HOLE)
    for fillings in product(FILLINGS, repeat=len(parts) - 1):
        yield parts[0] + "".join(map("".join, zip(fillings, parts[1:], strict=True)))


def is_known(line: str) -> bool:
    return not line or any(map(records.knows, filled(line)))


def test_every_line_that_is_written_is_known():
    found = passed()
    assert len(found) > 50
    others = {argument.name for argument in found if not argument.is_plain}
    assert others == set(OTHERS)
    unknown = {line for argument in found if argument.is_plain for line in argument.lines if not is_known(line)}
    assert sorted(unknown | {line for lines in OTHERS.values() for line in lines if not is_known(line)}) == []


@pytest.mark.parametrize("sentence", ["'It burns'", "f'{booking.price} burns'", "said_later(lambda: _told(booking))"])
def test_a_line_that_nobody_knows_is_found(sentence):
    source = f"""
from bookings.services.history import note
def _told(booking):
    return f"It burns for {{booking.length}}."
def burn(booking, now):
    note(booking, {sentence}, now=now)
"""
    (argument,) = Reader(source, "burning").arguments()
    assert argument.is_plain
    assert not any(map(is_known, argument.lines))


@pytest.mark.parametrize(
    ("line", "german"),
    [
        ("Payment arrived too late", "Die Zahlung kam zu spät"),
        ("€1,236.00 refunded", "1.236,00 € erstattet"),
        ("¥1,200 comes back.", "1.200 ¥ kommen zurück."),
        ("The buyer's bank took $12.50 back", "Die Bank des Mieters hat 12,50 $ zurückgeholt"),
        ("Not done: SSH keys removed, Account deleted. Next try in 30 minutes.",
         "Nicht erledigt: SSH-Schlüssel entfernt, Konto gelöscht. Nächster Versuch in 30 Minuten."),
        ("node-2: The agent does not say why.", "node-2: Der Agent nennt keinen Grund."),
        ("node-2: GPU 3: NVIDIA H100, 80 GB was booked, it is missing now; node-2: Disk sda: 2 TB SSD was booked, it is another 2 TB SSD now",
         "node-2: GPU 3: Gebucht war „NVIDIA H100, 80 GB“, jetzt ist es „fehlt“; node-2: Datenträger sda: Gebucht war „2 TB SSD“, jetzt ist es „ein anderes Exemplar (2 TB SSD)“"),
        ("Disk is read-only. Next try in 1 hour.", "Disk is read-only. Nächster Versuch in 1 Stunde."),
    ],
)  # fmt: skip
def test_lines_are_said_as_germans_have_it(line, german):
    with in_language("de"):
        assert records.said(line).replace("\N{NO-BREAK SPACE}", " ") == german
    assert records.said(line) == line


FRIDAY = datetime(2026, 11, 27, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "german", "ends"),
    [
        ("To Fri 27 Nov, 09:00 UTC. It costs nothing.", "Bis {}. Es kostet nichts.", [FRIDAY]),
        ("By Lab, until Fri 1 Jan 2027, 09:00 UTC.", "Durch Lab, bis {}.", [FRIDAY + 35 * DAY]),
        ("€8 for Fri 27 Nov, 09:00 – 13:00 UTC.", "8,00 € für {}.", [FRIDAY, FRIDAY + 4 * HOUR]),
        ("€8 for Fri 27 Nov, 09:00 – Mon 30 Nov, 09:00 UTC.", "8,00 € für {}.", [FRIDAY, FRIDAY + 3 * DAY]),
    ],
)
def test_moments_are_said_in_the_readers_language_and_zone(line, german, ends):
    with in_language("de"), timezone.override(ZoneInfo("Europe/Berlin")):
        there = formats.window_both(*ends) if len(ends) == 2 else formats.when_both(*ends)
        said = records.said(line, at=FRIDAY - 6 * DAY)
    assert said.replace(formats.NBSP, " ") == german.format(there).replace(formats.NBSP, " ")
    assert "CET (09:00" in said


@pytest.mark.parametrize("moment", ["Thu 27 Nov, 09:00 UTC", "Tue 31 Nov, 09:00 UTC", "Fri 27 Nov, 09:00 CET"])
def test_a_moment_that_was_not_written_like_this_then_stays(moment):
    with in_language("de"):
        assert moment in records.said(f"The end stays at {moment}.", at=FRIDAY)


@pytest.mark.parametrize("words", ["I hope that he comes back.", "Sorry for 3 days.", "By train, until Monday."])
def test_what_people_write_stays_as_they_wrote_it(words):
    with in_language("de"):
        assert records.said(words) == words
