"""The public keys that let people into booked machines."""

from django.db import models
from django.utils import timezone

from accounts.models.user import User
from common.ids import uuid7


class SSHKey(models.Model):
    """A public key that lets its owner into booked machines. Checked by :mod:`accounts.ssh` before it is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ssh_keys")
    name = models.CharField(max_length=80)
    public_key = models.TextField(help_text="One line as in id_ed25519.pub, without the comment.")
    key_type = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=80, help_text="SHA-256, as ssh-keygen -l prints it.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ssh_keys"
        verbose_name = "SSH key"
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "fingerprint"], name="ssh_keys_once_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint}"
