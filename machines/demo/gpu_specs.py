"""``gpu_specs.csv``: the data sheets of the GPUs that are rented out. Read here; kept by :func:`load`."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from machines.demo import DATA
from machines.models import GPUModel

GPU_SPECS = DATA / "gpu_specs.csv"

#: Columns that have no field of their own and go to ``GPUModel.specifications``.
FURTHER = ("segment", "form_factor", "memory_type", "compute_capability", "source", "notes")
FURTHER_NUMBERS = ("release_year", "fp16_shader_tflops", "fp16_tensor_tflops")


@dataclass(frozen=True)
class GPUSpec:
    """One row. ``None``: the data sheet does not say."""

    slug: str
    name: str
    manufacturer: str
    architecture: str
    memory_gb: int
    cuda_cores: int | None
    base_power_consumption: Decimal | None
    fp32_tflops: float | None
    fp16_tflops: float | None
    memory_bandwidth_gb_s: float | None
    specifications: dict[str, Any]
    aliases: list[str]


def read(path: Path = GPU_SPECS) -> Iterator[GPUSpec]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield _spec(row)


def _spec(row: dict[str, str]) -> GPUSpec:
    further: dict[str, Any] = {name: row[name] for name in FURTHER if row[name]}
    further |= {name: float(row[name]) for name in FURTHER_NUMBERS if row[name]}
    if "release_year" in further:
        further["release_year"] = int(further["release_year"])
    return GPUSpec(
        slug=row["gpu_id"],
        name=row["name"],
        manufacturer=row["manufacturer"],
        architecture=row["architecture"],
        memory_gb=int(row["memory_gb"]),
        cuda_cores=int(row["cores"]) if row["cores"] else None,
        base_power_consumption=Decimal(row["tdp_w"]) if row["tdp_w"] else None,
        fp32_tflops=_number(row["fp32_tflops"]),
        # What programs reach in practice: the tensor cores where there are some, without sparsity.
        fp16_tflops=_number(row["fp16_tensor_tflops"]) or _number(row["fp16_shader_tflops"]),
        memory_bandwidth_gb_s=_number(row["memory_bandwidth_gb_s"]),
        specifications=further,
        aliases=[alias for alias in row["aliases"].split("|") if alias],
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def load(specs: Iterable[GPUSpec]) -> int:
    """Insert the models or bring them up to date, by slug. Others, and price estimates, stay as they are.

    Returns how many models there were.
    """
    now = timezone.now()
    rows = [GPUModel(**vars(spec), updated_at=now) for spec in specs]
    fields = [*GPUSpec.__dataclass_fields__, "updated_at"]
    GPUModel.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["slug"],
        update_fields=[field for field in fields if field != "slug"],
    )
    return len(rows)
