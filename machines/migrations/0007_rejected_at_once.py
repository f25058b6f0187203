from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [("machines", "0006_health_samples")]

    operations = [
        Together(
            [
                migrations.RemoveConstraint(model_name="benchmark", name="benchmarks_decided_by_someone"),
                migrations.AddConstraint(
                    model_name="benchmark",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("status", "pending"),
                            models.Q(("decided_at__isnull", False), ("decided_by__isnull", False)),
                            models.Q(("agent_version__gt", ""), ("decided_at__isnull", False), ("status", "rejected")),
                            _connector="OR",
                        ),
                        name="benchmarks_decided_by_someone",
                    ),
                ),
            ]
        ),
    ]
