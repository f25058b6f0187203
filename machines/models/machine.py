"""Machines and the nodes of a cluster."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Count, F, Max, Min, Q
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from accounts.models import User
from common.ids import uuid7
from machines.models.gpu import GPUModel


def default_turnaround() -> timedelta:
    return timedelta(seconds=settings.MARKETPLACE_TURNAROUND.total_seconds())


class MachineKind(models.TextChoices):
    SINGLE = "single", _("Single server")
    CLUSTER = "cluster", _("Cluster of nodes")


class AccessKind(models.TextChoices):
    """Who lets the buyer in and erases the machine afterwards: :mod:`bookings.access` has one class for each."""

    MANUAL = "manual", _("By the provider, by hand")
    AGENT = "agent", _("By the agent: an account on the machine")
    CONTAINER = "container", _("By the agent: a container with the GPUs")

    @property
    def is_automatic(self) -> bool:
        return self != AccessKind.MANUAL


class AgentStatus(models.TextChoices):
    ONLINE = "online", _("Online")
    OFFLINE = "offline", _("Offline")


class MachineQuerySet(models.QuerySet["Machine"]):
    def of(self, user: User) -> "MachineQuerySet":
        """The machines this person provides."""
        return self.filter(provider=user)

    def with_summary(self) -> "MachineQuerySet":
        """With what a list of machines shows beside each: GPU model, listings, verified benchmark."""
        return self.select_related("gpu", "verified_benchmark").prefetch_related("listings", "nodes")

    # Bookings stand above machines and cannot be imported here: ``bookings`` is what their foreign key to a machine
    # calls itself on this side. What is asked of them are the moments that they passed, never their statuses.

    def in_quarantine(self) -> "MachineQuerySet":
        """Those on which nothing starts before the erasure after a booking is shown."""
        return self.filter(bookings__wipe_opened_at__isnull=False, bookings__wiped_at=None).distinct()

    def with_calendar(self, *, now: datetime) -> "MachineQuerySet":
        """With ``unwiped`` (bookings that wait for their wipe), ``used_until`` and ``booked_from`` (the next paid one)."""
        is_live = Q(bookings__canceled_at=None, bookings__completed_at=None)
        return self.annotate(
            unwiped=Count("bookings", filter=Q(bookings__wipe_opened_at__isnull=False, bookings__wiped_at=None)),
            used_until=Max(
                "bookings__end",
                filter=is_live & Q(bookings__started_at__isnull=False, bookings__wipe_opened_at=None),
            ),
            booked_from=Min(
                "bookings__start",
                filter=is_live
                & Q(bookings__paid_at__isnull=False, bookings__started_at=None, bookings__start__gte=now),
            ),
        )


class Machine(models.Model):
    """A physical server, or a cluster of them that is booked as one (logical model 1.2).

    For a cluster, ``gpu_count``, ``cpu_cores``, ``ram_gb`` and ``disk_size_gb`` are the sums over its nodes.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="hardware_id")
    provider = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="machines", db_column="customer_id"
    )
    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="machines",
        help_text="Whose it is, where not the provider's own: the provider is its owner then.",
    )
    name = models.CharField(max_length=80, help_text=_("Your own name for it. Buyers see it too."))
    kind = models.CharField(max_length=10, choices=MachineKind.choices, default=MachineKind.SINGLE)
    gpu_model = models.CharField(_("GPU model"), max_length=80, blank=True, help_text=_("Empty for a CPU server."))
    gpu = models.ForeignKey(
        GPUModel,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="machines",
        db_column="gpu_model_id",
        verbose_name=_("GPU model's data sheet"),
    )
    gpu_count = models.PositiveIntegerField(_("GPUs"), default=0)
    gpu_memory_gb = models.PositiveIntegerField(_("memory of each GPU, GB"), default=0)
    cpu_model = models.CharField(_("CPU model"), max_length=120)
    cpu_cores = models.PositiveIntegerField(_("CPU cores"), validators=[MinValueValidator(1)])
    ram_gb = models.PositiveIntegerField(_("RAM, GB"), validators=[MinValueValidator(1)])
    disk_type = models.CharField(max_length=20, default="NVMe")
    disk_size_gb = models.PositiveIntegerField(_("disk, GB"), validators=[MinValueValidator(1)])
    network_bandwidth = models.CharField(max_length=40, help_text=_("As in “10 Gbps”."))
    network_mbps = models.PositiveIntegerField(_("download, Mbit/s"), null=True, blank=True)
    os = models.CharField(_("operating system"), max_length=80)
    country = CountryField(blank=True)
    region = models.CharField(max_length=80, blank=True)
    access_kind = models.CharField(max_length=20, choices=AccessKind.choices, default=AccessKind.MANUAL)
    ssh_host = models.CharField(
        _("address buyers log in to"),
        max_length=253,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9.:\-]+\Z", _("A host name or an IP address, nothing else."))],
        help_text=_("Empty: the address that the agent calls from."),
    )
    ssh_port = models.PositiveIntegerField(
        _("SSH port"), default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    container_image = models.CharField(
        max_length=200, blank=True, help_text=_("For access by container, as in docker.io/library/ubuntu:24.04.")
    )
    provider_agent_status = models.CharField(
        max_length=10, choices=AgentStatus.choices, default=AgentStatus.OFFLINE, editable=False
    )
    health_indicators = models.JSONField(default=dict, blank=True, editable=False)
    reliability = models.FloatField(
        "share of the last 30 days online", null=True, blank=True, editable=False, help_text="0 to 1."
    )
    turnaround = models.DurationField(
        default=default_turnaround, help_text="Time after each booking in which the machine is wiped."
    )
    verified_benchmark = models.ForeignKey(
        "machines.Benchmark",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The newest approved one; kept by the services that approve and reject.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MachineQuerySet.as_manager()

    class Meta:
        db_table = "machines"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=MachineKind.values), name="machines_kind_known"),
            models.CheckConstraint(
                condition=Q(provider_agent_status__in=AgentStatus.values), name="machines_agent_status_known"
            ),
            models.CheckConstraint(
                condition=Q(reliability__isnull=True) | Q(reliability__gte=0, reliability__lte=1),
                name="machines_reliability_is_a_share",
            ),
            models.CheckConstraint(condition=Q(access_kind__in=AccessKind.values), name="machines_access_kind_known"),
            models.CheckConstraint(condition=Q(turnaround__gte=timedelta(0)), name="machines_turnaround_positive"),
            models.CheckConstraint(condition=Q(gpu_count=0) | Q(gpu_memory_gb__gt=0), name="machines_gpus_have_memory"),
        ]
        indexes = [
            models.Index(fields=["provider", "name"], name="machines_of_provider"),
            models.Index(fields=["gpu", "gpu_count"], name="machines_by_gpu"),
            models.Index(fields=["country"], name="machines_by_country"),
            models.Index(F("reliability").desc(nulls_last=True), name="machines_by_reliability"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """As a row of results names it: ``8 × H100 SXM`` or ``AMD EPYC 7742``."""
        if self.awaits_inventory:
            return self.name
        return f"{self.gpu_count} × {self.gpu_model}" if self.gpu_count else self.cpu_model

    @property
    def awaits_inventory(self) -> bool:
        """Added with the agent, which has not read yet what it consists of."""
        return not self.cpu_cores and not self.ram_gb

    @property
    def is_cluster(self) -> bool:
        return self.kind == MachineKind.CLUSTER

    @property
    def has_been_booked(self) -> bool:
        """Whether there is any booking of it, of whatever state (the relation's other side is in the app above)."""
        return bool(self.bookings.exists())

    @property
    def is_automatic(self) -> bool:
        """Handed over and erased by its agent."""
        return self.access_kind != AccessKind.MANUAL

    @property
    def is_reachable(self) -> bool:
        """A manual machine is handed over by a person; any other must have a living agent."""
        return self.access_kind == AccessKind.MANUAL or self.provider_agent_status == AgentStatus.ONLINE


class Node(models.Model):
    """One server of a cluster."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="nodes", db_column="hardware_id")
    name = models.CharField(max_length=80)
    gpu_count = models.PositiveIntegerField(_("GPUs"), default=0)
    cpu_cores = models.PositiveIntegerField(_("CPU cores"), validators=[MinValueValidator(1)])
    ram_gb = models.PositiveIntegerField(_("RAM, GB"), validators=[MinValueValidator(1)])
    disk_size_gb = models.PositiveIntegerField(_("disk, GB"), validators=[MinValueValidator(1)])

    class Meta:
        db_table = "nodes"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["machine", "name"], name="nodes_name_once_a_machine")]

    def __str__(self) -> str:
        return self.name
