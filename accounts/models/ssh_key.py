"""The public keys that let people into booked machines."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.organization import Organization
from accounts.models.user import User
from common.ids import uuid7


class SSHKey(models.Model):
    """A public key that is let into booked machines. Checked by :mod:`accounts.ssh` before it is stored.

    A person's is let into what they book, an organization's into everything that is booked for it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="ssh_keys")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="ssh_keys"
    )
    added_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="Of an organization's key."
    )
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
            models.UniqueConstraint(fields=["organization", "fingerprint"], name="ssh_keys_once_an_organization"),
            models.CheckConstraint(
                condition=Q(user__isnull=False, organization=None) | Q(user=None, organization__isnull=False),
                name="ssh_keys_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint}"

    @property
    def is_of_organization(self) -> bool:
        return self.organization_id is not None
