"""Papers set by Typst: within this process, without a network, the same bytes for the same data.

A template in ``templates/typst`` gets its data as JSON in ``sys.inputs.data`` and shows it; nothing of it is ever read
as markup. The fonts are those that come with Typst; letters that they lack are taken from the fonts of the system, and
where that has none either, are written as their Unicode numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "typst"
#: What every font of Typst has beyond doubt: Latin, Greek and Cyrillic letters and the signs of the templates.
SURE = re.compile(
    r"[^\n\x20-\x7e\xa0-\xac\xae-\u017f\u0386-\u03ce\u0400-\u045f\u2013\u2014\u2018-\u201e\u2026\u20ac\u2212]"
)
#: Signs that are not seen, and turn what follows around or hide it; and those that are no letters at all.
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]+"
)


def shown(text: str) -> str:
    """Somebody's words without signs that are not seen or would turn the line around."""
    return " ".join(UNSEEN.sub(" ", str(text)).split())


def typeset_pdf(
    template: str,
    data: Mapping[str, Any],
    *,
    at: datetime,
    standards: Sequence[typst.PDFStandard],
    files: Mapping[str, str] | None = None,
) -> bytes:
    """``templates/typst/<template>.typ`` with ``data`` as a PDF of the moment ``at``.

    ``files`` are given to the template as they are, as ``sys.inputs.<name>``. Where letters had to be written as their
    numbers, the template's data has ``numbered`` true.
    """
    return bytes(_typeset(template, data, files, kind="pdf", ppi=None, at=at, standards=list(standards)))


def typeset_png(
    template: str,
    data: Mapping[str, Any],
    *,
    at: datetime,
    ppi: float = 110,
    files: Mapping[str, str] | None = None,
) -> list[bytes]:
    """The pages as pictures, to look at."""
    pages = _typeset(template, data, files, kind="png", ppi=ppi, at=at, standards=[])
    return pages if isinstance(pages, list) else [pages]


def _typeset(template: str, data: Mapping[str, Any], files: Mapping[str, str] | None, **settings: Any) -> Any:
    data = {**data, "numbered": False}
    try:
        return _compile(template, data, files, system_fonts=False, **settings)
    except typst.TypstError as error:
        if not _lacks_letters(error):
            raise
    try:
        return _compile(template, data, files, system_fonts=True, **settings)
    except typst.TypstError as error:
        if not _lacks_letters(error):
            raise
    return _compile(template, {**_numbered(data), "numbered": True}, files, system_fonts=False, **settings)


def _compile(
    template: str,
    data: Mapping[str, Any],
    files: Mapping[str, str] | None,
    *,
    system_fonts: bool,
    kind: typst.OutputFormat,
    ppi: float | None,
    at: datetime,
    standards: list[typst.PDFStandard],
) -> Any:
    return typst.compile(
        TEMPLATES / f"{template}.typ",
        root=TEMPLATES,
        font_paths=_fonts(system_fonts),
        sys_inputs={**(files or {}), "data": json.dumps(data)},
        format=kind,
        ppi=ppi,
        pdf_standards=standards,
        timestamp=int(at.timestamp()),
    )


@cache
def _fonts(system: bool) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=system)


def _lacks_letters(error: typst.TypstError) -> bool:
    return "could not be displayed" in error.message


def _numbered(value: Any) -> Any:
    """The same data with letters that no font has as ``[U+6DF1]``."""
    if isinstance(value, str):
        return SURE.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)
    if isinstance(value, (list, tuple)):
        return [_numbered(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbered(item) for key, item in value.items()}
    return value
