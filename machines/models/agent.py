"""Agents: the programs on providers' servers, how they came to be known, and what they said that was not believed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from machines.models.machine import AgentStatus, Machine, Node


class AgentQuerySet(models.QuerySet["Agent"]):
    def enrolled(self) -> "AgentQuerySet":
        """Those that still count: not revoked, not unenrolled."""
        return self.filter(revoked_at=None)

    def gone_silent(self, *, now: datetime) -> "AgentQuerySet":
        """Said to be online, and not heard of for too long (rules: What, 90 seconds)."""
        return self.enrolled().filter(
            status=AgentStatus.ONLINE, last_heartbeat_at__lt=now - settings.MARKETPLACE_AGENT_SILENCE
        )


class Agent(models.Model):
    """One installation of the agent on one server: a machine has one, a cluster one for each of its nodes.

    Tokens are kept as SHA-256 only. ``sequence`` is that of the newest signed message that was believed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="agents", db_column="hardware_id")
    node = models.ForeignKey(Node, on_delete=models.SET_NULL, null=True, blank=True, related_name="agents")
    public_key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=80)
    token_hash = models.CharField(max_length=64, unique=True)
    next_token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True)
    token_made_at = models.DateTimeField(default=timezone.now)
    sequence = models.BigIntegerField(default=0)
    version = models.CharField(max_length=40, blank=True)
    hostname = models.CharField(max_length=253, blank=True)
    address = models.GenericIPAddressField("address it calls from", null=True, blank=True)
    status = models.CharField(max_length=10, choices=AgentStatus.choices, default=AgentStatus.OFFLINE)
    last_heartbeat_at = models.DateTimeField(null=True, blank=True)
    boot_id = models.CharField(max_length=64, blank=True)
    health = models.JSONField(default=dict, blank=True)
    inventory = models.JSONField(default=dict, blank=True)
    inventory_at = models.DateTimeField(null=True, blank=True)
    self_test = models.JSONField(default=list, blank=True, help_text="The checks, as the protocol writes them.")
    self_test_at = models.DateTimeField(null=True, blank=True)
    is_simulated = models.BooleanField(default=False, help_text="Made up by demo_fleet: no machine is behind it.")
    enrolled_at = models.DateTimeField(default=timezone.now)
    enrolled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    revoked_because = models.CharField(max_length=200, blank=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        db_table = "agents"
        ordering = ["-enrolled_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["machine", "node"],
                condition=Q(revoked_at=None),
                nulls_distinct=False,
                name="agents_one_a_server",
            ),
            models.CheckConstraint(condition=Q(status__in=AgentStatus.values), name="agents_status_known"),
        ]
        # None on what a heartbeat changes: PostgreSQL then writes a new row and touches no index at all.

    def __str__(self) -> str:
        return f"{self.machine.name}{f' / {self.node.name}' if self.node else ''}"

    @property
    def is_online(self) -> bool:
        return self.revoked_at is None and self.status == AgentStatus.ONLINE

    @property
    def host_keys_changed_at(self) -> datetime | None:
        """When an inventory came with other SSH host keys than the one before."""
        at = self.inventory.get("host_keys_changed_at")
        return datetime.fromisoformat(at) if at else None

    @property
    def node_name(self) -> str:
        return self.node.name if self.node else ""


class EnrollmentCode(models.Model):
    """A one-time code with which one server becomes known. Kept as SHA-256 only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="enrollment_codes")
    node = models.ForeignKey(Node, on_delete=models.CASCADE, null=True, blank=True, related_name="enrollment_codes")
    code_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    agent = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="enrollment_codes")

    class Meta:
        db_table = "enrollment_codes"
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.machine.name}, until {self.expires_at:%Y-%m-%d %H:%M} UTC"

    def is_open(self, *, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


class Report(models.Model):
    """A signed message that was believed, as it came: what every claim can be traced back to. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="reports")
    work = models.ForeignKey("machines.Work", on_delete=models.PROTECT, null=True, blank=True, related_name="reports")
    kind = models.CharField(max_length=20)
    sequence = models.BigIntegerField()
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    message = models.TextField(help_text="The very text that is signed.")
    signature = models.TextField(help_text="SSHSIG, namespace rsm-report, by the agent's key.")

    class Meta:
        db_table = "agent_reports"
        ordering = ["-received_at"]
        constraints = [models.UniqueConstraint(fields=["agent", "sequence"], name="agent_reports_sequence_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.sequence}"


class Refusal(models.Model):
    """A message of an agent, or in an agent's name, that was refused. The administrator looks at these."""

    class Code(models.TextChoices):
        BAD_SIGNATURE = "bad_signature", "The signature is not by the machine's key"
        BAD_TIME = "bad_time", "Signed too long ago, or in the future"
        BAD_SEQUENCE = "bad_sequence", "Replayed, or out of order"
        BAD_NONCE = "bad_nonce", "Answers something that was not asked"
        NOT_YOURS = "not_yours", "Speaks for another machine"
        REVOKED = "revoked", "The agent is revoked"
        BAD_CODE = "bad_code", "The enrollment code is wrong, used or expired"
        UNAUTHORIZED = "unauthorized", "No such token"
        MALFORMED = "malformed", "Not as the protocol says"
        IMPLAUSIBLE = "implausible", "Says what cannot be"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="refusals")
    at = models.DateTimeField(default=timezone.now)
    code = models.CharField(max_length=20, choices=Code.choices)
    detail = models.CharField(max_length=500, blank=True)
    path = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    excerpt = models.CharField(max_length=500, blank=True, help_text="How the message began.")

    class Meta:
        db_table = "agent_refusals"
        ordering = ["-at"]
        indexes = [models.Index(fields=["agent", "-at"], name="agent_refusals_of_agent")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.code}"


class WorkKind(models.TextChoices):
    PROVISION = "provision", _("Let the buyer in")
    REVOKE = "revoke", _("Lock the buyer out")
    WIPE = "wipe", _("Erase")
    BENCHMARK = "benchmark", _("Measure")
    INVENTORY = "inventory", _("Look at the hardware")


class WorkState(models.TextChoices):
    WAITING = "waiting", _("Waiting for the agent")
    LEASED = "leased", _("The agent is at it")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("No longer wanted")

    @property
    def tone(self) -> str:
        return {"waiting": "warn", "leased": "warn", "done": "good", "failed": "bad", "canceled": "soft"}[self.value]


#: Not finished yet.
OPEN = (WorkState.WAITING, WorkState.LEASED)


class WorkQuerySet(models.QuerySet["Work"]):
    def open(self) -> "WorkQuerySet":
        return self.filter(state__in=OPEN)

    def due(self, *, now: datetime) -> "WorkQuerySet":
        """To be handed out: waiting for its time, or leased to an agent that has let the lease run out."""
        return self.filter(
            Q(state=WorkState.WAITING, not_before__lte=now) | Q(state=WorkState.LEASED, lease_until__lte=now)
        )


class Work(models.Model):
    """A piece of work for one agent. Handed out on a lease, again and again until it is reported; done once.

    ``key`` says what it is for, so that asking twice makes one: ``provision:<booking>:<agent>:<n>``.
    ``booking_id`` names the booking; bookings stand above machines, so it is no foreign key.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="work")
    kind = models.CharField(max_length=12, choices=WorkKind.choices)
    key = models.CharField(max_length=160, unique=True)
    booking_id = models.UUIDField(null=True, blank=True)
    payload = models.JSONField(default=dict)
    nonce = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=WorkState.choices, default=WorkState.WAITING)
    attempt = models.PositiveIntegerField(default=0, help_text="How often it has been handed out.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    leased_at = models.DateTimeField(null=True, blank=True, help_text="When it was first handed out.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=1000, blank=True)
    result = models.JSONField(default=dict, blank=True)

    objects = WorkQuerySet.as_manager()

    class Meta:
        db_table = "agent_work"
        ordering = ["-created_at"]
        verbose_name_plural = "work"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=WorkState.values), name="agent_work_state_known"),
            models.CheckConstraint(condition=Q(kind__in=WorkKind.values), name="agent_work_kind_known"),
            models.CheckConstraint(
                condition=~Q(state="leased") | Q(lease_until__isnull=False), name="agent_work_leased_until"
            ),
        ]
        indexes = [
            models.Index(
                fields=["agent", "not_before"], condition=Q(state__in=["waiting", "leased"]), name="agent_work_open"
            ),
            models.Index(fields=["booking_id"], condition=Q(booking_id__isnull=False), name="agent_work_of_booking"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display().lower()}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def tone(self) -> str:
        return WorkState(self.state).tone

    @property
    def waited(self) -> timedelta | None:
        """From being handed out first to being finished."""
        return self.finished_at - self.leased_at if self.finished_at and self.leased_at else None
