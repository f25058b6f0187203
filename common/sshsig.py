"""Signatures as ``ssh-keygen -Y sign`` makes them, the keys they are made with, and the bytes they are made over.

The format is OpenSSH's PROTOCOL.sshsig. Only Ed25519 keys: it is what agents and the platform have. What is
accepted is narrower than what ``ssh-keygen -Y verify`` accepts, never wider, so that whoever checks a signature
with the tool of their own system comes to the same answer.
"""

import base64
import binascii
import hashlib
import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Ed25519Key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from django.utils.translation import gettext as _
from sshsig import sshsig as library

#: Longest armored signature that is looked at, in letters. One of Ed25519 has about 300.
LONGEST = 4096
HASHES = (b"sha512", b"sha256")
#: Columns of the base64 text, as ssh-keygen writes it.
COLUMNS = 70
KEY_TYPE = b"ssh-ed25519"
MAGIC = b"SSHSIG"
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9@.-]*", re.ASCII)
PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*", re.ASCII)
ARMOR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END SSH SIGNATURE-----\s*", re.ASCII
)


class BadSignature(Exception):
    """The signature is not this key's over these bytes in this namespace; its text says why."""


# Keys -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 key: ``text`` is ``ssh-ed25519 AAAA…`` without a comment, ``fingerprint`` as OpenSSH prints it."""

    text: str
    fingerprint: str
    blob: bytes

    def __str__(self) -> str:
        return self.text


@lru_cache(1024)
def read_public_key(text: str) -> PublicKey:
    """Read one line of a ``.pub`` file; its comment is left out.

    Raises:
        ValueError: it is no Ed25519 key. The text is a sentence.
    """
    words = text.strip().split(None, 2)
    if len(text) > LONGEST or len(words) < 2 or len(text.strip().splitlines()) != 1:
        raise ValueError("This is not one SSH public key in one line.")
    if words[0] != KEY_TYPE.decode():
        raise ValueError(f"Only ssh-ed25519 keys are accepted here, not {words[0][:40]}.")
    try:
        key = load_ssh_public_key(f"{words[0]} {words[1]}".encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("This is not a complete ssh-ed25519 key.") from error
    if not isinstance(key, Ed25519Key):
        raise ValueError("This is not an ssh-ed25519 key.")
    return public_key(key)


def public_key(key: Ed25519Key) -> PublicKey:
    """The same key, as OpenSSH writes it."""
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(line, f"SHA256:{digest}", blob)


# Signatures -----------------------------------------------------------------------------------------


def verify(*, public_key: str, namespace: str, data: bytes, signature: str) -> None:
    """Return if ``signature`` (armored) is that key's over ``data`` in ``namespace``.

    Raises:
        BadSignature: it is not, or it is no signature, or one of another kind than Ed25519 over sha512 or sha256.
        ValueError: the public key is no Ed25519 key.
    """
    key = read_public_key(public_key)
    found = _read(signature)
    if found.public_key != key.blob:
        raise BadSignature(_("The signature was made with another key."))
    if found.namespace != namespace.encode():
        raise BadSignature(_("The signature was made for another purpose."))
    if found.hash_algo not in HASHES:
        raise BadSignature(_("The signature uses a hash algorithm that is not accepted."))
    # The library takes the kind of the signature for granted.
    if len(found.signature) != 83 or not found.signature.startswith(_string(KEY_TYPE) + struct.pack(">I", 64)):
        raise BadSignature(_("The signature is not one of an Ed25519 key."))
    try:
        library.check_signature(data, signature, namespace)
    except (library.InvalidSignature, NotImplementedError, ValueError) as error:
        raise BadSignature(_("The signature does not fit what was signed.")) from error


def _read(armored: str) -> library.SshsigSignature:
    if len(armored) > LONGEST:
        raise BadSignature(_("The signature is too long to be one."))
    match = ARMOR.fullmatch(armored)
    if match is None:
        raise BadSignature(_("This is not an armored SSH signature."))
    try:
        raw = base64.b64decode("".join(match[1].split()), validate=True)
        found = library.SshsigSignature(raw)
    except (binascii.Error, ValueError, NotImplementedError) as error:
        raise BadSignature(_("This is not a complete SSH signature.")) from error
    if bytes(found) != raw:
        raise BadSignature(_("The signature holds more or less than a signature does."))
    return found


def sign(*, private_key: Ed25519PrivateKey, namespace: str, data: bytes) -> str:
    """An armored signature that ``ssh-keygen -Y verify`` accepts. The same input gives the same signature."""
    if not NAMESPACE.fullmatch(namespace):
        raise ValueError(f"{namespace!r} is no namespace.")
    purpose, reserved, hash_algo = _string(namespace.encode()), _string(b""), _string(b"sha512")
    signed = private_key.sign(MAGIC + purpose + reserved + hash_algo + _string(hashlib.sha512(data).digest()))
    blob = public_key(private_key.public_key()).blob
    inner = _string(KEY_TYPE) + _string(signed)
    outer = MAGIC + struct.pack(">I", 1) + _string(blob) + purpose + reserved + hash_algo + _string(inner)
    text = base64.b64encode(outer).decode()
    lines = [text[at : at + COLUMNS] for at in range(0, len(text), COLUMNS)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def allowed_signers(signers: Iterable[tuple[str, str, str]]) -> str:
    """The text of an ``allowed_signers`` file for ``(principal, public key, namespace)``.

    Raises:
        ValueError: a principal or a namespace would change the meaning of its line, or a key is none.
    """
    lines = []
    for principal, key, namespace in signers:
        if not PRINCIPAL.fullmatch(principal) or not NAMESPACE.fullmatch(namespace):
            raise ValueError(f"{principal!r} in {namespace!r} cannot be written to an allowed_signers file.")
        lines.append(f'{principal} namespaces="{namespace}" {read_public_key(key).text}\n')
    return "".join(lines)


# Canonical JSON ---------------------------------------------------------------------------------------


def canonical(value: Any) -> str:
    """The one way to write ``value`` as JSON: sorted keys, no blanks, letters as they are (docs/agent-protocol.md).

    Raises:
        ValueError: a number is not finite, or a text holds half a letter that UTF-8 cannot write.
        TypeError: JSON has no such thing.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()
    return text


def parse_canonical(text: str) -> dict[str, Any]:
    """What :func:`canonical` wrote.

    Raises:
        ValueError: it is no JSON object, or is written in another way than the canonical one.
    """
    try:
        parsed = json.loads(text, object_pairs_hook=_once)
        same = canonical(parsed) == text
    except RecursionError as error:
        raise ValueError("This is nested too deeply.") from error
    if not isinstance(parsed, dict):
        raise ValueError("This is not a JSON object.")
    if not same:
        raise ValueError("This is not canonical JSON.")
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A key is there twice.")
    return found
