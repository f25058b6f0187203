"""What the documentation says is there, is there."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])

#: Made by running it.
MADE = ("var", ".venv")


def named_paths(text: str) -> set[str]:
    """What stands in backticks, alone or as a command's program, and looks like a path of the repository."""
    words = {span.split()[0] for span in re.findall(r"`([^`\n]+)`", text) if span.strip()}
    words |= {line.split()[0] for line in re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)}
    paths = {word for word in words if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", word) and ("/" in word)}
    return {path for path in paths if path.split("/")[0] not in MADE}


def links(text: str) -> set[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return {link.partition("#")[0] for link in found if "://" not in link and not link.startswith("#")}


def variables() -> set[str]:
    settings = (ROOT / "marketplace" / "settings.py").read_text()
    return set(re.findall(r'env\.\w+\(\s*"([A-Z][A-Z0-9_]*)"', settings))


def test_the_readme_names_what_exists():
    paths = named_paths(README)
    assert {"bin/serve", "bin/test", "bookings/", "docs/decisions/"} <= paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    assert [link for link in sorted(links(page.read_text())) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_tests_that_pages_name_exist(page):
    named = set(re.findall(r"`((?:[\w-]+/)+(?:[\w.-]+\.(?:py|md|csv|html|css|js))?)`", page.read_text()))
    roots = [ROOT, ROOT / "docs"]
    here = [path for path in sorted(named) if path.split("/")[0] in {entry.name for entry in ROOT.iterdir()} - {"var"}]
    assert [path for path in here if not any((root / path).exists() for root in roots)] == []


def test_every_setting_is_documented():
    assert {"SECRET_KEY", "MARKETPLACE_HOLD_MINUTES", "STRIPE_API_BASE"} <= variables()
    assert [name for name in sorted(variables()) if f"`{name}`" not in OPERATIONS] == []


def test_what_the_commands_read_is_documented():
    serve = (ROOT / "bin" / "serve").read_text()
    named = set(
        re.findall(r"\b([A-Z][A-Z_]{3,})\b(?==|\s|$)", "\n".join(re.findall(r"^#   (.*)$", serve, re.MULTILINE)))
    )
    assert "PORT" in named
    assert [name for name in sorted(named) if f"`{name}`" not in OPERATIONS] == []


def test_the_diagram_is_the_table_of_transitions():
    drawn = StringIO()
    call_command("draw_lifecycle", stdout=drawn)
    assert f"```mermaid\n{drawn.getvalue().strip()}\n```" in ARCHITECTURE
