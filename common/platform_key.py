"""The platform's own Ed25519 key, which countersigns certificates of erasure.

A deployment gives it as ``PLATFORM_SIGNING_KEY``, the text of an OpenSSH private key without a passphrase. Where
there is none, an installation makes one for itself and keeps it under ``VAR_DIR/secrets``.
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from common import sshsig

NAME = "platform_signing_key"


def platform_key() -> Ed25519PrivateKey:
    """The key to sign with.

    Raises:
        ImproperlyConfigured: what is set or kept is no Ed25519 key that can be read.
    """
    given = str(getattr(settings, "PLATFORM_SIGNING_KEY", "") or "")
    return _read(given) if given.strip() else _kept(Path(settings.VAR_DIR) / "secrets" / NAME)


def platform_public_key() -> sshsig.PublicKey:
    """What others check the platform's signatures with."""
    return sshsig.public_key(platform_key().public_key())


@lru_cache(8)
def _kept(file: Path) -> Ed25519PrivateKey:
    try:
        return _read(file.read_text())
    except FileNotFoundError:
        _make(file)
        return _read(file.read_text())


def _make(file: Path) -> None:
    """Write a new key, whole or not at all, unless somebody else has been quicker."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}.new")
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            output.write(key)
            output.flush()
            os.fsync(output.fileno())
        os.link(new, file)
    except FileExistsError:
        return
    finally:
        new.unlink(missing_ok=True)


@lru_cache(8)
def _read(text: str) -> Ed25519PrivateKey:
    # Where an environment cannot hold line breaks they are written as \n.
    lines = text.replace("\\n", "\n").strip() + "\n"
    try:
        key = load_ssh_private_key(lines.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ImproperlyConfigured(
            "PLATFORM_SIGNING_KEY is no OpenSSH private key without a passphrase. Make one: "
            "ssh-keygen -t ed25519 -N '' -f platform_signing_key"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ImproperlyConfigured("PLATFORM_SIGNING_KEY is not an Ed25519 key.")
    return key
