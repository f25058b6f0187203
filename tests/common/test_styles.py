"""The style sheets and templates keep the promises that the Content-Security-Policy holds us to."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

TEMPLATES = Path(settings.BASE_DIR) / "templates"
CSS = Path(settings.BASE_DIR) / "static" / "css"
PAGES = sorted(path for path in TEMPLATES.rglob("*.html") if "mail" not in path.relative_to(TEMPLATES).parts)
#: Opened from a person's own disk, out of an archive: nothing else is there to style it.
ALONE = TEMPLATES / "accounts" / "export_index.html"


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path != ALONE], ids=lambda path: str(path.relative_to(TEMPLATES))
)
def test_no_page_has_inline_styles_or_scripts(path):
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_template_compiles(path):
    get_template(str(path.relative_to(TEMPLATES)))


def test_every_imported_sheet_exists_and_none_is_forgotten():
    imported = set(re.findall(r'@import url\("([^"]+)"\)', (CSS / "site.css").read_text()))
    present = {str(path.relative_to(CSS)) for path in CSS.rglob("*.css")} - {"site.css", "admin.css"}
    assert imported == present


def test_every_property_that_is_used_is_a_token():
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", (CSS / "tokens.css").read_text()))
    for sheet in CSS.rglob("*.css"):
        if sheet.name != "admin.css":
            used = set(re.findall(r"var\((--[a-z0-9-]+)", sheet.read_text()))
            assert used <= defined, f"{sheet.name}: {used - defined}"


@pytest.mark.parametrize(
    ("name", "says"), [("500.html", "Something broke"), ("500.de.html", "Etwas ist kaputtgegangen")]
)
def test_the_page_for_our_own_failure_needs_nothing(name, says):
    source = (TEMPLATES / name).read_text()
    assert re.findall(r"{%\s*(\w+)", source) == ["comment", "endcomment"]
    assert says in get_template(name).render()
