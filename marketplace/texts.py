"""The catalogues of translated texts, without the gettext programs: Babel reads, writes and compiles them.

``locale/<language>/LC_MESSAGES/django.po`` holds what translators write, ``django.mo`` beside it what Django reads; the
one is in the repository, the other is made of it. English is the language of the texts themselves and has neither.

Not translated, so not gathered: the administration, commands, the demonstration and what runs on a provider's server.
"""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("marketplace", "billing", "bookings", "machines", "accounts", "common")
#: Folders and beginnings of names whose texts only administrators and operators read, or programs.
NOT_TRANSLATED = re.compile(r"(^|/)(migrations|management|demo|fleet|embedded|typst|admin[^/]*)(/|$)")
#: Functions that mark a text, and which of their arguments are texts and which the context (Babel's notation).
MARKS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
NAMED = re.compile(r"%\((\w+)\)")
BRACED = re.compile(r"\{(\w+)\}")

#: What a text is known by: itself, and its context.
Key = tuple[str, str | None]


@dataclass(frozen=True)
class Text:
    """A marked text, its plural where it has one, and the files that it stands in."""

    singular: str
    plural: str | None
    context: str | None
    files: tuple[str, ...]

    @property
    def key(self) -> Key:
        return self.singular, self.context


def languages() -> list[str]:
    """The languages that have a catalogue."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def catalogue_path(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


# Gathering -------------------------------------------------------------------------------------------


def gathered() -> list[Text]:
    """Every marked text, in the order of the files. The same one with and without a plural is one that has it."""
    found: dict[Key, list[tuple[str | None, str]]] = defaultdict(list)
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for singular, plural, context in marked(path):
            found[singular, context].append((plural, name))
    return [
        Text(
            singular,
            next((plural for plural, _file in uses if plural is not None), None),
            context,
            tuple(dict.fromkeys(file for _plural, file in uses)),
        )
        for (singular, context), uses in found.items()
    ]


def sources() -> list[Path]:
    """The modules and templates whose texts are translated."""
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    templates = [path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt")]
    return [path for path in sorted(modules + templates) if not NOT_TRANSLATED.search(str(path.relative_to(ROOT)))]


def marked(path: Path) -> Iterator[tuple[str, str | None, str | None]]:
    """The marked texts of one file: singular, plural, context."""
    source = path.read_text()
    if path.suffix != ".py":
        # What templatize leaves of a page is no Python but for the calls: its indentation would make it none at all.
        source = "\n".join(line.lstrip() for line in templatize(source, str(path)).splitlines())
    for _line, messages, _comments, context in extract("python", BytesIO(source.encode()), MARKS):
        singular, plural = messages if isinstance(messages, tuple) else (messages, None)
        if singular:
            yield singular, plural, context


# The catalogue ---------------------------------------------------------------------------------------


def read(language: str) -> Catalog:
    """The catalogue as it is stored; an empty one where there is none yet."""
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, texts: list[Text]) -> Catalog:
    """The catalogue with exactly these texts. Translations are kept; what is new has none, and nothing is guessed."""
    known = read(language)
    catalog = Catalog(locale=language, fuzzy=False, project=settings.SITE_NAME, charset="utf-8")
    catalog.header_comment = "# What pages and mails say. Written by `manage.py texts`; translations are written here."
    for text in texts:
        before = known.get(text.singular, text.context)
        said = strings(before) if before and not before.fuzzy else ("",)
        catalog.add(
            text.singular if text.plural is None else (text.singular, text.plural),
            said[0] if text.plural is None else (*said, "")[:2],
            locations=[(file, 0) for file in text.files],
            context=text.context,
        )
    return catalog


def write(language: str, catalog: Catalog) -> None:
    """Store it, and compile it."""
    output = BytesIO()
    write_po(output, catalog, width=110, include_lineno=False)
    path = catalogue_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, _without_dates(output.getvalue()))
    compile_catalogue(language)


def _without_dates(content: bytes) -> bytes:
    """Two people who write the same catalogue write the same bytes."""
    return re.sub(rb'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To): .*\n',
                  b"", content, flags=re.MULTILINE)  # fmt: skip


def compile_catalogue(language: str) -> bool:
    """Make the file that Django reads, unless it is newer than what it is made of. Returns whether it was made."""
    path = catalogue_path(language)
    compiled = path.with_suffix(".mo")
    if not path.exists() or (compiled.exists() and compiled.stat().st_mtime_ns > path.stat().st_mtime_ns):
        return False
    output = BytesIO()
    write_mo(output, read(language))
    _replace(compiled, output.getvalue())
    return True


def compile_all() -> None:
    for language in languages():
        compile_catalogue(language)


def _replace(path: Path, content: bytes) -> None:
    """At once: whoever reads it meanwhile has the old one, or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(name, 0o644)
    os.replace(name, path)


# What is wrong with it -------------------------------------------------------------------------------


def complaints(language: str, texts: list[Text]) -> list[str]:
    """What keeps the catalogue from being complete and safe, a line each."""
    catalog = read(language)
    wanted = {text.key: text for text in texts}
    stored = {(message_ids(message)[0], message.context): message for message in catalog if message.id}
    found = [f"missing: {_named(key)} ({', '.join(text.files)})" for key, text in wanted.items() if key not in stored]
    found += [f"no text any more: {_named(key)}" for key in stored if key not in wanted]
    found += [f"no text any more: {_named((message_ids(message)[0], None))}" for message in catalog.obsolete.values()]
    for key, text in wanted.items():
        if key in stored:
            found += [f"{wrong}: {_named(key)}" for wrong in _wrong(text, stored[key])]
    return found


def _named(key: Key) -> str:
    text, context = key
    return f"{text!r}" + (f" as in {context!r}" if context else "")


def message_ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _wrong(text: Text, message: Message) -> Iterator[str]:
    said = strings(message)
    ids = (text.singular,) if text.plural is None else (text.singular, text.plural)
    if message.fuzzy:
        yield "guessed"
    if message_ids(message) != ids:
        yield "another plural"
    elif not all(said):
        yield "not translated"
    elif len(said) != len(ids):
        yield "not as many forms"
    else:
        # The form for one may leave out the number, in either language.
        for identity, translation in zip(ids, said, strict=True):
            if placeholders(translation) != placeholders(identity) and translation is said[-1]:
                yield "other placeholders"
            elif not placeholders(translation) <= placeholders(ids[-1]):
                yield "unknown placeholders"
            if not _formats(translation) and _formats(identity):
                yield "cannot be filled in"
        if said[-1].startswith("\n") != ids[-1].startswith("\n") or said[-1].endswith("\n") != ids[-1].endswith("\n"):
            yield "another line break at an end"


def placeholders(text: str) -> set[str]:
    """The named ones, ``%(name)s`` and ``{name}``, and how many there are without a name."""
    plain = len(re.findall(r"%[sd]", text.replace("%%", "")))
    return (
        {f"%{name}" for name in NAMED.findall(text)}
        | {f"{{{name}" for name in BRACED.findall(text)}
        | {f"{plain} without a name"}
    )


class _Anything(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 1


def _formats(text: str) -> bool:
    """Whether values can be put into it by name. (Texts without any are never filled in, whatever their signs.)"""
    if not NAMED.search(text):
        return True
    try:
        text % _Anything()
    except (ValueError, TypeError, KeyError):
        return False
    return True
