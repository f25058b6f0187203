"""Adding a machine and correcting its facts, single servers and clusters alike."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from machines.models import AccessKind, Agent, GPUModel, Machine, MachineKind, Node
from machines.services.busy import is_busy
from machines.services.errors import MachineError
from machines.services.silence import no_longer_watched

MOST_NODES = 64
LONGEST_TURNAROUND = timedelta(days=1)

#: What a benchmark was measured on: it stays as it is while an approved one rests on it.
MEASURED = ("gpu", "gpu_model", "gpu_count", "gpu_memory_gb")

IN_USE = _(
    "A booking runs on this machine, or its erasure is not shown yet: whoever let the buyer in ends it. "
    "How it is handed over can be changed after that."
)

LOCKED = _(
    "The verified benchmark was measured on these GPUs, so they stay as they are. "
    "Other GPUs make another machine: add it as a new one."
)


@dataclass(frozen=True)
class NodeFacts:
    """One server of a cluster, as its provider describes it."""

    name: str
    gpu_count: int
    cpu_cores: int
    ram_gb: int
    disk_size_gb: int


def like(first: NodeFacts, quantity: int) -> list[NodeFacts]:
    """``quantity`` nodes of one kind: ``gpu`` × 3 makes ``gpu-01``, ``gpu-02``, ``gpu-03``."""
    if quantity == 1:
        return [first]
    width = max(2, len(str(quantity)))
    return [NodeFacts(**{**vars(first), "name": f"{first.name}-{n:0{width}}"}) for n in range(1, quantity + 1)]


def sums(nodes: Iterable[NodeFacts]) -> dict[str, int]:
    """What the nodes have together: a cluster's own columns."""
    nodes = list(nodes)
    return {
        field: sum(getattr(node, field) for node in nodes)
        for field in ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")
    }


@transaction.atomic
def add_machine(*, provider: User, kind: str, facts: Mapping[str, Any], nodes: Sequence[NodeFacts] = ()) -> Machine:
    """Keep a new machine. ``facts``: columns of :class:`Machine`; a cluster's sums come from its nodes.

    Raises:
        MachineError: the facts do not fit together.
    """
    values = _complete(kind, facts, nodes)
    machine = Machine.objects.create(provider=provider, kind=kind, **values)
    _write_nodes(machine, nodes)
    return machine


@transaction.atomic
def update_machine(
    *, machine: Machine, facts: Mapping[str, Any], nodes: Sequence[NodeFacts] = (), now: datetime | None = None
) -> Machine:
    """Correct what is known of a machine. Bookings already made are not touched: each keeps its own turnaround too.

    Raises:
        MachineError: the facts do not fit together, or a verified benchmark rests on what would change.
    """
    row = Machine.objects.select_for_update(no_key=True).get(pk=machine.pk)
    values = _complete(row.kind, facts, nodes, find_sheet=row.verified_benchmark_id is None)
    changed = [field for field, value in values.items() if getattr(row, field) != value]
    if row.verified_benchmark_id is not None and (locked := _measured(row, changed)):
        raise MachineError(str(LOCKED), field=locked[0])
    if "access_kind" in changed and is_busy(row):
        raise MachineError(str(IN_USE), field="access_kind")
    for field in changed:
        setattr(row, field, values[field])
    if changed:
        row.save(update_fields=[*changed, "updated_at"])
    if "access_kind" in changed and row.access_kind == AccessKind.MANUAL:
        no_longer_watched(machine=row, now=now or timezone.now())
    if row.kind == MachineKind.CLUSTER:
        _write_nodes(row, nodes)
    return row


def _measured(machine: Machine, changed: Collection[str]) -> list[str]:
    """Those of the changed columns that a benchmark rests on. A data sheet that got a new name is still the same."""
    renamed = machine.gpu_id is not None and "gpu" not in changed
    return [field for field in MEASURED if field in changed and not (renamed and field == "gpu_model")]


def _complete(
    kind: str, facts: Mapping[str, Any], nodes: Sequence[NodeFacts], *, find_sheet: bool = True
) -> dict[str, Any]:
    """The facts with what follows from them: a cluster's sums, the GPU's name and memory from its data sheet.

    ``find_sheet``: a model that is typed by a name we know gets its data sheet, so that nobody types around it.
    """
    values = dict(facts)
    _check_turnaround(values.get("turnaround"))
    if kind == MachineKind.CLUSTER:
        check_node_names(nodes)
        values |= sums(nodes)
    if not values.get("gpu_count"):
        if kind == MachineKind.SINGLE and (values.get("gpu") or values.get("gpu_model")):
            raise MachineError(gettext("Say how many of these GPUs there are."), field="gpu_count")
        return values | {"gpu": None, "gpu_model": "", "gpu_count": 0, "gpu_memory_gb": 0}
    if find_sheet and not values.get("gpu"):
        values["gpu"] = _sheet_named(values.get("gpu_model", ""))
    sheet = values.get("gpu")
    if sheet is not None:
        values["gpu_model"] = sheet.name
        values["gpu_memory_gb"] = values.get("gpu_memory_gb") or sheet.memory_gb
    if not values.get("gpu_model"):
        raise MachineError(gettext("Say which GPUs these are."), field="gpu")
    if not values.get("gpu_memory_gb"):
        raise MachineError(gettext("Say how much memory each GPU has."), field="gpu_memory_gb")
    return values


def _sheet_named(name: str) -> GPUModel | None:
    name = name.strip()
    return GPUModel.objects.filter(Q(name__iexact=name) | Q(aliases__contains=[name])).order_by("name").first()


def _check_turnaround(turnaround: timedelta | None) -> None:
    if turnaround is not None and not settings.MARKETPLACE_TURNAROUND <= turnaround <= LONGEST_TURNAROUND:
        least, most = (
            length // timedelta(minutes=1) for length in (settings.MARKETPLACE_TURNAROUND, LONGEST_TURNAROUND)
        )
        raise MachineError(
            gettext("The turnaround takes %(least)d to %(most)d minutes.") % {"least": least, "most": most},
            field="turnaround",
        )


def check_node_names(nodes: Sequence[NodeFacts]) -> None:
    """
    Raises:
        MachineError: there are none or too many, or two of them have one name.
    """
    if not 1 <= len(nodes) <= MOST_NODES:
        raise MachineError(
            gettext("A cluster has 1 to %(most)d nodes; these are %(count)d.")
            % {"most": MOST_NODES, "count": len(nodes)},
            field="nodes",
        )
    if twice := _twice(node.name for node in nodes):
        raise MachineError(
            gettext("Two nodes are called %(names)s. Each needs a name of its own.")
            % {"names": ", ".join(sorted(twice))},
            field="nodes",
        )


def _twice(names: Iterable[str]) -> Collection[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


def _write_nodes(machine: Machine, nodes: Sequence[NodeFacts]) -> None:
    """Make the machine's nodes these, told apart by their names.

    Raises:
        MachineError: a node that would go has an agent.
    """
    before = {node.name: node for node in machine.nodes.all()}
    gone = set(before) - {node.name for node in nodes}
    held = Agent.objects.enrolled().filter(machine=machine, node__name__in=gone)
    if names := ", ".join(held.order_by("node__name").values_list("node__name", flat=True)):
        # It would be left without a server of its own.
        raise MachineError(
            gettext("%(names)s has an agent. Revoke it before you take the node away.") % {"names": names},
            field="nodes",
        )
    machine.nodes.exclude(name__in=[node.name for node in nodes]).delete()
    for facts in nodes:
        values = {field: value for field, value in vars(facts).items() if field != "name"}
        old = before.get(facts.name)
        if old is None:
            Node.objects.create(machine=machine, **vars(facts))
        elif any(getattr(old, field) != value for field, value in values.items()):
            Node.objects.filter(pk=old.pk).update(**values)
