"""What: GPU models, machines and their nodes, benchmarks, listings."""

from machines.models.benchmark import Benchmark, BenchmarkStatus
from machines.models.gpu import GPUModel
from machines.models.listing import CancellationTerms, Listing, ListingQuerySet, ListingStatus
from machines.models.machine import AccessKind, AgentStatus, Machine, MachineKind, Node

__all__ = [
    "AccessKind",
    "AgentStatus",
    "Benchmark",
    "BenchmarkStatus",
    "CancellationTerms",
    "GPUModel",
    "Listing",
    "ListingQuerySet",
    "ListingStatus",
    "Machine",
    "MachineKind",
    "Node",
]
