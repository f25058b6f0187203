"""Adding an SSH key to a person's account."""

from django.db import IntegrityError, transaction

from accounts import ssh
from accounts.models import SSHKey, User


def add_key(*, user: User, text: str, name: str = "") -> SSHKey:
    """
    Raises:
        accounts.ssh.BadKey: the text is no usable public key, or the person has it already.
    """
    key = ssh.parse(text)
    try:
        with transaction.atomic():
            return SSHKey.objects.create(
                user=user,
                name=name or key.comment[:80] or key.key_type,
                public_key=key.line,
                key_type=key.key_type,
                fingerprint=key.fingerprint,
            )
    except IntegrityError as error:
        raise ssh.BadKey("You have added this key already.") from error
