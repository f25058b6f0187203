"""How the buyer gets into the machine."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings.models.booking import Booking
from common.ids import uuid7


class Access(models.Model):
    """Where to log in, as whom, and the host key to expect. Shown to the buyer while the booking is active."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.OneToOneField(Booking, on_delete=models.CASCADE, related_name="access", db_column="booking_id")
    host = models.CharField(
        max_length=253,
        validators=[RegexValidator(r"^[A-Za-z0-9.:\-]+\Z", _("A host name or an IP address, nothing else."))],
    )
    port = models.PositiveIntegerField(default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)])
    username = models.CharField(
        "account",
        max_length=32,
        validators=[RegexValidator(r"^[a-z_][a-z0-9_-]*\Z", _("Small letters, digits, “-” and “_”."))],
    )
    host_key_fingerprint = models.CharField(
        max_length=80,
        validators=[
            RegexValidator(r"^SHA256:[A-Za-z0-9+/]{43}\Z", _("As ssh-keygen -l prints it: SHA256: and 43 signs."))
        ],
    )
    note = models.TextField(max_length=2000, blank=True, help_text=_("Anything the buyer needs to know to get in."))
    ready_at = models.DateTimeField(default=timezone.now)
    nodes = models.JSONField(
        default=list,
        blank=True,
        help_text="The further nodes of a cluster: [{node, host, port, host_key_fingerprint}].",
    )

    class Meta:
        db_table = "booking_accesses"
        verbose_name_plural = "accesses"

    def __str__(self) -> str:
        return self.command

    @property
    def command(self) -> str:
        return self._command(self.host, self.port)

    @property
    def further(self) -> list[dict[str, str]]:
        """The other nodes of a cluster: ``node``, ``command``, ``host_key_fingerprint``, ``comment``."""
        return [
            {
                **node,
                "command": self._command(node["host"], node["port"]),
                "comment": f"{node['node']}: {node['host_key_fingerprint']}",
            }
            for node in self.nodes
        ]

    def _command(self, host: str, port: int) -> str:
        return f"ssh {f'-p {port} ' if port != 22 else ''}{self.username}@{host}"
