"""Forms of a machine's provider."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms import BaseFormSet, formset_factory
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.formats import money
from common.money import minor_unit
from machines.agent_forms import IMAGE, access_fields
from machines.models import AccessKind, Benchmark, GPUModel, Listing, Machine, MachineKind, Node
from machines.models.benchmark import LEAST, MOST, VALUES
from machines.models.listing import RATES, most_rate
from machines.services.benchmarks import check_moment, out_of_bounds
from machines.services.errors import MachineError
from machines.services.machines import LOCKED, LONGEST_TURNAROUND, MEASURED, MOST_NODES, NodeFacts, like

#: The most of one node, far beyond any that exists: their sums still fit into a column.
MOST_OF_A_NODE = {"gpu_count": 1_000, "cpu_cores": 10_000, "ram_gb": 1_000_000, "disk_size_gb": 10_000_000}
ROOM_FOR_NUMBER = 4
SUMMED = ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")
#: How buyers get in, and of that what single servers say alone.
ACCESS, SSH = ("access_kind", "container_image", "ssh_host", "ssh_port"), ("ssh_host", "ssh_port")
BY_HAND = "entered by the provider"
MINUTE = timedelta(minutes=1)


class MinutesField(forms.IntegerField):
    """A length of time, typed as a number of minutes."""

    def __init__(self, *, shortest: timedelta, longest: timedelta, **kwargs: Any) -> None:
        super().__init__(min_value=shortest // MINUTE, max_value=longest // MINUTE, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value // MINUTE if isinstance(value, timedelta) else value

    def clean(self, value: Any) -> Any:
        minutes = super().clean(value)
        return None if minutes is None else minutes * MINUTE

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


def turnaround_field() -> MinutesField:
    return MinutesField(
        label=_("Turnaround, minutes"),
        shortest=settings.MARKETPLACE_TURNAROUND,
        longest=LONGEST_TURNAROUND,
        help_text=_(
            "To erase it after each booking. Shown in the calendar, never billed. A change counts for bookings to come."
        ),
    )


class MachineForm(forms.ModelForm):  # type: ignore[type-arg]
    """The facts of a machine. A cluster's counts are its nodes', so it is not asked for them."""

    class Meta:
        model = Machine
        fields = [
            "name",
            "gpu",
            "gpu_model",
            "gpu_count",
            "gpu_memory_gb",
            "cpu_model",
            "cpu_cores",
            "ram_gb",
            "disk_type",
            "disk_size_gb",
            "network_bandwidth",
            "network_mbps",
            "os",
            "country",
            "region",
            "access_kind",
            "container_image",
            "ssh_host",
            "ssh_port",
            "turnaround",
        ]
        labels = {
            "name": _("Name"),
            "country": _("Country"),
            "gpu": _("GPU model"),
            "gpu_model": _("Another GPU model"),
            "network_bandwidth": _("Network"),
            "disk_type": _("Kind of disk"),
            "os": _("Operating system"),
            "region": _("Region or city"),
        }
        help_texts = {
            "gpu": _("None for a CPU server."),
            "gpu_model": _("Only if the list above does not have it."),
            "gpu_memory_gb": _("Empty: what the data sheet says."),
            "network_bandwidth": _("The link, as in “10 Gbps”."),
            "network_mbps": _("What a download from the internet really gets."),
            "os": _("As in “Ubuntu 24.04”, with the GPU driver's version."),
        }

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.fields["turnaround"] = turnaround_field()
        self._ask_for_access()
        gpu = self.fields["gpu"]
        gpu.queryset = GPUModel.objects.order_by("name")  # type: ignore[attr-defined]
        gpu.empty_label = _("None, or another")  # type: ignore[attr-defined]
        self.fields["gpu_memory_gb"].required = False
        if not self.instance.gpu_memory_gb:
            self.initial["gpu_memory_gb"] = None
        if self.instance.gpu_id is not None:
            self.initial["gpu_model"] = ""
        if kind == MachineKind.CLUSTER:
            for name in SUMMED:
                del self.fields[name]
        if self.instance.verified_benchmark_id is not None:
            for name in MEASURED:
                _lock(self.fields.get(name))

    def _ask_for_access(self) -> None:
        """Only of a machine that an agent hands over; who does it by hand says it booking by booking."""
        access = access_fields()
        for name in ACCESS:
            if self.instance.access_kind == AccessKind.MANUAL or (self.kind == MachineKind.CLUSTER and name in SSH):
                del self.fields[name]
            elif name in access:
                self.fields[name] = access[name]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("access_kind") == AccessKind.CONTAINER and not data.get("container_image"):
            data["container_image"] = IMAGE
        sheet, count = data.get("gpu"), data.get("gpu_count", self.instance.gpu_count)
        data["gpu_memory_gb"] = data.get("gpu_memory_gb") or (sheet.memory_gb if sheet else 0)
        if count and not sheet and not data.get("gpu_model"):
            self.add_error("gpu", gettext("Say which GPUs these are."))
        if count and not data["gpu_memory_gb"]:
            self.add_error("gpu_memory_gb", gettext("Say how much memory each GPU has."))
        return data

    def facts(self) -> dict[str, Any]:
        """What the services take."""
        return {name: self.cleaned_data[name] for name in self.fields}


def _lock(field: forms.Field | None) -> None:
    if field is not None:
        field.disabled = True
        field.required = False
        field.help_text = LOCKED


class NodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """One node of a cluster, or several alike."""

    quantity = forms.IntegerField(label=_("How many alike"), initial=1, min_value=1, max_value=MOST_NODES)

    class Meta:
        model = Node
        fields = ["name", "quantity", "gpu_count", "cpu_cores", "ram_gb", "disk_size_gb"]
        labels = {"name": _("Name")}

    field_order = ["name", "quantity"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, limit in MOST_OF_A_NODE.items():
            self.fields[name].validators.append(MaxValueValidator(limit))
            self.fields[name].widget.attrs["max"] = limit

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        longest = (Node._meta.get_field("name").max_length or 0) - ROOM_FOR_NUMBER
        if (data.get("quantity") or 1) > 1 and len(data.get("name", "")) > longest:
            self.add_error("name", gettext("With a number behind it, it may have %(most)d signs.") % {"most": longest})
        return data

    def nodes(self) -> list[NodeFacts]:
        values = {name: value for name, value in self.cleaned_data.items() if name in NodeFacts.__dataclass_fields__}
        return like(NodeFacts(**values), self.cleaned_data["quantity"])


class BaseNodeFormSet(BaseFormSet):  # type: ignore[type-arg]
    """The nodes of a cluster. Blank rows are left out; a row that is to be removed is too."""

    deletion_widget = forms.CheckboxInput

    def __init__(self, data: Any = None, *, initial: list[Any], existing: int, rows: int) -> None:
        """``existing``: the first so many are there already. ``rows``: how many blank ones to offer."""
        self.existing, self.extra = existing, rows
        super().__init__(data, initial=initial, prefix="nodes")

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].label = gettext("Remove")
        if index is not None and index < self.existing:
            form.fields["quantity"].widget = forms.HiddenInput()

    def nodes(self) -> list[NodeFacts]:
        kept = [form for form in self.forms if form.has_changed() or form in self.initial_forms]
        return [node for form in kept if form not in self.deleted_forms for node in form.nodes()]

    def clean(self) -> None:
        if any(self.errors):
            return
        if not self.nodes():
            raise forms.ValidationError(gettext("A cluster has at least one node. Describe the first one."))


NodeFormSet: type[BaseNodeFormSet] = cast(
    "type[BaseNodeFormSet]",
    formset_factory(
        NodeForm,
        formset=BaseNodeFormSet,
        can_delete=True,
        can_delete_extra=False,
        max_num=MOST_NODES,
        absolute_max=MOST_NODES,
        validate_max=True,
    ),
)


class BenchmarkForm(forms.ModelForm):  # type: ignore[type-arg]
    """A run that was measured by hand. What was not measured stays empty."""

    tool = forms.CharField(
        label=_("What measured it"),
        max_length=(Benchmark._meta.get_field("source").max_length or 0) - len(BY_HAND) - 2,
        help_text=_("The tools with their versions, as in “PyTorch 2.9 matmul, fio 3.36, iperf3 3.16”."),
    )

    class Meta:
        model = Benchmark
        fields = [*VALUES, "collected_at"]
        labels = {
            "collected_at": _("Measured at"),
            "gpu_throughput_fp16": _("GPUs together, fp16, TFLOPS"),
            "gpu_throughput_fp32": _("GPUs together, fp32, TFLOPS"),
        }
        widgets = {
            "collected_at": forms.DateTimeInput(attrs={"type": "datetime-local", "step": 60}, format="%Y-%m-%dT%H:%M")
        }

    def __init__(self, *args: Any, machine: Machine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in VALUES:
            limits = [MinValueValidator(LEAST, out_of_bounds()), MaxValueValidator(MOST, out_of_bounds())]
            self.fields[name].validators.extend(limits)
            self.fields[name].widget.attrs |= {"min": f"{LEAST:g}", "step": "any"}
        if not machine.gpu_count:
            del self.fields["gpu_throughput_fp16"], self.fields["gpu_throughput_fp32"]
        self.fields["collected_at"].help_text = gettext("In %(zone)s.") % {"zone": timezone.get_current_timezone_name()}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and all(data.get(name) is None for name in VALUES):
            raise forms.ValidationError(gettext("Enter at least one value that was measured."))
        return data

    def clean_collected_at(self) -> datetime:
        moment: datetime = self.cleaned_data["collected_at"]
        try:
            check_moment(moment, now=timezone.now())
        except MachineError as error:
            raise forms.ValidationError(error.message) from error
        return moment

    def values(self) -> dict[str, float | None]:
        return {name: self.cleaned_data[name] for name in VALUES if name in self.fields}

    def source(self) -> str:
        return f"{BY_HAND}: {self.cleaned_data['tool']}"


class ListingForm(forms.ModelForm):  # type: ignore[type-arg]
    """An offer: prices, limits and terms."""

    class Meta:
        model = Listing
        fields = [
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
        ]
        labels = {
            "currency": _("Currency"),
            "cancellation_terms": _("Cancellation terms"),
            "description": _("Description"),
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 5})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "approval_hours" in self.fields:
            self.fields["approval_hours"].required = False

    def clean_approval_hours(self) -> int:
        """Who leaves it empty says nothing about it, and it stays as it is."""
        hours: int | None = self.cleaned_data["approval_hours"]
        return self.instance.approval_hours if hours is None else hours

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in RATES:
            self._check_rate(name, data.get(name), data.get("currency"))
        shortest, longest = data.get("min_hours"), data.get("max_hours")
        if shortest and longest and shortest > longest:
            self.add_error("max_hours", gettext("The longest booking cannot be shorter than the shortest one."))
        return data

    def _check_rate(self, name: str, price: Decimal | None, currency: str | None) -> None:
        if price is None or currency is None:
            return
        unit = minor_unit(currency)
        if price % unit:
            words = {"currency": currency, "unit": unit}
            if unit == 1:
                self.add_error(name, gettext("%(currency)s is paid in whole amounts only.") % words)
            else:
                self.add_error(name, gettext("%(currency)s is paid in steps of %(unit)s.") % words)
        elif price > most_rate(name, currency):
            most = money(most_rate(name, currency), currency)
            self.add_error(name, gettext("The most is %(amount)s.") % {"amount": most})
