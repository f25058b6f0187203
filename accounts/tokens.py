"""How API tokens look: ``rsm_``, 256 random bits, and a checksum, by which typing errors are told without a look-up.

The beginning is what scanners for leaked secrets search for. Only the SHA-256 of a token is stored.
"""

import hashlib
import secrets
import string
import zlib

SIGN = "rsm_"
BYTES = 32
ALPHABET = string.digits + string.ascii_letters
#: Signs of the alphabet that 256 and 32 bits take.
RANDOM_LENGTH, CHECK_LENGTH = 43, 6
#: How much of a token is kept to tell it from others: eight signs of the random ones leave more than 200 bits.
SHOWN = len(SIGN) + 8


def make_secret() -> str:
    """A new one. It is shown to its person once and never stored."""
    random = _written(int.from_bytes(secrets.token_bytes(BYTES)), RANDOM_LENGTH)
    return f"{SIGN}{random}{_check(random)}"


def is_well_formed(secret: str) -> bool:
    """Whether it can be a token: its length, its signs and its checksum are right."""
    body = secret.removeprefix(SIGN)
    if not secret.startswith(SIGN) or len(body) != RANDOM_LENGTH + CHECK_LENGTH or not set(body) <= set(ALPHABET):
        return False
    return _check(body[:RANDOM_LENGTH]) == body[RANDOM_LENGTH:]


def digest(secret: str) -> str:
    """What is stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(random: str) -> str:
    return _written(zlib.crc32(random.encode()), CHECK_LENGTH)


def _written(number: int, length: int) -> str:
    signs = ""
    while len(signs) < length:
        number, rest = divmod(number, len(ALPHABET))
        signs = ALPHABET[rest] + signs
    return signs
