"""The certificate of erasure on paper: what it says, what it never says, and that its commands work."""

import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pypdf import PdfReader

from bookings.certificate_pdf import commands, erasure_pdf, erasure_png
from bookings.certificates import (
    ErasureCertificate,
    ErasureStep,
    NodeEvidence,
    certificate_document,
    certificate_signers,
    evidence_names,
    sha256_of,
)
from common import sshsig, typesetting

# The same certificate gives the same bytes: its moments are fixed for that.
ENDED = datetime(2026, 11, 21, 14, 0, 5, tzinfo=UTC)
STEPS = (
    "Sessions closed, processes ended",
    "SSH keys removed",
    "Home and scratch purged",
    "Account deleted",
    "Verified: nothing of the account is left",
)
MARK = "SIMULATED: no machine was touched"


def key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def public(number: int) -> str:
    return sshsig.public_key(key(number).public_key()).text


def evidence(number: int, name: str = "", *, simulated: bool = False) -> NodeEvidence:
    steps = [
        ErasureStep(label, "success", ENDED + timedelta(seconds=20 * place), f"{place} found; none is left")
        for place, label in enumerate(STEPS)
    ]
    return NodeEvidence(
        agent_id=UUID(int=number << 64),
        name=name,
        public_key=public(number),
        evidence_sha256=sha256_of(f"evidence {number}"),
        logs_sha256=sha256_of(f"logs {number}"),
        started_at=ENDED,
        finished_at=ENDED + timedelta(seconds=100),
        agent_version="1.0.0",
        steps=steps,
        simulated=simulated,
    )


def certificate(count: int = 1, /, **changes) -> ErasureCertificate:
    made = ErasureCertificate(
        id=UUID("01976b1c-6c1f-7f0a-9d52-3a5e8c1f90aa"),
        site_name="Remote Servers",
        site_url="https://remote-servers.example",
        issued_at=ENDED + timedelta(minutes=3),
        machine_id=UUID("01976b1c-0000-7f0a-9d52-3a5e8c1f90ab"),
        machine_name="gpu-1",
        machine_title="8 × H100 SXM",
        provider_name="Nordlicht Rechenzentrum GmbH",
        booking_reference="1a2b3c4d",
        window_start=ENDED - timedelta(days=3),
        window_end=ENDED,
        ended_at=ENDED,
        finished_at=ENDED + timedelta(seconds=100),
        nodes=[evidence(number, f"node-{number}" if count > 1 else "") for number in range(1, count + 1)],
        platform_key=public(99),
        certificate_sha256="",
    )
    made = replace(made, **changes)
    return replace(made, certificate_sha256=sha256_of(certificate_document(made))) if made.complete else made


def read(pdf: bytes) -> PdfReader:
    assert pdf.startswith(b"%PDF-")
    return PdfReader(BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """The text as somebody copies it, in one line without the invisible places where words may break."""
    pages = "\n".join(page.extract_text() for page in read(pdf).pages)
    return " ".join(pages.replace("\N{ZERO WIDTH SPACE}", "").split())


# What it says ------------------------------------------------------------------------------------------


def test_it_says_what_was_erased_where_and_by_which_key() -> None:
    cert = certificate()
    text = text_of(erasure_pdf(cert))
    node = cert.nodes[0]
    for fact in (
        "Certificate of erasure",
        "gpu-1",
        "8 × H100 SXM",
        "Nordlicht Rechenzentrum GmbH",
        "1a2b3c4d",
        "18 November 2026, 14:00:05 UTC",
        "21 November 2026, 14:01:45 UTC",
        "NIST SP 800-88 Rev. 2, Clear",
        node.evidence_sha256,
        node.logs_sha256,
        node.key_fingerprint,
        str(node.agent_id),
        "version 1.0.0",
        cert.platform_fingerprint,
        cert.certificate_sha256,
        cert.check_url,
        str(cert.machine_id),
        *(step.label for step in node.steps),
        *(step.summary for step in node.steps),
        *commands(cert),
    ):
        assert fact in text
    assert "simulat" not in text.lower()


def test_one_machine_is_one_page_and_a_cluster_goes_on() -> None:
    assert len(read(erasure_pdf(certificate())).pages) == 1
    cert = certificate(8)
    pdf = erasure_pdf(cert)
    assert 1 < len(read(pdf).pages) <= 4
    text = text_of(pdf)
    for number, node in enumerate(cert.nodes, start=1):
        assert f"Node {number}: {node.name}" in text
        assert node.evidence_sha256 in text
        assert node.key_fingerprint in text


def test_it_has_a_title_an_author_a_date_and_tags() -> None:
    reader = read(erasure_pdf(certificate()))
    assert reader.metadata is not None
    assert reader.metadata.title == "Certificate of erasure 01976b1c-6c1f-7f0a-9d52-3a5e8c1f90aa"
    assert reader.metadata.author == "Remote Servers"
    assert reader.metadata.creation_date == ENDED + timedelta(minutes=3)
    root = reader.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp


def test_the_same_certificate_is_the_same_bytes() -> None:
    assert erasure_pdf(certificate(2)) == erasure_pdf(certificate(2))


def test_its_pages_can_be_looked_at() -> None:
    pages = erasure_png(certificate(8))
    assert len(pages) == len(read(erasure_pdf(certificate(8))).pages)
    assert all(page.startswith(b"\x89PNG") for page in pages)


# What it never says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [[True], [False, True]])
def test_a_simulated_machine_is_marked(nodes: list[bool]) -> None:
    parts = [evidence(place + 1, f"node-{place}", simulated=pretends) for place, pretends in enumerate(nodes)]
    cert = certificate(nodes=parts)
    text = text_of(erasure_pdf(cert))
    assert MARK in text
    assert "was erased on" not in text
    assert json.loads(certificate_document(cert))["simulated"] is True


def test_an_erasure_that_is_not_complete_is_not_certified() -> None:
    node = evidence(1)
    failed = replace(node, steps=[replace(node.steps[0], status="failed"), *node.steps[1:]])
    for nodes in ([failed], [replace(node, steps=[])], [], [node, failed]):
        with pytest.raises(ValueError, match="every step"):
            certificate_document(certificate(nodes=nodes))
    text = text_of(erasure_pdf(certificate(nodes=[failed])))
    assert "Not complete." in text
    assert "certifies nothing" in text
    assert "was erased on" not in text


HOSTILE = [
    '#eval("1 + 1") #read("/etc/passwd") *bold* _x_ $x^2$ @label <l>',
    '"}); #panic("x") // \\" \\u{41} #import "@preview/a:1.0.0"',
    "= Heading - item + item / term: x `raw` ~ --- ... [] {} \\",
    "<script>alert(1)</script> &amp; %s {0}",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_names_come_out_letter_by_letter(words: str) -> None:
    node = evidence(1)
    node = replace(node, steps=[replace(step, summary=words) for step in node.steps])
    cert = certificate(machine_name=words, machine_title=words, provider_name=words, nodes=[node])
    text = text_of(erasure_pdf(cert)).replace(" ", "")
    assert text.count(words.replace(" ", "")) >= 5


def test_words_cannot_turn_a_line_around_or_hide_in_it() -> None:
    cert = certificate(provider_name="good\u202egnihtemos\u2066\u200b\0\ttext")
    assert "good gnihtemos text" in text_of(erasure_pdf(cert))


@pytest.mark.parametrize("name", ["x" * 500, "深" * 120, "Ψ" * 200, "e\u0301" * 80, "🜚 👩‍🚀 ﷽", "שלום عالم", ""])
def test_any_name_can_be_printed(name: str) -> None:
    pdf = erasure_pdf(certificate(provider_name=name, machine_name=name))
    assert len(read(pdf).pages) <= 4


def test_letters_without_a_font_are_written_as_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = typesetting._fonts(False)
    monkeypatch.setattr(typesetting, "_fonts", lambda system: embedded)
    text = text_of(erasure_pdf(certificate(provider_name="深圳 Größe Ελλάς Київ")))
    assert "[U+6DF1][U+5733] Größe Ελλάς Київ" in text
    assert "written as their Unicode numbers" in text


# Checking it ---------------------------------------------------------------------------------------------------


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def publish(cert: ErasureCertificate, folder: Path) -> Path:
    """Lay the files of a certificate where its commands look for them."""
    files = folder / "erasure" / str(cert.id)
    files.mkdir(parents=True)
    for number, (name, _) in enumerate(evidence_names(len(cert.nodes)), start=1):
        body = f"evidence {number}"
        (files / name).write_text(body)
        signature = sshsig.sign(private_key=key(number), namespace="rsm-erasure", data=body.encode())
        (files / f"{name}.sig").write_text(signature)
    document = certificate_document(cert)
    (files / "certificate.json").write_bytes(document.encode())
    signature = sshsig.sign(private_key=key(99), namespace="rsm-certificate", data=document.encode())
    (files / "certificate.json.sig").write_text(signature)
    (files / "allowed_signers").write_text(certificate_signers(cert))
    return files


def follow(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    for tool in ("curl", "ssh-keygen"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder.mkdir()
    return subprocess.run(
        ["bash", "-e"], input="\n".join(lines), cwd=folder, text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize("nodes", [1, 2, 8])
def test_its_commands_check_it(site: tuple[str, Path], tmp_path: Path, nodes: int) -> None:
    url, folder = site
    cert = certificate(nodes, site_url=url)
    publish(cert, folder)
    done = follow(commands(cert), tmp_path / "checked")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('Good "rsm-erasure" signature') == nodes
    assert f'Good "rsm-certificate" signature for platform with ED25519 key {cert.platform_fingerprint}' in done.stdout
    for node in cert.nodes:
        assert node.key_fingerprint in done.stdout
    digest = hashlib.sha256((tmp_path / "checked" / "certificate.json").read_bytes()).hexdigest()
    assert digest == cert.certificate_sha256


def test_its_commands_find_what_was_changed(site: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = site
    cert = certificate(2, site_url=url)
    files = publish(cert, folder)
    (files / "evidence-2.json").write_text("evidence 3")
    done = follow(commands(cert), tmp_path / "checked")
    assert done.returncode != 0


def test_the_document_is_canonical_and_names_every_node() -> None:
    cert = certificate(2)
    document = sshsig.parse_canonical(certificate_document(cert))
    assert document["type"] == "rsm-erasure-certificate"
    assert document["version"] == 1
    assert document["id"] == str(cert.id)
    assert document["issued_at"] == "2026-11-21T14:03:05Z"
    assert document["reference"] == "1a2b3c4d"
    assert [node["key"] for node in document["nodes"]] == [public(1), public(2)]
    assert [node["evidence_sha256"] for node in document["nodes"]] == [n.evidence_sha256 for n in cert.nodes]
