"""Inventories as agents send them, made safe to keep: the form of ``docs/agent-protocol.md`` and nothing beyond it."""

from collections.abc import Callable
from typing import Any

from machines.services.errors import AgentRefused

VERSION = 1
#: Strings are cut after so many signs, numbers and lists that are larger are refused.
MOST_SIGNS = 200
MOST = 10**9

#: One value of an inventory, made safe. The second argument says where it stands.
Cleaner = Callable[[Any, str], Any]


def clean(inventory: Any) -> dict[str, Any]:
    """The inventory without keys that the protocol does not know, its strings cut and free of control signs.

    Raises:
        AgentRefused: it is not of the form that the protocol gives it (``malformed``).
    """
    cleaned: dict[str, Any] = _INVENTORY(inventory, "inventory")
    if cleaned["version"] != VERSION:
        raise _malformed(f"This is version {cleaned['version']} of the inventory; version {VERSION} is understood.")
    return cleaned


def _malformed(detail: str) -> AgentRefused:
    return AgentRefused("malformed", detail, status=400)


def text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise _malformed(f"{place} is no text.")
    # What cannot be printed cannot be kept either: the database refuses NUL and halves of signs.
    return "".join(sign for sign in value[:MOST_SIGNS] if sign.isprintable()).strip()


def whole(value: Any, place: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST:
        raise _malformed(f"{place} is no whole number from 0 to {MOST}.")
    return value


def maybe(cleaner: Cleaner) -> Cleaner:
    """What the machine may not be able to tell: null stays null."""
    return lambda value, place: None if value is None else cleaner(value, place)


def each(cleaner: Cleaner, most: int) -> Cleaner:
    def clean_list(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise _malformed(f"{place} is no list of at most {most}.")
        return [cleaner(item, f"{place}[{number}]") for number, item in enumerate(value)]

    return clean_list


def record(**cleaners: Cleaner) -> Cleaner:
    """An object with these keys. ``driver_`` and the like: a key that may be missing, which is then left out."""

    def clean_record(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _malformed(f"{place} is no object.")
        found = {}
        for name, cleaner in cleaners.items():
            key = name.removesuffix("_")
            if key in value:
                found[key] = cleaner(value[key], f"{place}.{key}")
            elif key == name:
                raise _malformed(f"{place}.{key} is missing.")
        return found

    return clean_record


_INVENTORY = record(
    version=whole,
    hostname_=text,
    os=record(name=text, kernel_=text, architecture=text),
    cpu=record(model=text, sockets=whole, cores=whole, threads=whole),
    memory_mb=whole,
    swap_mb_=whole,
    gpus=each(record(index=whole, model=text, memory_mb=maybe(whole), uuid=text, driver_=text), 64),
    gpu_tool_=text,
    disks=each(record(name=text, model=text, serial_sha256=text, size_gb=whole, kind=text), 256),
    filesystems_=each(record(mount=text, type=text, size_gb=whole, free_gb=whole), 256),
    network_=each(record(name=text, speed_mbps=maybe(whole), mac_sha256=text), 128),
    host_keys_=each(record(type=text, fingerprint=text), 16),
    ssh_port_=whole,
    containers_=record(runtime=text, version=text),
    virtualization_=text,
)
