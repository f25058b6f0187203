"""Reading SSH public keys: what is accepted, what is refused and why (rules: Who)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from django.utils.translation import gettext as _

from common.errors import MarketplaceError

MIN_RSA_BITS = 3072
#: OpenSSH lets no longer ones in.
MAX_RSA_BITS = 16384
CERTIFICATE = "-cert-v01@openssh.com"
DSA = "ssh-dss"
TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
#: How a type begins that is none of these, but meant as one.
LIKE_A_TYPE = ("ssh-", "ecdsa-", "sk-", "webauthn-sk-")
#: How private keys are known by: their frames, PuTTY's file, and OpenSSH's format without its frame.
PRIVATE = ("PRIVATE KEY", "PuTTY-User-Key-File", "b3BlbnNzaC1rZXktdjE")
#: Public keys in other formats, which ssh-keygen converts.
FRAMED = ("BEGIN PUBLIC KEY", "BEGIN RSA PUBLIC KEY", "BEGIN SSH2 PUBLIC KEY")
#: A type with the beginning of a key after it: every blob begins with the length of its type's name.
A_KEY = re.compile(r"(?<![\w@.-])(?:ssh|ecdsa|sk)-[\w@.-]+\s+AAAA")
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
#: A key that was wrapped by a terminal or a mail has no more lines than this.
MOST_LINES = 100


class BadKey(MarketplaceError):
    """A key that does not let anyone in here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="public_key")


class PrivateKeyPasted(BadKey):
    """The half that nobody else may have: whoever catches this forgets the text at once."""


@dataclass(frozen=True)
class PublicKey:
    """A checked key: one line without its comment, its type, and the SHA-256 fingerprint as OpenSSH prints it."""

    line: str
    key_type: str
    fingerprint: str
    comment: str


def parse(text: str) -> PublicKey:
    """Check one public key as it is pasted from a ``.pub`` file. Line breaks within it are mended where that is clear.

    Raises:
        PrivateKeyPasted: it is a private key.
        BadKey: it is a certificate, more than one, has options before it, is cut off, weak, or no key at all.
    """
    _refuse_other_things(text)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    _refuse_beginning(" ".join(lines).split())
    key_type, body, comment = _mended(lines)
    blob = base64.b64decode(body)
    key = load_ssh_public_key(f"{key_type} {body}".encode())
    if isinstance(key, rsa.RSAPublicKey) and not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise BadKey(
            _("This RSA key has %(bits)s bits; %(least)s to %(most)s are needed. Better: ssh-keygen -t ed25519")
            % {"bits": key.key_size, "least": MIN_RSA_BITS, "most": MAX_RSA_BITS}
        )
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(f"{key_type} {body}", key_type, f"SHA256:{digest}", comment)


def _refuse_other_things(text: str) -> None:
    """What the whole text gives away.

    Raises:
        BadKey: it is private, in another format, or several keys.
    """
    if any(sign in text for sign in PRIVATE):
        raise PrivateKeyPasted(
            _(
                "This is a private key, which nobody else may have. It is not kept here. But it has been sent, so regard "
                "it as compromised: take it out wherever it lets you in, make a new pair with ssh-keygen -t ed25519, and "
                "paste the file that ends in .pub."
            )
        )
    if any(sign in text for sign in FRAMED):
        raise BadKey(_("This is a public key in another format. Paste what this prints: ssh-keygen -i -f FILE"))
    if len(A_KEY.findall(text)) > 1:
        raise BadKey(_("These are several keys. Add them one after the other, each by itself."))


def _refuse_beginning(words: list[str]) -> None:
    """What the first word of a line that is no key gives away.

    Raises:
        BadKey: it does not begin with a type of keys that are let in.
    """
    first = words[0] if words else ""
    if CERTIFICATE in first:
        raise BadKey(_("This is a certificate. Paste the key that it was made for: the .pub file without “-cert”."))
    if first == DSA:
        raise BadKey(_("DSA keys are too weak. Make a new one: ssh-keygen -t ed25519"))
    if first in TYPES:
        return
    if any(word in TYPES or word == DSA for word in words):
        kind = next(word for word in words if word in TYPES or word == DSA)
        raise BadKey(
            _("There is something before the key, such as options. Paste it from “%(kind)s” on.") % {"kind": kind}
        )
    if first.startswith(LIKE_A_TYPE) and len(words) > 1:
        raise BadKey(
            _("Keys of the type “%(kind)s” are not let in. Make one that is: ssh-keygen -t ed25519")
            % {"kind": first[:60]}
        )
    raise BadKey(_("This is not an SSH public key. It begins with ssh-ed25519 or ssh-rsa and stands in a .pub file."))


def _mended(lines: list[str]) -> tuple[str, str, str]:
    """Type, body and comment. A body that goes on in the next line is put together, where that makes a whole key.

    Raises:
        BadKey: whatever is put together, no key comes out.
    """
    key_type = lines[0].split()[0]
    for body, comment in _readings(key_type, lines):
        if _is_whole(key_type, body):
            return key_type, body, comment
    if len(lines) > 1:
        raise BadKey(
            _(
                "The key is broken into several lines that do not fit together. Copy the file itself, not what a "
                "terminal or a mail shows of it."
            )
        )
    raise BadKey(_("This is not a complete SSH public key. Copy the whole line of the .pub file."))


def _readings(key_type: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    """What body and comment may be: the body ends at a space, or goes on where a line ends with it."""
    rest = [lines[0].split(None, 1)[1:], *([line] for line in lines[1:MOST_LINES])]
    pieces = [part for line in rest for part in line]
    body = ""
    for number, piece in enumerate(pieces):
        word, _space, comment = piece.strip().partition(" ")
        if not BASE64.fullmatch(word):
            return
        body += word
        after = " ".join([comment, *pieces[number + 1 :]])
        yield body, " ".join("".join(sign if sign.isprintable() else " " for sign in after).split())
        if comment:
            return


def _is_whole(key_type: str, body: str) -> bool:
    try:
        base64.b64decode(body, validate=True)
        load_ssh_public_key(f"{key_type} {body}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return False
    return True
