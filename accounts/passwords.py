"""Which passwords will do: none that was ever leaked, none that is quickly guessed, and no rules about their letters.

Everything works without a network. Two lists ship with libraries (Django's and zxcvbn's). A deployment may add the whole of
`Pwned Passwords <https://haveibeenpwned.com/Passwords>`_ as a file, or ask its range service, which is told
five letters of a hash and never the password.
"""

import hashlib
import logging
import mmap
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import Request, urlopen

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

log = logging.getLogger(__name__)

#: Seconds to wait for the range service. Nobody's sign-up hangs on it.
PATIENCE = 1.5
#: Of zxcvbn's scale from 0 to 4: at least 10⁸ guesses.
LEAST_SCORE = 3
#: Words of this place, which are as easy to guess as one's own name; with the site's own name and host.
OWN_WORDS = ("marketplace", "remote", "servers", "server", "booking", "provider", "buyer", "administrator", "gpu")
#: zxcvbn's time grows quickly with the length; what is longer is not weaker.
MOST_LETTERS = 72


class BreachedPasswordValidator:
    """Refuses what has been in a leak: the lists that ship, then the file, then the service, as far as there are any."""

    def validate(self, password: str, user: Any = None) -> None:
        """
        Raises:
            ValidationError: it is known to attackers.
        """
        if password.lower().strip() in _shipped() or _leaked(password):
            raise ValidationError(
                gettext(
                    "This password is in a list of stolen ones that attackers try first. Choose another, here and wherever you use it."
                ),
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return gettext("It is not in a list of stolen passwords.")


class GuessablePasswordValidator:
    """Refuses what a program guesses quickly: words, names, dates, patterns, one's own address, and the site's name (``zxcvbn``)."""

    def validate(self, password: str, user: Any = None) -> None:
        """
        Raises:
            ValidationError: it has fewer than about 10⁸ guesses in it.
        """
        about = [str(getattr(user, name, "") or "") for name in ("email", "name", "organization_name")]
        site = [settings.SITE_NAME, settings.SITE_NAME.replace(" ", ""), urlsplit(settings.SITE_URL).hostname or ""]
        about += [*site, *OWN_WORDS]
        words = {word for text in about for word in [text, *text.replace("@", " ").replace(".", " ").split()] if word}
        if zxcvbn(password[:MOST_LETTERS], user_inputs=sorted(words))["score"] < LEAST_SCORE:
            raise ValidationError(
                gettext(
                    "This password is guessed too quickly. Three or four words that do not belong together make a good one."
                ),
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        return gettext("It is not a common word, a name, a date or a row of keys.")


@cache
def _shipped() -> frozenset[str]:
    """The passwords that are tried first, in lower case: Django's 20,000 and zxcvbn's 30,000."""
    return frozenset(CommonPasswordValidator().passwords) | frozenset(FREQUENCY_LISTS["passwords"])


def _leaked(password: str) -> bool:
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    if settings.MARKETPLACE_BREACHED_PASSWORDS and is_listed(Path(settings.MARKETPLACE_BREACHED_PASSWORDS), digest):
        return True
    return bool(settings.MARKETPLACE_BREACH_SERVICE) and _is_known_to_service(digest)


def is_listed(path: Path, digest: str) -> bool:
    """Whether a hash is in a file of sorted lines, in a few dozen looks however large the file is.

    Args:
        path: lines of SHA-1 in upper case hexadecimal, sorted; each may be cut to as few letters as the others are, and may
            go on with a colon and a count, as the lines of Pwned Passwords do.

    A file that cannot be read is said so in the log, and lists nothing: the other lists go on counting.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
            return _found(lines, digest.encode())
    except (OSError, ValueError) as error:
        log.error("MARKETPLACE_BREACHED_PASSWORDS: %s cannot be read: %s", path, error)
        return False


def _found(lines: mmap.mmap, digest: bytes) -> bool:
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        start = lines.rfind(b"\n", low, middle) + 1 or low
        end = lines.find(b"\n", middle, high)
        end = high if end < 0 else end
        listed = lines[start:end].partition(b":")[0].strip().upper()
        if listed and digest.startswith(listed):
            return True
        if listed < digest:
            low = end + 1
        else:
            high = start
    return False


def _is_known_to_service(digest: str) -> bool:
    """Asks the range service (k-anonymity: it learns five of forty letters). If it is away, the lists have to do."""
    request = Request(  # noqa: S310 - the address is the deployment's setting
        urljoin(settings.MARKETPLACE_BREACH_SERVICE.rstrip("/") + "/", digest[:5]),
        headers={"Add-Padding": "true", "User-Agent": "remote-servers-marketplace"},
    )
    try:
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return _has_suffix(answer.read(4_000_000).decode("ascii", "replace").splitlines(), digest[5:])
    except (URLError, OSError, ValueError) as error:
        log.warning("the service of breached passwords did not answer: %s", error)
        return False


def _has_suffix(lines: Iterable[str], suffix: str) -> bool:
    """Lines of padding have a count of 0."""
    for line in lines:
        listed, _, count = line.partition(":")
        if listed.strip().upper() == suffix and count.strip() != "0":
            return True
    return False
