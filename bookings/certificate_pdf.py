"""The certificate of erasure as a PDF: archival (PDF/A-2a), tagged (PDF/UA-1), the same bytes for the same certificate.

Typst sets it from ``templates/typst/erasure.typ``: :mod:`common.typesetting` says how.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import segno
import typst

from bookings.certificates import ErasureCertificate, NodeEvidence, evidence_names
from common.typesetting import shown, typeset_pdf, typeset_png

TEMPLATE = "erasure"
STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]


def erasure_pdf(cert: ErasureCertificate) -> bytes:
    """The certificate as a PDF."""
    return typeset_pdf(TEMPLATE, _data(cert), at=cert.issued_at, standards=STANDARDS, files=_files(cert))


def erasure_png(cert: ErasureCertificate, ppi: float = 110) -> list[bytes]:
    """The certificate's pages as pictures, to look at."""
    return typeset_png(TEMPLATE, _data(cert), at=cert.issued_at, ppi=ppi, files=_files(cert))


def _files(cert: ErasureCertificate) -> dict[str, str]:
    return {"qr": _qr(cert.check_url)}


# What the template is given ---------------------------------------------------------------------------


def _data(cert: ErasureCertificate) -> dict[str, Any]:
    utc = cert.issued_at.astimezone(UTC)
    return {
        "id": str(cert.id),
        "site": shown(cert.site_name),
        "issued": [utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second],
        "issued_at": _when(cert.issued_at),
        "finished_day": _day(cert.finished_at).replace(" ", "\N{NO-BREAK SPACE}"),
        "machine": {"name": shown(cert.machine_name), "title": shown(cert.machine_title), "id": str(cert.machine_id)},
        "provider": shown(cert.provider_name),
        "reference": shown(cert.booking_reference),
        "window": [_when(cert.window_start), _when(cert.window_end)],
        "ended_at": _when(cert.ended_at),
        "finished_at": _when(cert.finished_at),
        "standard": shown(cert.standard),
        "complete": cert.complete,
        "simulated": cert.simulated,
        "nodes": [_node(node) for node in cert.nodes],
        "platform_fingerprint": cert.platform_fingerprint,
        "certificate_sha256": cert.certificate_sha256,
        "check_url": cert.check_url,
        "commands": commands(cert),
    }


def _node(node: NodeEvidence) -> dict[str, Any]:
    return {
        "agent": str(node.agent_id),
        "name": shown(node.name),
        "fingerprint": node.key_fingerprint,
        "evidence_sha256": node.evidence_sha256,
        "logs_sha256": node.logs_sha256,
        "started_at": _when(node.started_at),
        "finished_at": _when(node.finished_at),
        "version": shown(node.agent_version),
        "simulated": node.simulated,
        "complete": node.complete,
        "steps": [
            {
                "label": shown(step.label),
                "status": shown(step.status),
                "time": _clock(step.at, node.finished_at),
                "summary": shown(step.summary),
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
