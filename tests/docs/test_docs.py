"""What the documentation says is there, is there."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts.event_kinds import EventKind
from machines import agent_urls
from machines.models import Refusal

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
AGENT = (ROOT / "docs" / "agent.md").read_text()
WEBHOOKS = (ROOT / "docs" / "webhooks.md").read_text()
PROTOCOL = (ROOT / "docs" / "agent-protocol.md").read_text()
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
    settings = "".join(path.read_text() for path in (ROOT / "marketplace" / "settings").glob("*.py"))
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


def storage_variables() -> set[str]:
    storage = (ROOT / "marketplace" / "storage.py").read_text()
    return set(re.findall(r'env\.\w+\("([A-Z][A-Z0-9_]*)"', storage))


def test_every_setting_of_the_storage_is_documented():
    assert "STORAGE_BUCKET" in storage_variables()
    assert [name for name in sorted(storage_variables()) if f"`{name}`" not in OPERATIONS] == []


def test_the_protocol_names_every_address_that_agents_call():
    routes = [str(url.pattern).replace("<uuid:pk>", "<id>") for url in agent_urls.urlpatterns]
    headings = "\n".join(re.findall(r"^## (.*)$", PROTOCOL, re.MULTILINE))
    assert "v1/work/<id>/ack" in routes
    assert [route for route in routes if f" /agent/{route}" not in headings] == []


def test_the_protocol_names_every_reason_to_refuse():
    assert "implausible" in Refusal.Code.values
    assert [code for code in Refusal.Code.values if f"| `{code}` |" not in PROTOCOL] == []


def test_every_code_that_an_agent_is_answered_is_in_the_protocol():
    sources = [path for room in ("machines", "bookings") for path in (ROOT / room).rglob("*.py")]
    pattern = r'(?:AgentRefused|_refusal)\(\s*"(\w+)"'
    codes = {code for path in sources for code in re.findall(pattern, path.read_text())}
    assert {"away", "too_late", "bad_code"} <= codes
    assert [code for code in sorted(codes) if f"| `{code}` |" not in PROTOCOL] == []


def test_the_page_about_webhooks_lists_every_event():
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \|$", WEBHOOKS.partition("## Events")[2], re.MULTILINE)
    assert rows == [(event.value, event.label, event.group.label) for event in EventKind]


def test_the_page_about_the_agent_lists_every_module_with_about_its_length():
    rows = re.findall(r"^\| (`agent/.*?) \| (\d+) \|", AGENT, re.MULTILINE)
    stated = {tuple(re.findall(r"`(.*?)`", names)): int(lines) for names, lines in rows}
    named = [name for names in stated for name in names]
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "agent").rglob("*.py")]
    assert sorted(named) == sorted(modules)
    for names, lines in stated.items():
        actual = sum(len((ROOT / name).read_text().splitlines()) for name in names)
        assert abs(lines - actual) <= max(30, actual // 4), f"{names} has {actual} lines"


def test_the_page_about_the_agent_names_every_command_of_its():
    cli = (ROOT / "agent" / "cli.py").read_text()
    commands = re.findall(r'add_parser\("([\w-]+)"', cli)
    options = re.findall(r'add_argument\(\s*"(--[\w-]+)"', cli)
    assert "self-test" in commands
    assert "--ca-file" in options
    assert [word for word in commands if f"| `{word}` |" not in AGENT] == []
    assert [word for word in options if not re.search(rf"`{word}\b", AGENT) and word != "--version"] == []


def test_the_page_about_the_agent_names_every_program_that_it_runs():
    sources = "\n".join(path.read_text() for path in (ROOT / "agent").rglob("*.py"))
    programs = set(re.findall(r'\brun\w*\(\s*\[\s*"([a-z][\w-]+)"', sources)) | {"podman", "umount", "pkill"}
    assert {"useradd", "ssh-keygen", "fstrim"} <= programs
    assert [name for name in sorted(programs) if not re.search(rf"`{name}\b", AGENT)] == []


def test_the_page_about_roles_has_the_tables_of_the_code():
    printed = StringIO()
    call_command("draw_roles", stdout=printed)
    assert printed.getvalue().strip() in (ROOT / "docs" / "roles.md").read_text()


def test_the_diagram_is_the_table_of_transitions():
    drawn = StringIO()
    call_command("draw_lifecycle", stdout=drawn)
    assert f"```mermaid\n{drawn.getvalue().strip()}\n```" in ARCHITECTURE
