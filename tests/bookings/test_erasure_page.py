"""The page on which anyone checks a certificate: both signatures, over what is stored now, each time."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.urls import reverse

from accounts.models import Notification
from bookings.models import ErasureCertificate
from bookings.services import certificates
from common.ids import uuid7
from common.platform_key import platform_public_key
from tests.agents import LOGS, erase, make_agent, make_agent_over, make_key
from tests.bookings.test_certificate import erased

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def certificate(listing, buyer, now) -> ErasureCertificate:
    return erased(listing, buyer, now, 1)


def address(certificate, name: str = "") -> str:
    return f"/erasure/{certificate.pk}/{name}"


def page(client, certificate, status: int = 200) -> str:
    answer = client.get(address(certificate))
    assert answer.status_code == status
    assert "no-store" in answer["Cache-Control"]
    return " ".join(answer.content.decode().split())


def path_of(row) -> Path:
    return Path(default_storage.path(row.document.name))


# Verified ---------------------------------------------------------------------------------------------


def test_anyone_sees_that_it_is_verified_and_what_was_erased(client, certificate):
    text = page(client, certificate)
    assert "Verified</p>" in text
    assert "NOT verified" not in text
    assert text.count(">holds<") == 4
    for words in (
        "SSH keys removed", "312 files in 2 folders removed", "NIST SP 800-88 Rev. 2", certificate.sha256,
        certificate.evidence.get().agent.fingerprint, platform_public_key().fingerprint,
        "ssh-keygen -Y verify -f allowed_signers -I platform",
    ):  # fmt: skip
        assert words in text, words


def test_nothing_of_the_buyer_is_public(client, certificate, buyer):
    booking = certificate.booking
    texts = [page(client, certificate)]
    texts += [client.get(address(certificate, name)).content.decode() for name in certificates.names_of(certificate)]
    for secret in (buyer.email, buyer.name, str(buyer.pk), str(booking.price_total), LOGS, "gpu-1.example.org"):
        assert not any(secret in text for text in texts), secret


def test_every_file_is_there_for_anyone_and_may_be_cached(client, certificate):
    names = certificates.names_of(certificate)
    assert names == [
        "evidence.json", "evidence.json.sig", "certificate.json", "certificate.json.sig", "allowed_signers",
    ]  # fmt: skip
    for name in names:
        answer = client.get(address(certificate, name))
        assert answer.status_code == 200
        assert "public" in answer["Cache-Control"]
        assert answer["Content-Type"].startswith("application/json" if name.endswith(".json") else "text/plain")
        assert "sessionid" not in answer.cookies
        assert address(certificate, name) in page(client, certificate)
    assert client.get(address(certificate, "logs.txt")).status_code == 404
    assert client.get(address(certificate, "evidence-1.json")).status_code == 404


def test_every_node_of_a_cluster_is_shown(client, listing, buyer, now):
    certificate = erased(listing, buyer, now, 2)
    text = page(client, certificate)
    assert "The signatures of all 2 nodes and of the platform" in text
    for words in ("node-1: what was erased", "node-2: what was erased", "evidence-1.json", "evidence-2.json"):
        assert words in text
    assert client.get(address(certificate, "evidence-2.json")).status_code == 200
    assert client.get(address(certificate, "evidence-3.json")).status_code == 404


def test_a_simulated_one_says_so_unmistakably(client, listing, buyer, now):
    agent = make_agent(listing.machine, is_simulated=True)
    over = make_agent_over(listing, buyer, agent, end=now - 10 * MINUTE)
    erase(agent, now=now)
    certificate = ErasureCertificate.objects.get(booking=over)
    assert certificate.is_simulated
    text = page(client, certificate)
    assert "Simulated: nothing was erased</p>" in text
    assert "Verified</p>" not in text
    assert "<title>Simulated" in text


# Not verified -----------------------------------------------------------------------------------------


def changed_by_a_byte(certificate):
    path = path_of(certificate.evidence.get())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def taken_away(certificate):
    path_of(certificate.evidence.get()).unlink()


def signed_by_another_machine(certificate):
    """The file and its signature both exchanged: only the certificate knows better."""
    row = certificate.evidence.get()
    path = path_of(row)
    path.write_text(path.read_text().replace("123456", "123457"))


@pytest.mark.parametrize("change", [changed_by_a_byte, taken_away, signed_by_another_machine])
def test_evidence_that_was_tampered_with_is_found_out_and_the_administrators_are_told_once(
    client, certificate, administrator, change
):
    assert "NOT verified" not in page(client, certificate)
    change(certificate)
    for _ in range(3):
        text = page(client, certificate)
        assert "NOT verified" in text
        assert '<b class="mono">evidence.json</b>' in text
        assert '<b class="mono">certificate.json</b>' not in text
        assert "312 files in 2 folders removed" not in text
    told = Notification.objects.get(user=administrator, key=f"erasure-not-verified:{certificate.pk}")
    assert "evidence.json" in told.text
    assert told.link == address(certificate)
    client.force_login(certificate.booking.buyer)
    assert (
        "NOT verified: this is not what the machine signed"
        in client.get(f"/bookings/{certificate.booking_id}/").content.decode()
    )


def test_one_node_that_was_tampered_with_is_named(client, listing, buyer, now):
    certificate = erased(listing, buyer, now, 3)
    changed = certificates.evidence_of(certificate)[1]
    path_of(changed).write_text("{}")
    text = page(client, certificate)
    assert '<b class="mono">evidence-2.json</b>' in text
    assert '<b class="mono">evidence-1.json</b>' not in text
    assert text.count("what was erased") == 3


def failed(certificate) -> list[tuple[str, str]]:
    return [(check.file, check.claim) for check in certificates.check(certificate).failed]


def test_a_certificate_that_was_changed_is_not_verified(certificate):
    certificate.document = certificate.document.replace('"simulated":false', '"simulated":true')
    assert failed(certificate) == [
        ("certificate.json", "It is the certificate that was issued."),
        ("certificate.json", "The platform signed it."),
    ]


def test_a_certificate_that_is_none_any_more_is_not_verified(certificate):
    certificate.document = "[]"
    verdict = certificates.check(certificate)
    assert verdict.is_broken
    assert not verdict.servers


def test_a_certificate_of_somebody_elses_key_is_not_verified(certificate):
    key = make_key()
    certificate.platform_key, certificate.signature = key.public, key.sign(certificate.document, "rsm-certificate")
    assert failed(certificate) == [("certificate.json", "The platform signed it.")]


def test_keys_that_the_platform_had_before_stay_good(certificate, settings):
    key = make_key()
    certificate.platform_key, certificate.signature = key.public, key.sign(certificate.document, "rsm-certificate")
    settings.PLATFORM_FORMER_KEYS = [key.public]
    assert certificates.check(certificate).is_verified
    assert key.public in certificates.platform_signers()


def test_evidence_that_hangs_on_the_wrong_certificate_is_not_verified(client, certificate, listing, buyer, now):
    (agent_row,) = {row.agent for row in certificate.evidence.all()}
    agent_row.revoked_at = now
    agent_row.save(update_fields=["revoked_at"])
    agent = make_agent(listing.machine)
    make_agent_over(listing, buyer, agent, end=now + 10 * 60 * MINUTE)
    other = erase(agent, now=now + 11 * 60 * MINUTE)
    certificate.evidence.set([other])
    assert not certificates.check(certificate).is_verified


def test_while_the_storage_is_away_nothing_is_said_to_be_wrong(client, certificate, administrator, settings):
    path = path_of(certificate.evidence.get())
    data = path.read_bytes()
    path.unlink()
    path.mkdir()  # a folder cannot be read as a file, and is not "not there"
    try:
        text = page(client, certificate, status=503)
        assert "Cannot be checked right now" in text
        assert "NOT verified" not in text
        assert client.get(address(certificate, "evidence.json")).status_code == 503
    finally:
        path.rmdir()
        path.write_bytes(data)
    assert not Notification.objects.filter(key__startswith="erasure-not-verified").exists()
    assert "Verified</p>" in page(client, certificate)


# Finding it -------------------------------------------------------------------------------------------


def test_it_is_found_by_what_is_printed_on_it(client, certificate):
    lookup = reverse("erasure_lookup")
    assert client.get(lookup).status_code == 200
    row = certificate.evidence.get()
    for asked in (
        str(certificate.pk), f"  {str(certificate.pk).upper()} ", f"https://example.org/erasure/{certificate.pk}/",
        certificate.sha256, certificate.sha256.upper(), row.sha256,
    ):  # fmt: skip
        answer = client.get(lookup, {"q": asked})
        assert (answer.status_code, answer["Location"]) == (302, address(certificate)), asked


@pytest.mark.parametrize("asked", [str(uuid7()), "0" * 64, "nonsense", "<script>", "x" * 1000])
def test_one_that_is_not_known_is_a_404_with_the_form(client, certificate, asked):
    answer = client.get(reverse("erasure_lookup"), {"q": asked})
    text = answer.content.decode()
    assert answer.status_code == 404
    assert "There is no such certificate." in text
    assert 'name="q"' in text
    assert "<script>alert" not in text


def test_an_unknown_address_is_a_404_with_the_form(client):
    answer = client.get(f"/erasure/{uuid7()}/")
    assert answer.status_code == 404
    assert 'name="q"' in answer.content.decode()
    assert client.get(f"/erasure/{uuid7()}/evidence.json").status_code == 404


def test_one_address_asks_only_so_often(client, certificate, settings):
    settings.MARKETPLACE_ERASURE_RATE = "3/minute"
    cache.clear()
    there = f"198.51.100.{certificate.pk.int % 250}"
    answers = [client.get(address(certificate), REMOTE_ADDR=there).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    assert client.get(address(certificate), REMOTE_ADDR="203.0.113.9").status_code == 200
