"""What ``perf/heartbeats.py`` measures on: thousands of machines with agents, samples of an hour, months of some."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import Role, User
from machines import partitions
from machines.models import MEASURES
from perf.seed import cookie_of

#: Tokens are this word and a number, so that clients need no list of them.
TOKEN = "measured-"
HEALTH = """
jsonb_build_object('at', %(now)s::timestamptz, 'cpu_percent', 12.5, 'gpu_percent', 97.0, 'memory_percent', 41.5,
    'gpu_memory_percent', 88.0, 'temperature_c', 61.0, 'disk_percent', 63.0, 'network_rx_mbps', 812.5,
    'network_tx_mbps', 33.1, 'load_1m', 12.5, 'uptime_seconds', 1234567, 'gpus', (
        SELECT jsonb_agg(jsonb_build_object('index', g, 'percent', 97.0, 'memory_percent', 88.0, 'temperature_c', 61.0))
        FROM generate_series(0, 7) g))
"""
MACHINES = f"""
INSERT INTO machines (hardware_id, customer_id, name, kind, gpu_model, gpu_count, gpu_memory_gb, cpu_model, cpu_cores,
    ram_gb, disk_type, disk_size_gb, network_bandwidth, os, country, region, access_kind, ssh_host, ssh_port,
    container_image, provider_agent_status, health_indicators, turnaround, created_at, updated_at)
SELECT gen_random_uuid(), %(provider)s, 'fleet-' || number, 'single', 'H100 SXM', 8, 80, 'AMD EPYC 9654', 96, 1536,
    'NVMe', 7680, '10 Gbps', 'Debian 12', 'DE', '', 'agent', '', 22, '', 'online', {HEALTH}, interval '30 minutes',
    %(now)s, %(now)s
FROM generate_series(1, %(machines)s) number
"""
AGENTS = f"""
INSERT INTO agents (id, hardware_id, public_key, fingerprint, token_hash, token_made_at, sequence, version, hostname,
    status, last_heartbeat_at, boot_id, health, inventory, self_test, is_simulated, enrolled_at, enrolled_by_id,
    revoked_because)
SELECT gen_random_uuid(), hardware_id, 'ssh-ed25519 ' || repeat('A', 68), 'SHA256:' || repeat('A', 43),
    encode(sha256(('{TOKEN}' || substr(name, 7))::bytea), 'hex'), %(now)s, 7, '1.0.0', name, 'online',
    %(now)s - interval '30 seconds', repeat('b', 36), {HEALTH}, (
        SELECT jsonb_build_object('version', 1, 'hostname', name, 'gpus', jsonb_agg(jsonb_build_object('index', g,
            'model', 'NVIDIA H100 80GB HBM3', 'memory_mb', 81559, 'uuid', gen_random_uuid(), 'driver', '550.54.15')))
        FROM generate_series(0, 7) g),
    (SELECT jsonb_agg(jsonb_build_object('id', md5((g + 7)::text), 'title', 'sshd answers on its port', 'why', md5(g::text)))
        FROM generate_series(0, 20) g), true, %(now)s - interval '31 days', %(provider)s, ''
FROM machines WHERE name LIKE 'fleet-%%'
"""
# In the order in which they come: a row of every machine, then the next of every machine.
FIGURES = "random() * 100, random() * 100, 41.5, 88.0, 60 + random() * 9, 63.0, random() * 900, random() * 90"
SAMPLES = f"""
INSERT INTO health_samples (agent_id, at, cpu_percent, gpu_percent, memory_percent, gpu_memory_percent, temperature_c,
    disk_percent, network_rx_mbps, network_tx_mbps)
SELECT id, at, {FIGURES} FROM generate_series(%(since)s::timestamptz, %(now)s, interval '30 seconds') at, ({{chosen}}) a
ORDER BY at ON CONFLICT DO NOTHING
"""
_ROLLED = ", ".join(f"'{measure}', round((random() * 90)::numeric, 2)" for measure in MEASURES)
HOURS = f"""
INSERT INTO health_hours (agent_id, hour, samples, means, peaks)
SELECT id, hour, 120, jsonb_build_object({_ROLLED}), jsonb_build_object({_ROLLED})
FROM generate_series(date_trunc('hour', %(now)s::timestamptz) - interval '30 days', %(now)s, interval '1 hour') hour,
    ({{chosen}}) a ORDER BY hour
"""
OUTAGES = """
INSERT INTO outages (id, hardware_id, agent_id, began_at, ended_at)
SELECT gen_random_uuid(), hardware_id, id, %(now)s - days * interval '5 days', %(now)s - days * interval '5 days' + interval '20 minutes'
FROM agents, generate_series(1, 4) days
"""
ALL = "SELECT id FROM agents"
SOME = "SELECT id FROM agents ORDER BY hostname LIMIT %(months)s"
FEW = "SELECT id FROM agents ORDER BY hostname LIMIT %(pages)s"


def fill(*, machines: int, months: int, pages: int, now: datetime) -> dict[str, Any]:
    """Fill an empty database. Returns what the clients need: whose pages are looked at, and by whom.

    Args:
        machines: all of them have an agent and the samples of the last half hour.
        months: so many have the hours of 30 days.
        pages: so many of these have the samples of a whole day, and their pages are asked for.
    """
    partitions.keep_partitions(now=now)
    provider = User.objects.create(email="fleet@providers.example", roles=[Role.PROVIDER], password="!")
    values = {"provider": provider.pk, "now": now, "machines": machines, "months": months, "pages": pages}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(MACHINES, values)
        cursor.execute(AGENTS, values)
        cursor.execute(SAMPLES.format(chosen=ALL), values | {"since": now - timedelta(minutes=30)})
        cursor.execute(SAMPLES.format(chosen=FEW), values | {"since": now - timedelta(days=1)})
        cursor.execute(HOURS.format(chosen=SOME), values)
        cursor.execute(OUTAGES, values)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT hardware_id::text FROM agents ORDER BY hostname LIMIT %(pages)s", values)
        pks = [pk for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT count(*) FROM health_samples")
        samples = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM health_hours")
        hours = cursor.fetchone()[0]
    return {"pages": pks, "cookie": cookie_of(provider), "machines": machines, "samples": samples, "hours": hours}
