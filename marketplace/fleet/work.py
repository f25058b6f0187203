"""What a simulated server answers to work: the same messages as a real agent's, about a machine that is not there."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from agent import VERSION
from common import benchmark_check
from common.sshsig import canonical, sign
from machines.services.messages import MOMENT
from marketplace.fleet.servers import Server

NOTE = "Simulated: no machine was touched."
STEPS = {
    "session_termination": "0 sessions and 0 processes ended; none is left",
    "ssh_key_removal": "the keys are gone",
    "home_directory_purge": "home and scratch are gone",
    "user_deletion": "the account is gone",
    "residue_verification": "nothing of the account is left",
}


def outcome(server: Server, work: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """The result of a piece of work, as ``docs/agent-protocol.md`` writes it."""
    return HANDLERS[work["kind"]](server, work, now)


def _provision(server: Server, work: dict[str, Any], now: datetime) -> dict[str, Any]:
    payload = work["payload"]
    return {
        "account": payload["account"],
        "ssh": {"host": f"{server.hardware.name}.hosts.example", "port": 22},
        "host_keys": [{"type": "ssh-ed25519", "fingerprint": server.host_key_fingerprint}],
        "keys": [_fingerprint(key) for key in payload["keys"]],
        "login_checked_at": now.strftime(MOMENT),
        "inventory": server.inventory(),
        "log": NOTE,
    }


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(b64decode(key.split()[1])).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


def _revoke(server: Server, work: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {"locked": True, "sessions_ended": 0, "processes_ended": 0, "log": NOTE}


def _wipe(server: Server, work: dict[str, Any], now: datetime) -> dict[str, Any]:
    payload = work["payload"]
    began = now - timedelta(seconds=len(STEPS))
    logs = "\n".join([NOTE, *STEPS])
    evidence = canonical(
        {
            "type": "rsm-erasure-evidence",
            "version": 1,
            "booking": payload["booking_id"],
            "reference": payload["booking"],
            "machine": server.machine,
            "agent": server.agent,
            "account": payload["account"],
            "nonce": work["nonce"],
            "attempt": work["attempt"],
            "started_at": began.strftime(MOMENT),
            "finished_at": now.strftime(MOMENT),
            "agent_version": VERSION,
            "standard": "NIST SP 800-88 Rev. 2",
            "sanitization": "Clear",
            "logs_sha256": hashlib.sha256(logs.encode()).hexdigest(),
            "host": {
                "hostname_sha256": hashlib.sha256(server.hardware.name.encode()).hexdigest(),
                "os": server.hardware.os,
                "kernel": "6.1.0-25-amd64",
            },
            "steps": [
                {
                    "method": method,
                    "status": "success",
                    "at": (began + timedelta(seconds=number)).strftime(MOMENT),
                    "summary": f"simulated: {summary}",
                    "counts": {},
                }
                for number, (method, summary) in enumerate(STEPS.items(), start=1)
            ],
            "checked": {"file_systems": ["/"], "objects_looked_at": 0, "left": []},
        }
    )
    return {
        "evidence": evidence,
        "evidence_signature": sign(private_key=server.key, namespace="rsm-erasure", data=evidence.encode()),
        "logs": logs,
    }


def _benchmark(server: Server, work: dict[str, Any], now: datetime) -> dict[str, Any]:
    payload, figures = work["payload"], server.hardware.figures
    values = {name: figures.get(name) for name in payload["values"]}
    return {
        "values": values,
        "reasons": {name: "Simulated, and nothing is known of it." for name, value in values.items() if value is None},
        "details": {
            "gpu": {
                "check": [benchmark_check.expected(payload["seed"], index) for index in range(payload["gpu_count"])]
            }
        },
        "raw": {"note": NOTE},
        "seed": payload["seed"],
        "collected_at": now.strftime(MOMENT),
        "tools": {},
    }


def _inventory(server: Server, work: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {"inventory": server.inventory()}


HANDLERS: dict[str, Callable[[Server, dict[str, Any], datetime], dict[str, Any]]] = {
    "provision": _provision,
    "revoke": _revoke,
    "wipe": _wipe,
    "benchmark": _benchmark,
    "inventory": _inventory,
}
