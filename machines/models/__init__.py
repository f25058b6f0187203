"""What: GPU models, machines and their nodes, agents, benchmarks, listings, health."""

from machines.models import tracked  # noqa: F401  # history: its triggers, and the tables that they write
from machines.models.agent import (
    OPEN,
    Agent,
    EnrollmentCode,
    Refusal,
    Report,
    Work,
    WorkKind,
    WorkState,
)
from machines.models.benchmark import Benchmark, BenchmarkStatus, Challenge
from machines.models.gpu import GPUModel
from machines.models.health import (
    MEASURES,
    HealthHour,
    HealthSample,
    ListedPeriod,
    MaintenanceWindow,
    Outage,
    PlatformOutage,
    PlatformPulse,
    ReliabilityDebit,
)
from machines.models.listing import UNVERIFIED, CancellationTerms, Listing, ListingQuerySet, ListingStatus
from machines.models.machine import AccessKind, AgentStatus, Machine, MachineKind, Node
from machines.models.passport import HardwarePassport

__all__ = [
    "MEASURES",
    "OPEN",
    "UNVERIFIED",
    "AccessKind",
    "Agent",
    "AgentStatus",
    "Benchmark",
    "BenchmarkStatus",
    "CancellationTerms",
    "Challenge",
    "EnrollmentCode",
    "GPUModel",
    "HardwarePassport",
    "HealthHour",
    "HealthSample",
    "ListedPeriod",
    "Listing",
    "ListingQuerySet",
    "ListingStatus",
    "Machine",
    "MachineKind",
    "MaintenanceWindow",
    "Node",
    "Outage",
    "PlatformOutage",
    "PlatformPulse",
    "Refusal",
    "ReliabilityDebit",
    "Report",
    "Work",
    "WorkKind",
    "WorkState",
]
