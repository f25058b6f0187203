"""Heartbeats' figures, a partition a day: dropping a day is cheap, and so is drawing one."""

from django.db import migrations

MAKE = """
CREATE TABLE health_samples (
    agent_id uuid NOT NULL,
    at timestamptz NOT NULL,
    cpu_percent real, gpu_percent real, memory_percent real, gpu_memory_percent real,
    temperature_c real, disk_percent real, network_rx_mbps real, network_tx_mbps real,
    PRIMARY KEY (agent_id, at)
) PARTITION BY RANGE (at);
-- What comes on a day without a partition is kept all the same; machines.partitions moves it.
CREATE TABLE health_samples_other PARTITION OF health_samples DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("machines", "0005_agents")]

    operations = [migrations.RunSQL(MAKE, "DROP TABLE health_samples")]
