"""Reading SSH public keys: what is accepted, what is refused and why (rules: Who)."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from common.errors import MarketplaceError

MIN_RSA_BITS = 3072
CERTIFICATE = "-cert-v01@openssh.com"


class BadKey(MarketplaceError):
    """A key that does not let anyone in here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="public_key")


@dataclass(frozen=True)
class PublicKey:
    """A checked key: one line without its comment, its type, and the SHA-256 fingerprint as OpenSSH prints it."""

    line: str
    key_type: str
    fingerprint: str
    comment: str


def parse(text: str) -> PublicKey:
    """Check one public key as it is pasted from a ``.pub`` file.

    Raises:
        BadKey: it is private, a certificate, broken by line breaks, more than one, weak, or no key at all.
    """
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise BadKey(
            "This is a private key. Keep it to yourself, make a new pair, and paste the file that ends in .pub."
        )
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and sum(line.split()[0].startswith(("ssh-", "ecdsa-", "sk-")) for line in lines) > 1:
        raise BadKey("These are several keys. Add them one at a time.")
    if len(lines) > 1:
        raise BadKey("The key is broken into several lines. Paste it as one line.")
    parts = text.split(None, 2)
    if len(parts) < 2:
        raise BadKey("This is not an SSH public key. It begins with ssh-ed25519 or ssh-rsa and stands in a .pub file.")
    key_type, body, comment = parts[0], parts[1], parts[2] if len(parts) > 2 else ""
    if key_type.endswith(CERTIFICATE):
        raise BadKey("This is a certificate. Paste the key that it was made for: the .pub file without “-cert”.")
    if key_type == "ssh-dss":
        raise BadKey("DSA keys are too weak. Make a new one: ssh-keygen -t ed25519")
    try:
        blob = base64.b64decode(body, validate=True)
        key = load_ssh_public_key(f"{key_type} {body}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("This is not a complete SSH public key. Copy the whole line of the .pub file.") from error
    if isinstance(key, dsa.DSAPublicKey):
        raise BadKey("DSA keys are too weak. Make a new one: ssh-keygen -t ed25519")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise BadKey(f"This RSA key has {key.key_size} bits; {MIN_RSA_BITS} are needed. Better: ssh-keygen -t ed25519")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(f"{key_type} {body}", key_type, f"SHA256:{digest}", comment)
