"""Certificates of erasure: issued once every server's evidence is complete, and checked anew whenever somebody asks."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext, gettext_lazy
from django_stubs_ext import StrOrPromise

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from bookings.certificate_pdf import commands, erasure_pdf
from bookings.certificates import (
    CERTIFICATE_NAMESPACE,
    ErasureStep,
    NodeEvidence,
    certificate_document,
    certificate_signers,
    evidence_names,
    sha256_of,
)
from bookings.certificates import ErasureCertificate as Certificate
from bookings.models import Booking, ErasureCertificate, WipeEvidence
from bookings.services.evidence import Step, is_signed, steps_in
from common import files, sshsig
from common.ids import uuid7
from common.languages import in_english, said_later
from common.platform_key import platform_key, platform_public_key

log = logging.getLogger(__name__)

PLATFORM = "platform"
CERTIFICATE = "certificate.json"
SIGNERS = "allowed_signers"


# Issuing -----------------------------------------------------------------------------------------------


@in_english()
def issue(booking: Booking, evidence: Sequence[WipeEvidence], *, now: datetime) -> ErasureCertificate:
    """Certify, in the caller's transaction, that this evidence was checked: one of each server, all of it complete."""
    rows = sorted(evidence, key=lambda row: (row.agent.node_name, row.pk))
    key = platform_public_key().text
    stated = _stated(booking, rows, id=uuid7(), key=key, issued_at=now.replace(microsecond=0), sha256="")
    document = certificate_document(stated)
    certificate = ErasureCertificate.objects.create(
        id=stated.id,
        booking=booking,
        document=document,
        sha256=sha256_of(document),
        signature=sshsig.sign(private_key=platform_key(), namespace=CERTIFICATE_NAMESPACE, data=document.encode()),
        platform_key=key,
        issued_at=stated.issued_at,
        is_simulated=stated.simulated,
    )
    certificate.evidence.set(rows)
    return certificate


@in_english()
def _stated(
    booking: Booking, rows: Sequence[WipeEvidence], *, id: Any, key: str, issued_at: datetime, sha256: str
) -> Certificate:
    """What a certificate says, from the rows it rests on."""
    machine = booking.machine
    return Certificate(
        id=id,
        site_name=settings.SITE_NAME,
        site_url=settings.SITE_URL,
        issued_at=issued_at,
        machine_id=machine.pk,
        machine_name=machine.name,
        machine_title=machine.title,
        provider_name=machine.provider.public_name,
        booking_reference=booking.reference,
        window_start=booking.start,
        window_end=booking.end,
        ended_at=booking.wipe_opened_at or booking.end,
        finished_at=max(row.finished_at for row in rows),
        nodes=[_node(row) for row in rows],
        platform_key=key,
        certificate_sha256=sha256,
    )


@in_english()
def _node(row: WipeEvidence) -> NodeEvidence:
    return NodeEvidence(
        agent_id=row.agent_id,
        name=row.agent.node_name,
        public_key=row.agent.public_key,
        evidence_sha256=row.sha256,
        logs_sha256=row.logs_sha256,
        started_at=row.started_at,
        finished_at=row.finished_at,
        agent_version=row.agent_version,
        steps=[
            ErasureStep(wipe.get_method_display(), wipe.status, wipe.timestamp, wipe.note) for wipe in row.wipes.all()
        ],
        simulated=row.is_simulated,
    )


@in_english()
def _told_by(certificate: ErasureCertificate) -> Certificate:
    """The certificate as its rows have it now, for the PDF and the commands."""
    booking = Booking.objects.select_related("machine__provider").get(pk=certificate.booking_id)
    rows = evidence_of(certificate)
    return _stated(
        booking,
        rows,
        id=certificate.pk,
        key=certificate.platform_key,
        issued_at=certificate.issued_at,
        sha256=certificate.sha256,
    )


@in_english()
def pdf_of(certificate: ErasureCertificate) -> bytes:
    return erasure_pdf(_told_by(certificate))


def commands_of(certificate: ErasureCertificate) -> list[str]:
    """What to run in order to check it without this site: the lines that are on the PDF too."""
    return commands(_told_by(certificate))


# Its files ---------------------------------------------------------------------------------------------


def evidence_of(certificate: ErasureCertificate) -> list[WipeEvidence]:
    """Each server's, in the order in which the certificate names them."""
    rows = certificate.evidence.select_related("agent__node", "agent__machine").prefetch_related("wipes")
    places = [node.get("agent") for node in content_of(certificate).get("nodes", [])]

    def place(row: WipeEvidence) -> tuple[int, str]:
        known = str(row.agent_id) in places
        return (places.index(str(row.agent_id)) if known else len(places), str(row.pk))

    return sorted(rows, key=place)


def content_of(certificate: ErasureCertificate) -> dict[str, Any]:
    """What the signed document says; nothing where it is none any more."""
    try:
        return sshsig.parse_canonical(certificate.document)
    except ValueError:
        return {}


def file_of(certificate: ErasureCertificate, name: str) -> bytes:
    """One of the files that a check needs, by the name that it has in the commands.

    Raises:
        files.FileMissing: there is none of this name.
        files.StorageAway: it cannot be read at the moment.
    """
    if name == CERTIFICATE:
        return certificate.document.encode()
    if name == f"{CERTIFICATE}.sig":
        return certificate.signature.encode()
    if name == SIGNERS:
        return certificate_signers(_told_by(certificate)).encode()
    rows = evidence_of(certificate)
    for row, (file, _) in zip(rows, evidence_names(len(rows)), strict=True):
        if name == file:
            return files.read(row.document.name)
        if name == f"{file}.sig":
            return row.signature.encode()
    raise files.FileMissing(gettext("This certificate has no such file."))


def names_of(certificate: ErasureCertificate) -> list[str]:
    """Every name that :func:`file_of` knows."""
    evidence = [file for file, _ in evidence_names(certificate.evidence.count())]
    return [part for file in [*evidence, CERTIFICATE] for part in (file, f"{file}.sig")] + [SIGNERS]


def platform_signers() -> str:
    """The platform's public keys, today's first, as an ``allowed_signers`` file."""
    return sshsig.allowed_signers((PLATFORM, key, CERTIFICATE_NAMESPACE) for key in platform_keys())


def platform_keys() -> list[str]:
    """Today's, and those that it had before: what was signed with them stays good."""
    return [platform_public_key().text, *settings.PLATFORM_FORMER_KEYS]


# Checking ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """``holds`` is ``None`` where it cannot be told at the moment."""

    file: str
    claim: StrOrPromise
    holds: bool | None
    why_not: StrOrPromise = ""

    @property
    def tone(self) -> str:
        return {True: "good", False: "bad", None: "warn"}[self.holds]


@dataclass(frozen=True)
class Erased:
    """One server's evidence. ``content``: what it says, if it is what the machine signed; else nothing."""

    file: str
    identity: str
    name: str
    fingerprint: str
    content: dict[str, Any] | None

    @property
    def steps(self) -> list[Step]:
        return list(steps_in(self.content)) if self.content else []


@dataclass(frozen=True)
class Verdict:
    checks: list[Check]
    servers: list[Erased]

    @property
    def is_verified(self) -> bool:
        return all(check.holds for check in self.checks)

    @property
    def is_broken(self) -> bool:
        """Something is not as it was signed."""
        return any(check.holds is False for check in self.checks)

    @property
    def is_open(self) -> bool:
        """Nothing is wrong, and not everything could be looked at."""
        return not self.is_broken and not self.is_verified

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.holds is False]


def check(certificate: ErasureCertificate) -> Verdict:
    """Both signatures, over what is stored now: the platform's over the certificate, each machine's over its evidence.

    Nothing that was found out before counts.
    """
    content = content_of(certificate)
    nodes = [node for node in content.get("nodes", []) if isinstance(node, dict)]
    rows = {str(row.agent_id): row for row in evidence_of(certificate)}
    checks = [*_check_certificate(certificate, content)]
    servers = []
    names = evidence_names(len(nodes)) if nodes else []
    for node, (file, identity) in zip(nodes, names, strict=True):
        found, data = _check_evidence(file, node, rows.pop(str(node.get("agent")), None))
        checks += found
        good = all(one.holds for one in found)
        servers.append(
            Erased(
                file,
                identity,
                str(node.get("name", "")),
                str(node.get("fingerprint", "")),
                json.loads(data) if good else None,
            )
        )
    if not nodes or rows:
        checks.append(
            Check(
                CERTIFICATE,
                gettext("It names the evidence of every server."),
                False,
                gettext("The evidence is another's."),
            )
        )
    return Verdict(checks, servers)


def _check_certificate(certificate: ErasureCertificate, content: dict[str, Any]) -> list[Check]:
    is_issued = sha256_of(certificate.document) == certificate.sha256 and content.get("id") == str(certificate.pk)
    ours = certificate.platform_key in platform_keys()
    signed = is_signed(
        certificate.document.encode(), certificate.signature, certificate.platform_key, CERTIFICATE_NAMESPACE
    )
    return [
        Check(
            CERTIFICATE,
            gettext_lazy("It is the certificate that was issued."),
            is_issued,
            gettext_lazy("It was changed after it was issued."),
        ),
        Check(
            CERTIFICATE,
            gettext_lazy("The platform signed it."),
            ours and signed,
            gettext_lazy("The signature does not fit.")
            if ours
            else gettext_lazy("It is signed with a key that is not the platform's."),
        ),
    ]


def _check_evidence(file: str, node: dict[str, Any], row: WipeEvidence | None) -> tuple[list[Check], bytes]:
    whole, signed = (
        gettext_lazy("It is the evidence that the certificate names."),
        gettext_lazy("The machine signed it."),
    )
    if row is None:
        return [
            Check(file, whole, False, gettext_lazy("There is none.")),
            Check(file, signed, False, gettext_lazy("There is none.")),
        ], b""
    try:
        data = files.read(row.document.name)
    except files.FileMissing:
        gone = gettext_lazy("The file is gone.")
        return [Check(file, whole, False, gone), Check(file, signed, False, gone)], b""
    except files.StorageAway as error:
        return [Check(file, whole, None, error.message), Check(file, signed, None, error.message)], b""
    digest = hashlib.sha256(data).hexdigest()
    is_whole = digest == row.sha256 == node.get("evidence_sha256")
    key = str(node.get("key", ""))
    by_the_machine = key == row.agent.public_key and is_signed(data, row.signature, key)
    return [
        Check(
            file,
            whole,
            is_whole,
            said_later(lambda: gettext("The file was changed: its SHA-256 is now %(digest)s.") % {"digest": digest}),
        ),
        Check(
            file, signed, by_the_machine, gettext_lazy("The signature does not fit this file and this machine's key.")
        ),
    ], data


@transaction.atomic
def check_and_tell(certificate: ErasureCertificate, *, now: datetime) -> Verdict:
    """Check it, and should something not be as it was signed, tell the administrators once."""
    verdict = check(certificate)
    if verdict.is_broken:
        with in_english():
            log.error("the certificate of erasure %s is not verified: %s", certificate.pk, _wrong(verdict))
        for user in administrators():
            with written_for(user):
                tell(
                    user=user,
                    event=EventKind.NOTICE,
                    key=f"erasure-not-verified:{certificate.pk}",
                    subject=gettext("A certificate of erasure is not verified"),
                    paragraphs=[_wrong(verdict)],
                    action=(gettext("Open the certificate"), f"/erasure/{certificate.pk}/"),
                    tone=Notification.Tone.BAD,
                    now=now,
                )
    return verdict


def _wrong(verdict: Verdict) -> str:
    return " ".join(f"{one.file}: {one.why_not}" for one in verdict.failed)
