"""What of machines history keeps: what people say about them, not what heartbeats do."""

from common.history.tracking import tracked
from machines.models.agent import Agent
from machines.models.benchmark import Benchmark
from machines.models.health import MaintenanceWindow
from machines.models.listing import Listing
from machines.models.machine import Machine, Node

MachineChange = tracked(
    Machine,
    "provider",
    "organization",
    "name",
    "kind",
    "gpu_model",
    "gpu_count",
    "gpu_memory_gb",
    "cpu_model",
    "cpu_cores",
    "ram_gb",
    "disk_type",
    "disk_size_gb",
    "network_bandwidth",
    "os",
    "country",
    "region",
    "access_kind",
    "ssh_host",
    "ssh_port",
    "container_image",
    "turnaround",
    "verified_benchmark",
    organization="organization",
    called="name",
)
NodeChange = tracked(
    Node,
    "name",
    "gpu_count",
    "cpu_cores",
    "ram_gb",
    "disk_size_gb",
    within="machine",
    organization="machine__organization",
    called="name",
)
ListingChange = tracked(
    Listing,
    "price_hour",
    "price_day",
    "price_week",
    "currency",
    "min_hours",
    "max_hours",
    "max_ahead_days",
    "approval_hours",
    "cancellation_terms",
    "description",
    "status",
    "suspended_at",
    "suspended_because",
    within="machine",
    organization="machine__organization",
    called="machine",
)
BenchmarkChange = tracked(
    Benchmark,
    "status",
    "collected_at",
    "requested_by",
    "decided_at",
    "decided_by",
    "reason",
    within="machine",
    organization="machine__organization",
    called="machine",
)
AgentChange = tracked(
    Agent,
    "node",
    "fingerprint",
    "version",
    "hostname",
    "status",
    "enrolled_at",
    "enrolled_by",
    "revoked_at",
    "revoked_by",
    "revoked_because",
    within="machine",
    organization="machine__organization",
    called="machine",
)
MaintenanceWindowChange = tracked(
    MaintenanceWindow,
    "kind",
    "start",
    "end",
    "note",
    "announced_by",
    "canceled_at",
    within="machine",
    organization="machine__organization",
    called="machine",
)
