"""Everything that a reader sees is marked for translation, and translated."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.core.management import call_command
from django.core.management.base import CommandError
from django.template.base import Lexer, TokenType

from marketplace import texts
from marketplace.texts import ROOT, Text

#: The page of a failure is rendered without anything, so that there is one for each language.
TEMPLATES = [path for path in texts.sources() if path.suffix != ".py" and not path.name.startswith("500.")]
#: Names, units, and what is the same in every language.
NAMES = re.compile(
    r"Remote Servers|GPU|CPU|RAM|SSH|PDF|CSV|XML|XLSX|JSON|UTC|NVIDIA|Stripe|SEPA|VAT id|IBAN|BIC|TOTP|SHA-256|PEM|Discord|Webhook|TFLOPS|fp16|fp32|sha256"
    r"|OpenID Connect|SAML 2.0"
)
#: Attributes that are read out or shown.
READ = {"title", "alt", "aria-label", "placeholder", "data-label"}
#: Elements whose contents are for programs, or typed by them.
FOR_PROGRAMS = {"script", "style", "code", "pre", "kbd", "samp", "svg"}
#: Tags whose words in quotation marks are names of something: of a page, a template, a library, an icon.
NAMING = {
    "url", "include", "extends", "load", "static", "icon", "nav_link", "translate", "trans", "blocktranslate",
    "if", "elif", "with", "ifchanged", "cycle", "component", "moment", "query_with",
}  # fmt: skip
WORDS = re.compile(r"[A-Za-z]{2,}")
#: An argument in quotation marks that is written like a sentence, or a word that begins one; and whose it is not.
SENTENCE = re.compile(r'(?:(\w+)=)?"([A-Z][a-z]+\b[^"]*|[^"]*[A-Za-z]{2,} [^"]*[A-Za-z]{2,}[^"]*)"')
FALLBACK = re.compile(r'\|(?:default|default_if_none|yesno):"([^"]*(?:[A-Z][a-z]|[a-z] )[^"]*)"')
NO_WORDS = {"autocomplete", "kind", "cls"}
#: Blocks that hold no words of ours: remarks, and commands to copy.
SKIPPED = {"comment", "blocktranslate", "blocktrans", "terminal"}


class _Seen(HTMLParser):
    """The letters of a page that somebody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FOR_PROGRAMS:
            self.inside.append(tag)
        self.words += [value for name, value in attrs if name in READ and value]

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.words.append(data)


def unmarked(source: str, *, is_page: bool = True) -> list[str]:
    """The words of a template that stand outside of what is marked."""
    plain, arguments = [], []
    for token in _outside(source):
        if token.token_type == TokenType.TEXT:
            plain.append(token.contents)
        else:
            # What a tag becomes is no business of this; where it stands in an attribute, the attribute goes on.
            plain.append("")
            name = token.contents.split(maxsplit=1)[0] if token.token_type == TokenType.BLOCK else ""
            if name not in NAMING:
                said = filter(None, (SENTENCE.match(bit) for bit in token.split_contents()[1:]))
                arguments += [found[2] for found in said if found[1] not in NO_WORDS]
            arguments += FALLBACK.findall(token.contents)
            if "|pluralize" in token.contents:
                arguments.append(token.contents)
    text = "".join(plain)
    if not is_page:
        seen = [re.sub(r"^-- $", "", text)]
    else:
        parser = _Seen()
        parser.feed(text)
        seen = parser.words
    found = [" ".join(words.split()) for words in [*seen, *arguments]]
    return [words for words in found if WORDS.search(NAMES.sub("", words))]


def _outside(source: str) -> Iterator[object]:
    """The tokens that are in no comment and in no marked block."""
    until = ""
    for token in Lexer(source).tokenize():
        name = token.contents.split(maxsplit=1)[0] if token.token_type == TokenType.BLOCK and token.contents else ""
        if until:
            until = "" if name == until else until
        elif name in SKIPPED:
            until = f"end{name}"
        elif token.token_type != TokenType.COMMENT:
            yield token


@cache
def gathered() -> list[Text]:
    return texts.gathered()


@pytest.mark.parametrize("language", texts.languages())
def test_everything_is_translated(language):
    assert texts.complaints(language, gathered()) == []


def test_what_is_for_administrators_and_programs_is_not_gathered():
    named = {file for text in gathered() for file in text.files}
    assert {"bookings/terms.py", "templates/base.html", "templates/mail/digest.txt"} <= named
    assert not [file for file in named if "admin" in Path(file).name or "/management/" in file or "/typst/" in file]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_says_nothing_that_is_not_marked(path):
    assert unmarked(path.read_text(), is_page=path.suffix == ".html") == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        '<p title="Hello">{{ x }}</p>',
        '{% button "Save" %}',
        '{% note title="It is over" %}{% endnote %}',
        "{{ n }} {% translate 'machines' %}{{ n|pluralize }}",
        "{% if x %}yes{% endif %}",
        '{{ x|default:"The agent" }}',
    ],
)
def test_words_that_are_not_marked_are_found(source):
    assert unmarked(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p>{% translate "Hello" %} · GPU {{ x }}</p>',
        "<p>{% blocktranslate %}Hello {{ you }}{% endblocktranslate %}</p>",
        '{% button _("Save") kind="primary" %}',
        "<code>ssh you@host</code>{# a remark #}{% comment %}another{% endcomment %}",
        '<a href="{% url "home" %}" class="button" data-x="some words">{{ x }}</a>',
    ],
)
def test_words_that_are_marked_are_not(source):
    assert unmarked(source) == []


def test_the_check_tells_what_is_wrong(monkeypatch):
    wanted = [
        Text("Hello %(name)s", None, None, ("a.html",)),
        Text("%(n)s day", "%(n)s days", None, ("a.html",)),
        Text("New", None, None, ("b.html",)),
        Text("Open", None, "a door", ("b.html",)),
    ]
    stored = Catalog(locale="de")
    stored.add("Hello %(name)s", "Hallo %(nam)s")
    stored.add(("%(n)s day", "%(n)s days"), ("Ein Tag", "Tage"))
    stored.add("Open", "", context="a door")
    stored.add("Gone", "Weg")
    monkeypatch.setattr(texts, "read", lambda _language: stored)
    found = texts.complaints("de", wanted)
    for wrong in (
        "missing: 'New' (b.html)",
        "no text any more: 'Gone'",
        "not translated: 'Open' as in 'a door'",
        "other placeholders: 'Hello %(name)s'",
        "other placeholders: '%(n)s day'",
    ):
        assert wrong in found, found


def test_translations_are_kept_and_nothing_is_guessed(monkeypatch):
    stored = Catalog(locale="de")
    stored.add("Save", "Speichern")
    stored.add("Save it", "Es speichern")
    monkeypatch.setattr(texts, "read", lambda _language: stored)
    made = texts.updated("de", [Text("Save", None, None, ("a.html",)), Text("Save it now", None, None, ("a.html",))])
    assert {message.id: message.string for message in made if message.id} == {"Save": "Speichern", "Save it now": ""}


def test_the_command_says_so_too(monkeypatch):
    call_command("texts", "--check", stdout=StringIO())
    monkeypatch.setattr(texts, "complaints", lambda *_: ["missing: 'X'"])
    with pytest.raises(CommandError, match="missing: 'X'"):
        call_command("texts", "--check", stdout=StringIO())
