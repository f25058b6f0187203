"""Names of people and organizations. They go into mails to strangers: they are names, not advertisements."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

ADDRESS = re.compile(r"://|\bwww\.", re.IGNORECASE)


def has_address(name: str) -> bool:
    """Whether a web address stands in it."""
    return bool(ADDRESS.search(name))


def no_address(name: str) -> None:
    """For the fields of forms.

    Raises:
        ValidationError: a web address stands in it.
    """
    if has_address(name):
        raise ValidationError(_("A name holds no web address."))
