"""The certificate of erasure as a PDF: archival (PDF/A-2a), tagged (PDF/UA-1), the same bytes for the same certificate.

Typst sets it, within this process and without a network, from ``templates/typst/erasure.typ``. What people named
things reaches the template as data only. The fonts are those that come with Typst; letters that they lack are taken
from the fonts of the system, and where that has none either, are written as their Unicode numbers.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
import typst

from bookings.certificates import ErasureCertificate, NodeEvidence, evidence_names

TEMPLATE = Path(__file__).resolve().parent.parent / "templates" / "typst" / "erasure.typ"
STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]
#: What every font of Typst has beyond doubt: Latin, Greek and Cyrillic letters and the signs of the template.
SURE = re.compile(r"[^\n\x20-\x7e\xa0-\xac\xae-\u017f\u0386-\u03ce\u0400-\u045f\u2013\u2014\u2018-\u201e\u2026\u20ac]")
#: Signs that are not seen, and turn what follows around or hide it.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def erasure_pdf(cert: ErasureCertificate) -> bytes:
    """The certificate as a PDF."""
    return bytes(_typeset(cert, "pdf"))


def erasure_png(cert: ErasureCertificate, ppi: float = 110) -> list[bytes]:
    """The certificate's pages as pictures, to look at."""
    pages = _typeset(cert, "png", ppi)
    return pages if isinstance(pages, list) else [pages]


def _typeset(cert: ErasureCertificate, kind: typst.OutputFormat, ppi: float | None = None) -> Any:
    data = _data(cert)
    try:
        return _compile(cert, data, kind, ppi, system_fonts=False)
    except typst.TypstError as error:
        if not _lacks_letters(error):
            raise
    try:
        return _compile(cert, data, kind, ppi, system_fonts=True)
    except typst.TypstError as error:
        if not _lacks_letters(error):
            raise
    return _compile(cert, {**_numbered(data), "numbered": True}, kind, ppi, system_fonts=False)


def _compile(
    cert: ErasureCertificate, data: dict[str, Any], kind: typst.OutputFormat, ppi: float | None, *, system_fonts: bool
) -> Any:
    return typst.compile(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=_fonts(system_fonts),
        sys_inputs={"data": json.dumps(data)},
        format=kind,
        ppi=ppi,
        pdf_standards=STANDARDS if kind == "pdf" else [],
        timestamp=int(cert.issued_at.timestamp()),
    )


@cache
def _fonts(system: bool) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=system)


def _lacks_letters(error: typst.TypstError) -> bool:
    return "could not be displayed" in error.message


def _numbered(value: Any) -> Any:
    """The same data with letters that no font has as ``[U+6DF1]``."""
    if isinstance(value, str) and not value.startswith("<?xml"):
        return SURE.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)
    if isinstance(value, list):
        return [_numbered(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbered(item) for key, item in value.items()}
    return value


# What the template is given ---------------------------------------------------------------------------


def _data(cert: ErasureCertificate) -> dict[str, Any]:
    utc = cert.issued_at.astimezone(UTC)
    return {
        "id": str(cert.id),
        "site": _shown(cert.site_name),
        "issued": [utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second],
        "issued_at": _when(cert.issued_at),
        "finished_day": _day(cert.finished_at).replace(" ", "\N{NO-BREAK SPACE}"),
        "machine": {"name": _shown(cert.machine_name), "title": _shown(cert.machine_title), "id": str(cert.machine_id)},
        "provider": _shown(cert.provider_name),
        "reference": _shown(cert.booking_reference),
        "window": [_when(cert.window_start), _when(cert.window_end)],
        "ended_at": _when(cert.ended_at),
        "finished_at": _when(cert.finished_at),
        "standard": _shown(cert.standard),
        "complete": cert.complete,
        "simulated": cert.simulated,
        "nodes": [_node(node) for node in cert.nodes],
        "platform_fingerprint": cert.platform_fingerprint,
        "certificate_sha256": cert.certificate_sha256,
        "check_url": cert.check_url,
        "commands": commands(cert),
        "qr": _qr(cert.check_url),
        "numbered": False,
    }


def _node(node: NodeEvidence) -> dict[str, Any]:
    return {
        "agent": str(node.agent_id),
        "name": _shown(node.name),
        "fingerprint": node.key_fingerprint,
        "evidence_sha256": node.evidence_sha256,
        "logs_sha256": node.logs_sha256,
        "started_at": _when(node.started_at),
        "finished_at": _when(node.finished_at),
        "version": _shown(node.agent_version),
        "simulated": node.simulated,
        "complete": node.complete,
        "steps": [
            {
                "label": _shown(step.label),
                "status": _shown(step.status),
                "time": _clock(step.at, node.finished_at),
                "summary": _shown(step.summary),
            }
            for step in node.steps
        ],
    }


def commands(cert: ErasureCertificate) -> list[str]:
    """The lines that check a certificate with ``curl`` and ``ssh-keygen`` alone."""
    count = len(cert.nodes)
    if count == 1:
        file, identity = evidence_names(1)[0]
        fetched = [f'curl -fsSO "$from/{{{file},{file}.sig}}"']
        checked = [_verification(identity, "rsm-erasure", file)]
    else:
        fetched = [f'curl -fsSO "$from/evidence-[1-{count}].json" -O "$from/evidence-[1-{count}].json.sig"']
        numbers = " ".join(str(number) for number in range(1, count + 1))
        loop = _verification("machine-$n", "rsm-erasure", "evidence-$n.json")
        checked = [f"for n in {numbers}; do", f"  {loop}", "done"]
    return [
        f"from={cert.check_url.rstrip('/')}",
        *fetched,
        'curl -fsSO "$from/{certificate.json,certificate.json.sig,allowed_signers}"',
        *checked,
        _verification("platform", "rsm-certificate", "certificate.json"),
    ]


def _verification(identity: str, namespace: str, file: str) -> str:
    return f"ssh-keygen -Y verify -f allowed_signers -I {identity} -n {namespace} -s {file}.sig < {file}"


def _qr(url: str) -> str:
    out = BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=0, dark="#14202f", svgns=True, nl=False)
    return out.getvalue().decode()


def _shown(text: str) -> str:
    """Somebody's words without signs that are not seen or would turn the line around."""
    return " ".join(UNSEEN.sub(" ", str(text)).split())


def _when(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{_day(at)}, {utc:%H:%M:%S} UTC"


def _day(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {MONTHS[utc.month - 1]} {utc.year}"


def _clock(at: datetime, day: datetime) -> str:
    """The time of day, and the day where it is another than ``day``."""
    utc = at.astimezone(UTC)
    return f"{utc:%H:%M:%S}" if utc.date() == day.astimezone(UTC).date() else f"{_day(at)}, {utc:%H:%M:%S}"


MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
