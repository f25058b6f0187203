"""Forms of adding a machine with the agent, which measures what the others ask for."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from machines.models import AccessKind, Machine, MachineKind, Node
from machines.services.errors import MachineError
from machines.services.machines import MOST_NODES, NodeFacts, check_node_names, like

IMAGE = "docker.io/library/ubuntu:24.04"
#: Kinds of access that an agent gives, in the words of a choice.
WAYS = (
    (AccessKind.AGENT.value, _("An account on the machine")),
    (AccessKind.CONTAINER.value, _("A container with the GPUs, made anew for each booking")),
)
IS_IMAGE = RegexValidator(
    r"^[a-z0-9][a-z0-9._\-/:@]*\Z", _("The name of an image, as in docker.io/library/ubuntu:24.04.")
)
#: What stands in the columns until the agent has read the machine.
UNREAD = {"cpu_model": "not read yet", "cpu_cores": 0, "ram_gb": 0, "disk_type": "not read yet", "disk_size_gb": 0}


def access_fields() -> dict[str, forms.Field]:
    """How buyers get in, where an agent lets them in."""
    return {
        "access_kind": forms.ChoiceField(
            label=_("What a buyer gets"), choices=WAYS, initial=AccessKind.AGENT, widget=forms.RadioSelect
        ),
        "container_image": forms.CharField(
            label=_("Image of the container"),
            max_length=200,
            required=False,
            validators=[IS_IMAGE],
            help_text=_("Only for containers. The machine needs podman or docker."),
            widget=forms.TextInput(attrs={"placeholder": IMAGE}),
        ),
    }


class AgentMachineForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new machine, as much of it as an agent cannot find out."""

    nodes = forms.CharField(label=_("Nodes"), max_length=MOST_NODES * 81)

    class Meta:
        model = Machine
        fields = ["name", "country", "region", "network_bandwidth", "network_mbps", "ssh_host", "ssh_port"]
        labels = {
            "name": _("Name"),
            "country": _("Country"),
            "region": _("Region or city"),
            "network_bandwidth": _("Network"),
            "ssh_host": _("Address buyers log in to"),
            "ssh_port": _("SSH port"),
        }
        help_texts = {
            "name": _("Your own name for it. Buyers see it too."),
            "network_bandwidth": _("The link, as in “10 Gbps”."),
            "network_mbps": _("What a download from the internet really gets."),
            "ssh_host": _("Only if it is not the one that the machine calls from."),
        }

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.fields |= access_fields()
        self.fields["nodes"].help_text = gettext(
            "Their names, one after another, or how many there are: 4 makes node-01 to node-04. At most %(most)d."
        ) % {"most": MOST_NODES}
        if self.instance.created_at:
            self.initial["nodes"] = " ".join(node.name for node in self.instance.nodes.all())
        for name in ("nodes",) if kind == MachineKind.SINGLE else ("ssh_host", "ssh_port"):
            del self.fields[name]

    def clean_nodes(self) -> list[NodeFacts]:
        text = self.cleaned_data["nodes"].replace(",", " ").strip()
        names = _numbered(text) if text.isdecimal() and len(text) <= len(str(MOST_NODES)) else text.split()
        too_long = MaxLengthValidator(Node._meta.get_field("name").max_length or 0)
        for name in names:
            too_long(name)
        nodes = [NodeFacts(name=name, gpu_count=0, cpu_cores=0, ram_gb=0, disk_size_gb=0) for name in names]
        try:
            check_node_names(nodes)
        except MachineError as error:
            raise forms.ValidationError(error.message) from error
        return nodes

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("access_kind") == AccessKind.CONTAINER and not data.get("container_image"):
            data["container_image"] = IMAGE
        return data

    def facts(self) -> dict[str, Any]:
        """What the services take: what was typed, and that the rest is not read yet."""
        typed = {name: self.cleaned_data[name] for name in self.fields if name != "nodes"}
        return UNREAD | {"os": UNREAD["cpu_model"]} | typed

    def node_facts(self) -> list[NodeFacts]:
        nodes: list[NodeFacts] = self.cleaned_data.get("nodes", [])
        return nodes


def _numbered(count: str) -> list[str]:
    first = NodeFacts(name="node", gpu_count=0, cpu_cores=0, ram_gb=0, disk_size_gb=0)
    return [node.name for node in like(first, int(count))] if int(count) else []
