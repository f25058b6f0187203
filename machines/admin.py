"""Machines, their measurements and their offers, as platform administrators see them."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, Max, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from common import formats
from common.administration import EditedAdmin, ShownAdmin, ShownInline, decide, for_each, linked, links_to
from machines import admin_agents  # noqa: F401 registers its rows
from machines.forms import SUMMED, ListingForm, turnaround_field
from machines.models import Benchmark, GPUModel, Listing, Machine, Node
from machines.services.benchmarks import approve_benchmark, physical_limits, reject_benchmark
from machines.services.listings import (
    activate_listing,
    archive_listing,
    missing_for_activation,
    pause_listing,
)
from machines.services.machines import MEASURED
from machines.services.measuring import ask_for_benchmark, challenge_provider

#: How each measured value is written.
VALUES = {
    "gpu_throughput_fp16": formats.tflops,
    "gpu_throughput_fp32": formats.tflops,
    "cpu_score": lambda value: formats.number(value, "events/s"),
    "disk_read_mb_s": lambda value: formats.number(value, "MB/s"),
    "disk_write_mb_s": lambda value: formats.number(value, "MB/s"),
    "network_bandwidth_gbps": formats.gbps,
}


@admin.register(GPUModel)
class GPUModelAdmin(EditedAdmin):
    list_display = ["name", "manufacturer", "architecture", "memory_gb", "fp16_tflops", "fp32_tflops", "used_by"]
    list_filter = ["manufacturer", "architecture"]
    search_fields = ["name", "slug", "manufacturer", "architecture"]
    prepopulated_fields = {"slug": ["name"]}
    ordering = ["name"]
    readonly_fields = ["created_at", "updated_at"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(machine_count=Count("machines"))

    @admin.display(description="machines", ordering="machine_count")
    def used_by(self, gpu: Any) -> Any:
        return gpu.machine_count


class NodeInline(ShownInline):
    model = Node
    fields = ["name", "gpu_count", "cpu_cores", "ram_gb", "disk_size_gb"]
    show_change_link = False


class QuarantineFilter(admin.SimpleListFilter):
    title = "quarantine"
    parameter_name = "quarantine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Waits for a wipe")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.in_quarantine() if self.value() == "yes" else queryset


class MachineForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "turnaround" in self.fields:
            self.fields["turnaround"] = turnaround_field()


@admin.register(Machine)
class MachineAdmin(EditedAdmin):
    """A machine's facts. What a rule guards elsewhere is only looked at here."""

    form = MachineForm
    list_display = [
        "name",
        "title",
        "provider_link",
        "kind",
        "country",
        "has_verified_benchmark",
        "provider_agent_status",
        "updated_at",
    ]
    list_filter = ["kind", QuarantineFilter, "provider_agent_status", "access_kind", "gpu", "created_at"]
    list_select_related = ["provider", "gpu"]
    search_fields = ["name", "gpu_model", "cpu_model", "provider__email", "provider__organization_name"]
    date_hierarchy = "created_at"
    actions = ["measure", "challenge"]
    raw_id_fields = ["provider"]
    autocomplete_fields = ["gpu"]
    inlines = [NodeInline]
    provider_link = linked("provider")
    readonly_fields = [
        "id",
        "kind",
        "provider_agent_status",
        "reliability",
        "health_indicators",
        "verified_benchmark_link",
        "benchmark_links",
        "listing_links",
        "booking_links",
        "created_at",
        "updated_at",
    ]
    verified_benchmark_link = linked("verified_benchmark", "verified benchmark")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a machine is its provider's to add

    def get_readonly_fields(self, request: HttpRequest, obj: Machine | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        if obj is None:
            return fields
        if obj.verified_benchmark_id is not None:
            fields += MEASURED
        if obj.is_cluster:
            fields += [name for name in SUMMED if name not in fields]  # the sums over its nodes
        if obj.has_been_booked or obj.listings.on_offer().exists():
            fields.append("provider")  # somebody trusted this one, or is about to
        return fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="verified benchmark", boolean=True)
    def has_verified_benchmark(self, machine: Machine) -> bool:
        return machine.verified_benchmark_id is not None

    @admin.display(description="benchmarks")
    def benchmark_links(self, machine: Machine) -> SafeString | str:
        return links_to(machine.benchmarks.all()[:20])

    @admin.display(description="listings")
    def listing_links(self, machine: Machine) -> SafeString | str:
        return links_to(machine.listings.select_related("machine"))

    @admin.display(description="newest bookings")
    def booking_links(self, machine: Machine) -> SafeString | str:
        return links_to(machine.bookings.order_by("-start")[:20])

    @admin.action(description="Measure now", permissions=["change"])
    def measure(self, request: HttpRequest, queryset: QuerySet[Machine]) -> None:
        by = cast(User, request.user)
        for_each(
            self,
            request,
            list(queryset),
            lambda row: ask_for_benchmark(machine=row, by=by, now=timezone.now()),
            done="asked to measure themselves",
        )

    @admin.action(description="Challenge all machines of these providers now…", permissions=["change"])
    def challenge(self, request: HttpRequest, queryset: QuerySet[Machine]) -> HttpResponse | None:
        first_of_each = Machine.objects.filter(pk__in=queryset).order_by("provider", "pk").distinct("provider")
        return decide(
            self,
            request,
            Machine.objects.filter(pk__in=first_of_each.values("pk")).select_related("provider"),
            title="Measure all machines of these providers at the same moment",
            done="challenged",
            columns=["provider_link"],
            needs_reason=True,
            service=lambda row, reason, by: self._challenge(request, row, reason, by),
        )

    def _challenge(self, request: HttpRequest, machine: Machine, reason: str, by: Any) -> None:
        _, left_out = challenge_provider(provider=machine.provider, by=by, now=timezone.now(), reason=reason)
        if left_out:
            names = ", ".join(one.name for one in left_out)
            self.message_user(request, f"Left out, because a buyer is on them or a node has no agent: {names}.")


@admin.register(Benchmark)
class BenchmarkAdmin(ShownAdmin):
    """Every value beside what the GPUs can do by their data sheet, and what others of the model have shown."""

    list_display = [
        "collected_at",
        "machine_link",
        "provider_link",
        "status",
        "fp16",
        "fp32",
        "cpu_score",
        "disk_read_mb_s",
        "network_bandwidth_gbps",
    ]
    list_filter = ["status", "collected_at", "machine__gpu"]
    list_select_related = ["machine__provider", "machine__gpu"]
    search_fields = ["machine__name", "machine__gpu_model", "machine__provider__email", "source"]
    date_hierarchy = "collected_at"
    fields = [
        "machine_link",
        "provider_link",
        "comparison",
        "collected_at",
        "source",
        "is_simulated",
        "missing_because",
        "report_links",
        "challenge_link",
        "status",
        "reason",
        "decided_at",
        "decider_link",
    ]
    actions = ["approve", "reject", "measure_again"]
    machine_link = linked("machine")
    provider_link = linked("machine__provider")
    decider_link = linked("decided_by")
    challenge_link = linked("challenge")

    @admin.display(description="fp16, of the data sheet", ordering="gpu_throughput_fp16")
    def fp16(self, run: Benchmark) -> str:
        return self._beside_limit(run, "gpu_throughput_fp16")

    @admin.display(description="fp32, of the data sheet", ordering="gpu_throughput_fp32")
    def fp32(self, run: Benchmark) -> str:
        return self._beside_limit(run, "gpu_throughput_fp32")

    def _beside_limit(self, run: Benchmark, field: str) -> str:
        value, limit = getattr(run, field), physical_limits(run.machine).get(field)
        if value is None:
            return formats.NOTHING
        if limit is None:
            return f"{formats.tflops(value)}, no data sheet"
        return f"{formats.percent(value / limit)}, {formats.number(round(value))} of {formats.tflops(limit)}"

    @admin.display(description="measured")
    def comparison(self, run: Benchmark) -> SafeString:
        """Measured, the limit, the share of it, and the spread of approved runs of machines of this model."""
        limits, spread = physical_limits(run.machine), _spread(run)
        lines = []
        for field, write in VALUES.items():
            value, limit = getattr(run, field), limits.get(field)
            low, high = spread[f"{field}_low"], spread[f"{field}_high"]
            share = formats.percent(value / limit) if value is not None and limit else formats.NOTHING
            others = f"{write(low)} – {write(high)}" if low is not None else formats.NOTHING
            label = str(Benchmark._meta.get_field(field).verbose_name)  # type: ignore[union-attr]
            lines.append((label, write(value), write(limit), share, others))
        body = format_html_join("", "<tr><th scope=row>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html(
            "<table><thead><tr><th>Value</th><th>Measured</th><th>Data sheet</th><th>Share of it</th>"
            "<th>{} other approved runs of {}</th></tr></thead><tbody>{}</tbody></table>",
            spread["runs"],
            run.machine.title,
            body,
        )

    @admin.action(description="Approve…", permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Benchmark]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("machine__gpu", "machine__provider"),
            title="Approve these benchmarks",
            done="approved",
            columns=COLUMNS,
            needs_reason=False,
            service=lambda row, reason, by: approve_benchmark(benchmark=row, by=by, now=timezone.now(), reason=reason),
        )

    @admin.action(description="Reject…", permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Benchmark]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("machine__gpu", "machine__provider"),
            title="Reject these benchmarks",
            done="rejected",
            columns=COLUMNS,
            needs_reason=True,
            service=lambda row, reason, by: reject_benchmark(benchmark=row, by=by, now=timezone.now(), reason=reason),
        )

    @admin.action(description="Challenge: have them measured again now", permissions=["operate"])
    def measure_again(self, request: HttpRequest, queryset: QuerySet[Benchmark]) -> None:
        by = cast(User, request.user)
        for_each(
            self,
            request,
            list(queryset.select_related("machine")),
            lambda row: ask_for_benchmark(machine=row.machine, by=by, now=timezone.now()),
            done="to be measured again",
        )

    @admin.display(description="not measured, because")
    def missing_because(self, run: Benchmark) -> SafeString | str:
        return format_html_join(SafeString("<br>"), "{}: {}", run.reasons.items()) or formats.NOTHING

    @admin.display(description="signed reports")
    def report_links(self, run: Benchmark) -> SafeString | str:
        return links_to(run.reports.all())


COLUMNS = ["machine_link", "provider_link", "fp16", "fp32", "cpu_score", "disk_read_mb_s", "source", "status"]


def _spread(run: Benchmark) -> dict[str, Any]:
    """The least and the most that other approved runs of as many GPUs of the same model (or of the same CPU) show."""
    others = Benchmark.objects.approved().exclude(pk=run.pk).filter(machine__gpu_count=run.machine.gpu_count)
    if run.machine.gpu_count:
        others = others.filter(machine__gpu_model=run.machine.gpu_model)
    else:
        others = others.filter(machine__cpu_model=run.machine.cpu_model)
    bounds = {f"{field}_low": Min(field) for field in VALUES} | {f"{field}_high": Max(field) for field in VALUES}
    return others.aggregate(runs=Count("pk"), **bounds)


@admin.register(Listing)
class ListingAdmin(EditedAdmin):
    form = ListingForm
    list_display = [
        "machine_link",
        "provider_link",
        "status",
        "price_hour",
        "price_day",
        "price_week",
        "currency",
        "cancellation_terms",
        "updated_at",
    ]
    list_filter = ["status", "currency", "cancellation_terms", "created_at"]
    list_select_related = ["machine__provider"]
    search_fields = ["machine__name", "machine__gpu_model", "machine__provider__email", "description"]
    date_hierarchy = "created_at"
    readonly_fields = [
        "id",
        "machine_link",
        "provider_link",
        "status",
        "missing",
        "booking_links",
        "created_at",
        "updated_at",
    ]
    fields = [
        "id",
        "machine_link",
        "provider_link",
        "status",
        "missing",
        "currency",
        "price_hour",
        "price_day",
        "price_week",
        "min_hours",
        "max_hours",
        "max_ahead_days",
        "approval_hours",
        "cancellation_terms",
        "description",
        "booking_links",
        "created_at",
        "updated_at",
    ]
    actions = ["activate", "pause", "archive"]
    machine_link = linked("machine")
    provider_link = linked("machine__provider")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Listing | None = None) -> Any:
        return self.fields if obj and obj.is_archived else super().get_readonly_fields(request, obj)

    @admin.display(description="missing to go active")
    def missing(self, listing: Listing) -> str:
        return " ".join(missing_for_activation(listing)) or "Nothing."

    @admin.display(description="newest bookings")
    def booking_links(self, listing: Listing) -> SafeString | str:
        return links_to(listing.bookings.order_by("-start")[:20])

    @admin.action(description="Put on offer", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Listing]) -> None:
        rows = list(queryset.select_related("machine"))
        for_each(self, request, rows, lambda row: activate_listing(listing=row, now=timezone.now()), done="on offer")

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Listing]) -> None:
        rows = list(queryset.select_related("machine"))
        for_each(self, request, rows, lambda row: pause_listing(listing=row, now=timezone.now()), done="paused")

    @admin.action(description="Archive for good", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Listing]) -> None:
        rows = list(queryset.select_related("machine"))
        for_each(self, request, rows, lambda row: archive_listing(listing=row, now=timezone.now()), done="archived")
