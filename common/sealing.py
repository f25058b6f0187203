"""Secrets that have to be read again, kept so that a copy of the database does not give them away.

Sealed with a key made from ``SECRET_KEY``; what was sealed with one of ``SECRET_KEY_FALLBACKS`` can still be opened.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class NotOurs(ValueError):
    """It was sealed with a key that is not known here any more."""


def seal(secret: str) -> str:
    return _keys().encrypt(secret.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """
    Raises:
        NotOurs: it was sealed with another key, or is damaged.
    """
    try:
        return _keys().decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise NotOurs("This secret was sealed with another SECRET_KEY.") from error


def _keys() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(secret))) for secret in secrets])


def _derived(secret: str) -> bytes:
    """A key of its own for this use: the secret is long and random, so one round is enough."""
    return hashlib.sha256(b"common.sealing\0" + secret.encode()).digest()
