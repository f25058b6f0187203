"""Recording benchmark runs and deciding whether they are believed."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import User
from accounts.outbox import written_for
from accounts.services.roles import require_administrator
from accounts.services.telling import tell
from common.formats import number
from machines.models import Benchmark, BenchmarkStatus, Listing, ListingStatus, Machine
from machines.models.benchmark import LEAST, MOST
from machines.services.claims import claim_differences, in_words
from machines.services.errors import MachineError
from machines.services.listed import note_listed

#: Figures may exceed the data sheet by this much: boost clocks differ a little from card to card.
TOLERANCE = 1.05
#: What was measured longer ago says little about the machine of today.
OLDEST = timedelta(days=2 * 365)


def out_of_bounds() -> str:
    """What is said of a value that is no measurement of anything."""
    return _("A measured value lies between %(least)s and %(most)s. Leave empty what was not measured.") % {
        "least": number(LEAST),
        "most": number(MOST),
    }


def physical_limits(machine: Machine) -> dict[str, float]:
    """The most TFLOPS that this machine's GPUs can reach by their data sheet, by benchmark field."""
    if machine.gpu is None:
        return {}
    sheet = {"gpu_throughput_fp32": machine.gpu.fp32_tflops, "gpu_throughput_fp16": machine.gpu.fp16_tflops}
    return {field: peak * machine.gpu_count for field, peak in sheet.items() if peak}


def check_plausible(machine: Machine, values: dict[str, Any]) -> None:
    """
    Raises:
        MachineError: a value is above what the GPUs can do at all.
    """
    for field, limit in physical_limits(machine).items():
        value = values.get(field)
        if value is not None and value > limit * TOLERANCE:
            raise MachineError(
                _("%(value)s TFLOPS is more than %(machine)s can reach (%(limit)s by the data sheet).")
                % {"value": f"{value:g}", "machine": machine.title, "limit": f"{limit:g}"},
                field=field,
            )


def check_moment(collected_at: datetime, *, now: datetime) -> None:
    """
    Raises:
        MachineError: it has not come yet, or is too long ago.
    """
    if collected_at > now:
        raise MachineError(_("This time has not come yet."), field="collected_at")
    if collected_at < now - OLDEST:
        raise MachineError(
            _("This is more than two years ago. Measure the machine as it is today."), field="collected_at"
        )


def check_bounds(values: dict[str, float | None]) -> None:
    """
    Raises:
        MachineError: a value is no measurement of anything: zero, negative, endless.
    """
    for field, value in values.items():
        if value is not None and not LEAST <= value <= MOST:
            raise MachineError(out_of_bounds(), field=field)


def record_benchmark(
    *, machine: Machine, source: str, collected_at: datetime, values: dict[str, Any], now: datetime
) -> Benchmark:
    """Keep a run as pending: nobody sees it as verified before an administrator has approved it.

    Raises:
        MachineError: a value is above the physical limit or none at all, or the time is no time of such a run.
    """
    check_moment(collected_at, now=now)
    check_bounds(values)
    check_plausible(machine, values)
    return Benchmark.objects.create(machine=machine, source=source, collected_at=collected_at, **values)


@transaction.atomic
def approve_benchmark(*, benchmark: Benchmark, by: User, now: datetime, reason: str = "") -> Benchmark:
    """Believe a run: it becomes the machine's verified figures. Approving twice is quiet.

    Raises:
        MachineError: it was rejected before, lies above the physical limit, or the machine is not what is claimed.
        NotAnAdministrator: ``by`` may not decide.
    """
    require_administrator(by)
    row = _lock(benchmark)
    if row.status == BenchmarkStatus.APPROVED:
        return row
    if row.status == BenchmarkStatus.REJECTED:
        raise MachineError("This run was rejected. The machine has to be measured again.")
    check_plausible(row.machine, {field: getattr(row, field) for field in physical_limits(row.machine)})
    if differences := claim_differences(row.machine):
        raise MachineError(in_words(differences))
    _decide(row, BenchmarkStatus.APPROVED, by=by, now=now, reason=reason)
    with written_for(row.machine.provider):
        subject = _("Your benchmark is verified: %(machine)s") % {"machine": row.machine.name}
        _tell(row, subject, [_("Buyers now see these figures as verified.")])
    return row


@transaction.atomic
def reject_benchmark(*, benchmark: Benchmark, by: User, now: datetime, reason: str) -> Benchmark:
    """Do not believe a run. A listing that rested on it is paused when no other approved run is left.

    Raises:
        MachineError: no reason is given.
        NotAnAdministrator: ``by`` may not decide.
    """
    require_administrator(by)
    row = _lock(benchmark)
    if row.status == BenchmarkStatus.REJECTED:
        return row
    if not reason.strip():
        raise MachineError("A rejection needs a reason that the provider can act on.", field="reason")
    _decide(row, BenchmarkStatus.REJECTED, by=by, now=now, reason=reason)
    if row.machine.verified_benchmark_id is None:
        # Whoever puts it on offer at this moment has the machine's row first, or waits for it and is refused.
        Listing.objects.filter(machine=row.machine, status=ListingStatus.ACTIVE).update(
            status=ListingStatus.PAUSED, updated_at=now
        )
        note_listed(machine_id=row.machine_id, now=now)
    tell_rejected(row)
    return row


def _lock(benchmark: Benchmark) -> Benchmark:
    """The run, locked after its machine: here and in :mod:`machines.services.listings` the machine comes first."""
    machine = Machine.objects.select_for_update(no_key=True).get(pk=benchmark.machine_id)
    row = Benchmark.objects.select_for_update().get(pk=benchmark.pk)
    row.machine = machine
    return row


def _decide(row: Benchmark, status: BenchmarkStatus, *, by: User, now: datetime, reason: str) -> None:
    row.status, row.decided_by, row.decided_at, row.reason = status, by, now, reason.strip()
    row.save(update_fields=["status", "decided_by", "decided_at", "reason"])
    row.machine.verified_benchmark = row.machine.benchmarks.approved().order_by("-collected_at").first()
    row.machine.save(update_fields=["verified_benchmark", "updated_at"])


def tell_rejected(row: Benchmark) -> None:
    """Say to the provider that a run is not believed, and why."""
    with written_for(row.machine.provider):
        subject = _("Your benchmark was rejected: %(machine)s") % {"machine": row.machine.name}
        _tell(row, subject, [_("Reason: %(reason)s") % {"reason": row.reason}, _("Measure the machine again.")])


def _tell(row: Benchmark, subject: str, paragraphs: list[str]) -> None:
    tell(
        user=row.machine.provider,
        event=EventKind.BENCHMARKED,
        key=f"benchmark-{row.status}:{row.pk}",
        subject=subject,
        paragraphs=paragraphs,
        action=(_("Open the machine"), f"/machines/{row.machine_id}/"),
        organization=row.machine.organization,
        about={"machine": str(row.machine_id), "benchmark": str(row.pk)},
    )
