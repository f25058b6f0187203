import datetime

from django.db import migrations, models

from common.history.migrating import Together

VALUES = (
    "gpu_throughput_fp16",
    "gpu_throughput_fp32",
    "cpu_score",
    "disk_read_mb_s",
    "disk_write_mb_s",
    "network_bandwidth_gbps",
)


def _bounds(name):
    return models.CheckConstraint(
        condition=models.Q((f"{name}__isnull", True))
        | models.Q((f"{name}__gte", 0.01)) & models.Q((f"{name}__lte", 1e9)),
        name=f"benchmarks_{name}_positive",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0002_mend_what_could_be_typed"),
    ]

    operations = [
        Together(
            [
                migrations.AddConstraint(
                    model_name="benchmark",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("collected_at__gte", datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))),
                        name="benchmarks_collected_in_our_time",
                    ),
                ),
                *[
                    operation
                    for name in VALUES
                    for operation in (
                        migrations.RemoveConstraint(model_name="benchmark", name=f"benchmarks_{name}_positive"),
                        migrations.AddConstraint(model_name="benchmark", constraint=_bounds(name)),
                    )
                ],
            ]
        )
    ]
