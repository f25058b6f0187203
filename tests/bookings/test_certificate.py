"""The certificate of erasure: anyone checks it with the printed commands, and nothing but curl and OpenSSH."""

import hashlib
import json
import shutil
import subprocess
from datetime import timedelta
from io import BytesIO

import pytest
from django.urls import reverse
from pypdf import PdfReader

from bookings.models import ErasureCertificate
from bookings.services import certificates
from common.platform_key import platform_public_key
from machines.models import Machine, Node
from tests.agents import erase, make_agent, make_agent_over
from tests.people import make_over, record_wipe

MINUTE = timedelta(minutes=1)


@pytest.fixture
def on_site(live_server, settings) -> str:
    settings.SITE_URL = live_server.url
    return live_server.url


def run(lines: list[str], folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True, timeout=60
    )


def make_cluster(machine: Machine, count: int) -> list[Node]:
    machine.kind = "cluster"
    machine.save(update_fields=["kind"])
    facts = {"gpu_count": 4, "cpu_cores": 48, "ram_gb": 768, "disk_size_gb": 3840}
    return [Node.objects.create(machine=machine, name=f"node-{number}", **facts) for number in range(1, count + 1)]


def erased(listing, buyer, now, nodes: int) -> ErasureCertificate:
    machine = listing.machine
    agents = (
        [make_agent(machine, node) for node in make_cluster(machine, nodes)] if nodes > 1 else [make_agent(machine)]
    )
    over = make_agent_over(listing, buyer, *agents, end=now - 10 * MINUTE)
    for agent in agents:
        erase(agent, now=now)
    return ErasureCertificate.objects.get(booking=over)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("nodes", [1, 3])
def test_the_printed_commands_run_and_find_every_signature_good(on_site, listing, buyer, now, tmp_path, nodes):
    certificate = erased(listing, buyer, now, nodes)
    lines = certificates.commands_of(certificate)

    done = run(lines, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("Good ")]
    names = ["machine"] if nodes == 1 else [f"machine-{number}" for number in range(1, nodes + 1)]
    assert [line.split(" for ")[1].split()[0] for line in found] == [*names, "platform"]

    says = json.loads((tmp_path / "certificate.json").read_text())
    assert says["id"] == str(certificate.pk)
    for number, node in enumerate(says["nodes"], start=1):
        file = tmp_path / ("evidence.json" if nodes == 1 else f"evidence-{number}.json")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == node["evidence_sha256"]
        assert json.loads(file.read_text())["agent"] == node["agent"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file", ["evidence.json", "certificate.json"])
def test_the_printed_commands_find_a_changed_file(on_site, listing, buyer, now, tmp_path, file):
    certificate = erased(listing, buyer, now, 1)
    lines = certificates.commands_of(certificate)
    first_check = next(number for number, line in enumerate(lines) if line.startswith("ssh-keygen"))
    spoilt = f"sed -i 's/1/2/' {file}"
    done = run([*lines[:first_check], spoilt, *lines[first_check:]], tmp_path)
    assert done.returncode != 0
    assert "Could not verify signature." in done.stdout + done.stderr


@pytest.mark.django_db(transaction=True)
def test_the_pdf_prints_the_same_commands(on_site, client, listing, buyer, now):
    certificate = erased(listing, buyer, now, 1)
    client.force_login(buyer)
    answer = client.get(reverse("booking_certificate", args=[certificate.booking_id]))
    assert answer["Content-Type"] == "application/pdf"
    assert f"certificate-of-erasure-{certificate.booking.reference}.pdf" in answer["Content-Disposition"]
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
    flat = "".join(text.split())
    for line in certificates.commands_of(certificate):
        assert "".join(line.split()) in flat, line
    for words in (str(certificate.pk), certificate.sha256, listing.machine.name):
        assert words in flat


@pytest.mark.django_db
def test_the_platforms_key_signs_and_is_published(client, listing, buyer, now, tmp_path):
    certificate = erased(listing, buyer, now, 1)
    key = platform_public_key().text
    assert certificate.platform_key == key
    published = client.get("/erasure/keys").content.decode()
    assert published == f'platform namespaces="rsm-certificate" {key}\n'
    (tmp_path / "keys").write_text(published)
    (tmp_path / "certificate.json").write_text(certificate.document)
    (tmp_path / "certificate.json.sig").write_text(certificate.signature)
    line = "ssh-keygen -Y verify -f keys -I platform -n rsm-certificate -s certificate.json.sig < certificate.json"
    assert run([line], tmp_path).returncode == 0


@pytest.mark.django_db
def test_the_certificate_says_what_it_rests_on_and_nothing_of_the_buyer(listing, buyer, now):
    certificate = erased(listing, buyer, now, 1)
    row = certificate.evidence.get()
    says = json.loads(certificate.document)
    assert says["nodes"] == [
        {
            "agent": str(row.agent_id),
            "name": "",
            "key": row.agent.public_key,
            "fingerprint": row.agent.fingerprint,
            "evidence_sha256": row.sha256,
            "logs_sha256": row.logs_sha256,
            "simulated": False,
        }
    ]
    for secret in (buyer.email, buyer.name, str(buyer.pk), str(certificate.booking.price_total)):
        assert secret not in certificate.document


@pytest.mark.django_db
def test_a_wipe_that_was_recorded_by_hand_has_no_certificate_and_the_page_says_why(client, listing, buyer, now):
    over = make_over(listing, buyer, end=now - 10 * MINUTE)
    record_wipe(over, now=now)
    assert not ErasureCertificate.objects.exists()
    client.force_login(buyer)
    assert client.get(reverse("booking_certificate", args=[over.pk])).status_code == 404
    page = client.get(f"/bookings/{over.pk}/").content.decode()
    assert "nobody can certify what a person typed" in page
    assert reverse("booking_certificate", args=[over.pk]) not in page


@pytest.mark.django_db
def test_there_is_none_before_the_machine_is_clean(client, listing, buyer, now):
    over = make_agent_over(listing, buyer, make_agent(listing.machine), end=now - 10 * MINUTE)
    client.force_login(buyer)
    answer = client.get(reverse("booking_certificate", args=[over.pk]))
    assert answer.status_code == 404
    assert "no certificate of erasure" in answer.content.decode()


@pytest.mark.django_db
def test_the_booking_page_has_certificate_evidence_and_logs(client, listing, buyer, provider, now):
    certificate = erased(listing, buyer, now, 1)
    row = certificate.evidence.get()
    booking = certificate.booking
    for user in (buyer, provider):
        client.force_login(user)
        page = client.get(f"/bookings/{booking.pk}/").content.decode()
        assert "Signed by the machine, signature verified" in page
        assert reverse("erasure_check", args=[certificate.pk]) in page
        assert reverse("booking_certificate", args=[booking.pk]) in page
        logs = client.get(reverse("evidence_logs", args=[booking.pk, row.pk]))
        assert b"userdel: done" in b"".join(logs.streaming_content)
        assert logs["Content-Disposition"].startswith("attachment;")
        evidence = client.get(reverse("wipe_evidence", args=[booking.pk, booking.wipes.first().pk]))
        assert hashlib.sha256(b"".join(evidence.streaming_content)).hexdigest() == row.sha256


def test_openssh_is_there():
    """Without it the tests above would prove nothing."""
    assert shutil.which("ssh-keygen")
    assert shutil.which("curl")
