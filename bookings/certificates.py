"""The certificate of erasure: what it says, and the document that the platform signs. Free of the database."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from common.sshsig import allowed_signers, canonical, read_public_key

ERASURE_NAMESPACE = "rsm-erasure"
CERTIFICATE_NAMESPACE = "rsm-certificate"
STANDARD = "NIST SP 800-88 Rev. 2, Clear"


@dataclass(frozen=True)
class ErasureStep:
    """One step of a wipe: its name for people, ``success``, ``partial`` or ``failed``, when, and what was found."""

    label: str
    status: str
    at: datetime
    summary: str


@dataclass(frozen=True)
class NodeEvidence:
    """What one agent signed about its server. ``name`` is empty where the machine is a single server."""

    agent_id: UUID
    name: str
    public_key: str
    evidence_sha256: str
    logs_sha256: str
    started_at: datetime
    finished_at: datetime
    agent_version: str
    steps: Sequence[ErasureStep]
    simulated: bool = False

    @property
    def key_fingerprint(self) -> str:
        """``SHA256:…`` of the agent's key."""
        return read_public_key(self.public_key).fingerprint

    @property
    def complete(self) -> bool:
        """Whether every step is a success."""
        return bool(self.steps) and all(step.status == "success" for step in self.steps)


@dataclass(frozen=True)
class ErasureCertificate:
    """All that the certificate's PDF says. The address to check it at follows from ``site_url`` and ``id``."""

    id: UUID
    site_name: str
    site_url: str
    issued_at: datetime
    machine_id: UUID
    machine_name: str
    machine_title: str
    provider_name: str
    booking_reference: str
    window_start: datetime
    window_end: datetime
    ended_at: datetime
    finished_at: datetime
    nodes: Sequence[NodeEvidence]
    platform_key: str
    certificate_sha256: str
    standard: str = STANDARD

    @property
    def check_url(self) -> str:
        """Where anyone checks it, with a slash at its end."""
        return f"{self.site_url.rstrip('/')}/erasure/{self.id}/"

    @property
    def platform_fingerprint(self) -> str:
        """``SHA256:…`` of the platform's key."""
        return read_public_key(self.platform_key).fingerprint

    @property
    def simulated(self) -> bool:
        """Whether any of its evidence is of an agent that only pretends."""
        return any(node.simulated for node in self.nodes)

    @property
    def complete(self) -> bool:
        """Whether every step on every node is a success."""
        return bool(self.nodes) and all(node.complete for node in self.nodes)


def evidence_names(nodes: int) -> list[tuple[str, str]]:
    """The file and the identity of each node's evidence, in order: ``evidence-1.json`` and ``machine-1`` in a cluster."""
    if nodes == 1:
        return [("evidence.json", "machine")]
    return [(f"evidence-{number}.json", f"machine-{number}") for number in range(1, nodes + 1)]


def certificate_signers(cert: ErasureCertificate) -> str:
    """The ``allowed_signers`` file of a certificate: the machine's keys for evidence, the platform's for the rest."""
    names = [identity for _, identity in evidence_names(len(cert.nodes))]
    machines = [(name, node.public_key, ERASURE_NAMESPACE) for name, node in zip(names, cert.nodes, strict=True)]
    return allowed_signers([*machines, ("platform", cert.platform_key, CERTIFICATE_NAMESPACE)])


def certificate_document(cert: ErasureCertificate) -> str:
    """The canonical JSON that the platform signs in the namespace ``rsm-certificate``.

    Raises:
        ValueError: a step is not a success, or there is no evidence: nothing is certified then.
    """
    if not cert.complete:
        raise ValueError("Only an erasure of which every step is a success is certified.")
    return canonical(
        {
            "type": "rsm-erasure-certificate",
            "version": 1,
            "id": str(cert.id),
            "issuer": cert.site_url.rstrip("/"),
            "issued_at": moment(cert.issued_at),
            "machine": str(cert.machine_id),
            "machine_name": cert.machine_name,
            "reference": cert.booking_reference,
            "standard": cert.standard,
            "simulated": cert.simulated,
            "nodes": [_node(node) for node in cert.nodes],
        }
    )


def _node(node: NodeEvidence) -> dict[str, object]:
    key = read_public_key(node.public_key)
    return {
        "agent": str(node.agent_id),
        "name": node.name,
        "key": key.text,
        "fingerprint": key.fingerprint,
        "evidence_sha256": node.evidence_sha256,
        "logs_sha256": node.logs_sha256,
        "simulated": node.simulated,
    }


def moment(at: datetime) -> str:
    """As the protocol writes moments: ``2026-11-21T14:00:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256_of(document: str) -> str:
    """The digest of a document's bytes in UTF-8, in hexadecimal."""
    return hashlib.sha256(document.encode()).hexdigest()
