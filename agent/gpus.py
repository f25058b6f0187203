"""What ``nvidia-smi`` or ``rocm-smi`` says about the GPUs: what they are, and how they are doing."""

from __future__ import annotations

import csv
import json
from typing import Any

from agent.shell import has, run

#: Seconds; a driver that hangs must not keep the agent from anything else.
PATIENCE = 20

NVIDIA_FACTS = "index,name,memory.total,uuid,driver_version"
NVIDIA_HEALTH = "index,utilization.gpu,memory.used,memory.total,temperature.gpu"
ROCM_FACTS = ["--showproductname", "--showuniqueid", "--showmeminfo", "vram", "--showdriverversion"]
ROCM_HEALTH = ["--showuse", "--showmeminfo", "vram", "--showtemp"]


def facts() -> tuple[list[dict[str, Any]], str]:
    """The inventory's list of GPUs and the tool that told, "" when there is none."""
    # Both may be installed: the one that knows a GPU is the one that counts.
    found = nvidia_facts(_nvidia(NVIDIA_FACTS)) if has("nvidia-smi") else []
    if not found and has("rocm-smi"):
        return rocm_facts(_rocm(ROCM_FACTS)), "rocm-smi"
    return found, "nvidia-smi" if has("nvidia-smi") else ""


def health() -> list[dict[str, Any]]:
    """For each GPU ``index percent memory_percent temperature_c``, null where it cannot be read."""
    found = nvidia_health(_nvidia(NVIDIA_HEALTH)) if has("nvidia-smi") else []
    return found or (rocm_health(_rocm(ROCM_HEALTH)) if has("rocm-smi") else [])


def _nvidia(query: str) -> str:
    done = run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"], timeout=PATIENCE)
    return done.output if done.ok else ""


def _rocm(options: list[str]) -> str:
    done = run(["rocm-smi", *options, "--json"], timeout=PATIENCE)
    return done.output if done.ok else ""


def nvidia_facts(text: str) -> list[dict[str, Any]]:
    """From the answer to :data:`NVIDIA_FACTS`. A name may have commas in it."""
    found = []
    for row in _rows(text):
        if len(row) < 5:
            continue
        memory, uuid, driver = row[-3:]
        found.append(
            {
                "index": int(row[0]),
                "model": ", ".join(row[1:-3]),
                "memory_mb": _integer(memory),
                "uuid": uuid,
                "driver": driver,
            }
        )
    return found


def nvidia_health(text: str) -> list[dict[str, Any]]:
    """From the answer to :data:`NVIDIA_HEALTH`."""
    return [
        {
            "index": int(index),
            "percent": number(busy),
            "memory_percent": share(number(used), number(total)),
            "temperature_c": number(celsius),
        }
        for index, busy, used, total, celsius in (row for row in _rows(text) if len(row) == 5)
    ]


def rocm_facts(text: str) -> list[dict[str, Any]]:
    """From the answer to :data:`ROCM_FACTS`; its keys changed their letters' case over the years."""
    cards, system = _cards(text)
    found = []
    for index, card in cards:
        memory = _integer(card.get("vram total memory (b)"))
        found.append(
            {
                "index": index,
                "model": _named(card, "card series", "device name", "card model", "marketing name"),
                "memory_mb": None if memory is None else memory // 2**20,
                "uuid": _named(card, "unique id"),
                "driver": system.get("driver version", ""),
            }
        )
    return found


def rocm_health(text: str) -> list[dict[str, Any]]:
    """From the answer to :data:`ROCM_HEALTH`; the temperature is the highest of a card's sensors."""
    found = []
    for index, card in _cards(text)[0]:
        used, total = number(card.get("vram total used memory (b)")), number(card.get("vram total memory (b)"))
        degrees = [number(value) for key, value in card.items() if key.startswith("temperature")]
        found.append(
            {
                "index": index,
                "percent": number(card.get("gpu use (%)")),
                "memory_percent": share(used, total),
                "temperature_c": highest(degrees),
            }
        )
    return found


def _rows(text: str) -> list[list[str]]:
    """The lines that begin with a GPU's number; warnings of the driver do not."""
    rows = [[word.strip() for word in row] for row in csv.reader(text.splitlines())]
    return [row for row in rows if row and row[0].isdigit()]


def _cards(text: str) -> tuple[list[tuple[int, dict[str, str]]], dict[str, str]]:
    """The cards in the order of their numbers, and what is said of the whole system; keys in small letters."""
    begin = text.find("{")
    try:
        # Warnings may stand before the JSON.
        whole = json.JSONDecoder().raw_decode(text, begin)[0] if begin >= 0 else {}
    except ValueError:
        whole = {}
    parts = {name: _lowered(part) for name, part in whole.items() if isinstance(part, dict)}
    cards = [(int(name[4:]), part) for name, part in parts.items() if name[:4] == "card" and name[4:].isdigit()]
    return sorted(cards, key=lambda card: card[0]), parts.get("system", {})


def _lowered(part: dict[str, Any]) -> dict[str, str]:
    return {str(key).lower(): str(value).strip() for key, value in part.items()}


def _named(card: dict[str, str], *keys: str) -> str:
    return next((card[key] for key in keys if card.get(key, "N/A") not in ("N/A", "")), "")


def number(text: str | None) -> float | None:
    """A number, or None for ``[N/A]`` and the like."""
    try:
        return round(float(text or ""), 1)
    except ValueError:
        return None


def share(part: float | None, whole: float | None) -> float | None:
    """In per cent."""
    return None if part is None or not whole else round(100 * part / whole, 1)


def highest(values: list[float | None]) -> float | None:
    """The highest of those that could be read."""
    return max((value for value in values if value is not None), default=None)


def mean(values: list[float | None]) -> float | None:
    """The mean of those that could be read."""
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if known else None


def _integer(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else int(value)
