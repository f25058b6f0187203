"""The page about security speaks of every requirement of OWASP ASVS 5.0, levels 1 and 2, once, and of tests that exist."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()

#: How many requirements of levels 1 and 2 each section of the standard has, but for those whose numbers have gaps there.
LAST = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
REQUIREMENTS = [f"{section}.{number}" for section, last in LAST.items() for number in range(1, last + 1)]
WORDS = ("Not met", "Partly", "Deployment", "Does not apply")


def rows() -> list[list[str]]:
    """Of the tables of requirements: number, name, how, test."""
    found = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
    return [[number, *rest.split(" | ")] for number, rest in found if rest.count(" | ") == 2]


def named() -> list[str]:
    return re.findall(r"`([\w/]+\.py::\w+)`", PAGE)


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_requirement_is_answered_once():
    assert len(REQUIREMENTS) == 253
    assert [row[0] for row in rows()] == REQUIREMENTS


def test_every_test_named_exists():
    missing = []
    for name in named():
        path, _sign, function = name.partition("::")
        if function not in functions(ROOT / "tests" / path):
            missing.append(name)
    assert missing == []
    assert len(set(named())) > 100


def test_what_is_met_is_shown_by_a_test_or_by_something_to_read():
    """A row names a test, or begins with a word that says why not, or is one of those that nothing can be run for."""
    bare = {row[0] for row in rows() if not names_a_test(row) and not any(f"**{word}" in row[2] for word in WORDS)}
    documents = {"2.1.2", "11.1.2", "15.1.1", "16.1.1"}
    absent = {"1.2.9", "1.3.7", "6.2.10", "6.4.2", "6.5.3", "7.2.3", "11.3.1"}
    assert bare <= documents | absent


def names_a_test(row: list[str]) -> bool:
    return "::" in row[3]


def test_what_is_not_met_is_said_at_the_top():
    said = dict(re.findall(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \|$", PAGE, flags=re.MULTILINE))
    assert set(said) == {row[0] for row in rows() if "**Not met.**" in row[2]}
    partly = re.search(r"Rows that are met \*\*partly\*\*: ([\d., ]+)\.", PAGE)
    assert partly
    assert partly[1].split(", ") == [row[0] for row in rows() if "**Partly" in row[2]]


def test_the_figures_at_the_top_are_those_of_the_rows():
    counts = Counter(next((word for word in WORDS if f"**{word}" in row[2]), "Met") for row in rows())
    figures = re.findall(rf"^\| (\d+) \| (Met|{'|'.join(WORDS)}) \|$", PAGE, flags=re.MULTILINE)
    assert {name: int(number) for number, name in figures} == dict(counts)
