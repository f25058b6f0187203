import django.db.models.deletion
import django_countries.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import common.history.migrating
from common.history.beginning import leave, write_down_what_is_there


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0010_organizations"),
    ]

    operations = [
        common.history.migrating.Together(
            operations=[
                migrations.CreateModel(
                    name="AgentChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("fingerprint", models.CharField(max_length=80)),
                        ("version", models.CharField(blank=True, max_length=40)),
                        ("hostname", models.CharField(blank=True, max_length=253)),
                        ("status", models.CharField(max_length=10)),
                        ("enrolled_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_because", models.CharField(blank=True, max_length=200)),
                        (
                            "enrolled_by",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "machine",
                            models.ForeignKey(
                                db_column="hardware_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "node",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.node",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.agent",
                            ),
                        ),
                        (
                            "revoked_by",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of agent",
                        "verbose_name_plural": "changes of agents",
                        "db_table": "agents_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["machine"], name="agents_chan_hardwar_d39cd9_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="BenchmarkChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("status", models.CharField(db_column="admin_verification_status", max_length=10)),
                        ("collected_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        ("reason", models.TextField(blank=True)),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "machine",
                            models.ForeignKey(
                                db_column="hardware_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.benchmark",
                            ),
                        ),
                        (
                            "requested_by",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of benchmark",
                        "verbose_name_plural": "changes of benchmarks",
                        "db_table": "benchmarks_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["machine"], name="benchmarks__hardwar_c5dbbc_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="ListingChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("price_hour", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("price_day", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                        ("price_week", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                        ("currency", models.CharField(max_length=3)),
                        ("min_hours", models.PositiveIntegerField()),
                        ("max_hours", models.PositiveIntegerField()),
                        ("max_ahead_days", models.PositiveIntegerField()),
                        ("approval_hours", models.PositiveSmallIntegerField()),
                        ("cancellation_terms", models.CharField(max_length=10)),
                        ("description", models.TextField(blank=True, max_length=4000)),
                        ("status", models.CharField(max_length=10)),
                        ("suspended_at", models.DateTimeField(blank=True, editable=False, null=True)),
                        ("suspended_because", models.CharField(blank=True, editable=False, max_length=200)),
                        (
                            "machine",
                            models.ForeignKey(
                                db_column="hardware_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.listing",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of listing",
                        "verbose_name_plural": "changes of listings",
                        "db_table": "listings_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["machine"], name="listings_ch_hardwar_dd06db_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="MachineChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=80)),
                        ("kind", models.CharField(max_length=10)),
                        ("gpu_model", models.CharField(blank=True, max_length=80)),
                        ("gpu_count", models.PositiveIntegerField()),
                        ("gpu_memory_gb", models.PositiveIntegerField()),
                        ("cpu_model", models.CharField(max_length=120)),
                        ("cpu_cores", models.PositiveIntegerField()),
                        ("ram_gb", models.PositiveIntegerField()),
                        ("disk_type", models.CharField(max_length=20)),
                        ("disk_size_gb", models.PositiveIntegerField()),
                        ("network_bandwidth", models.CharField(max_length=40)),
                        ("os", models.CharField(max_length=80)),
                        ("country", django_countries.fields.CountryField(blank=True, max_length=2)),
                        ("region", models.CharField(blank=True, max_length=80)),
                        ("access_kind", models.CharField(max_length=20)),
                        ("ssh_host", models.CharField(blank=True, max_length=253)),
                        ("ssh_port", models.PositiveIntegerField()),
                        ("container_image", models.CharField(blank=True, max_length=200)),
                        ("turnaround", models.DurationField()),
                        (
                            "organization",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "provider",
                            models.ForeignKey(
                                db_column="customer_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "verified_benchmark",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.benchmark",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of machine",
                        "verbose_name_plural": "changes of machines",
                        "db_table": "machines_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="machines_ch_organiz_b6545a_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="MaintenanceWindowChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("kind", models.CharField(max_length=10)),
                        ("start", models.DateTimeField()),
                        ("end", models.DateTimeField()),
                        ("note", models.CharField(blank=True, max_length=300)),
                        ("canceled_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "announced_by",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "machine",
                            models.ForeignKey(
                                db_column="hardware_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.maintenancewindow",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of maintenance window",
                        "verbose_name_plural": "changes of maintenance windows",
                        "db_table": "maintenance_windows_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["machine"], name="maintenance_hardwar_33e95b_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="NodeChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=80)),
                        ("gpu_count", models.PositiveIntegerField()),
                        ("cpu_cores", models.PositiveIntegerField()),
                        ("ram_gb", models.PositiveIntegerField()),
                        ("disk_size_gb", models.PositiveIntegerField()),
                        (
                            "machine",
                            models.ForeignKey(
                                db_column="hardware_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="machines.machine",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="machines.node",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of node",
                        "verbose_name_plural": "changes of nodes",
                        "db_table": "nodes_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["machine"], name="nodes_chang_hardwar_5f0440_idx")],
                    },
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="agent",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "agents_changes" ("enrolled_at", "enrolled_by_id", "fingerprint", "hardware_id", "hostname", "node_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "revoked_because", "revoked_by_id", "status", "version") VALUES (NEW."enrolled_at", NEW."enrolled_by_id", NEW."fingerprint", NEW."hardware_id", NEW."hostname", NEW."node_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."revoked_at", NEW."revoked_because", NEW."revoked_by_id", NEW."status", NEW."version"); RETURN NULL;',
                            hash="ed29a059a4c6dd46902e0163d53d7201e48e8edd",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_6dcbc",
                            table="agents",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="agent",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."enrolled_at" IS DISTINCT FROM (NEW."enrolled_at") OR OLD."enrolled_by_id" IS DISTINCT FROM (NEW."enrolled_by_id") OR OLD."fingerprint" IS DISTINCT FROM (NEW."fingerprint") OR OLD."hostname" IS DISTINCT FROM (NEW."hostname") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."node_id" IS DISTINCT FROM (NEW."node_id") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."revoked_because" IS DISTINCT FROM (NEW."revoked_because") OR OLD."revoked_by_id" IS DISTINCT FROM (NEW."revoked_by_id") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."version" IS DISTINCT FROM (NEW."version"))',
                            func='INSERT INTO "agents_changes" ("enrolled_at", "enrolled_by_id", "fingerprint", "hardware_id", "hostname", "node_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "revoked_because", "revoked_by_id", "status", "version") VALUES (NEW."enrolled_at", NEW."enrolled_by_id", NEW."fingerprint", NEW."hardware_id", NEW."hostname", NEW."node_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."revoked_at", NEW."revoked_because", NEW."revoked_by_id", NEW."status", NEW."version"); RETURN NULL;',
                            hash="0ac32a65de5049bf7861b428b5a36e885166ef8e",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_59e5b",
                            table="agents",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="agent",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "agents_changes" ("enrolled_at", "enrolled_by_id", "fingerprint", "hardware_id", "hostname", "node_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "revoked_because", "revoked_by_id", "status", "version") VALUES (OLD."enrolled_at", OLD."enrolled_by_id", OLD."fingerprint", OLD."hardware_id", OLD."hostname", OLD."node_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."revoked_at", OLD."revoked_because", OLD."revoked_by_id", OLD."status", OLD."version"); RETURN NULL;',
                            hash="33859c239ca52502f4dd5c4db1e625f295557556",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_aa10a",
                            table="agents",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="benchmark",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "benchmarks_changes" ("admin_verification_status", "collected_at", "decided_at", "decided_by_id", "hardware_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id") VALUES (NEW."admin_verification_status", NEW."collected_at", NEW."decided_at", NEW."decided_by_id", NEW."hardware_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."benchmark_id", NEW."reason", NEW."requested_by_id"); RETURN NULL;',
                            hash="b52f714006994c890cad2abeb014e11d4f71cf64",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_413cd",
                            table="benchmarks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="benchmark",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."collected_at" IS DISTINCT FROM (NEW."collected_at") OR OLD."decided_at" IS DISTINCT FROM (NEW."decided_at") OR OLD."decided_by_id" IS DISTINCT FROM (NEW."decided_by_id") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."requested_by_id" IS DISTINCT FROM (NEW."requested_by_id") OR OLD."admin_verification_status" IS DISTINCT FROM (NEW."admin_verification_status"))',
                            func='INSERT INTO "benchmarks_changes" ("admin_verification_status", "collected_at", "decided_at", "decided_by_id", "hardware_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id") VALUES (NEW."admin_verification_status", NEW."collected_at", NEW."decided_at", NEW."decided_by_id", NEW."hardware_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."benchmark_id", NEW."reason", NEW."requested_by_id"); RETURN NULL;',
                            hash="acf546c2ccdc3c3aecc314eea93bb1aa8c6bc1ff",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_8e605",
                            table="benchmarks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="benchmark",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "benchmarks_changes" ("admin_verification_status", "collected_at", "decided_at", "decided_by_id", "hardware_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id") VALUES (OLD."admin_verification_status", OLD."collected_at", OLD."decided_at", OLD."decided_by_id", OLD."hardware_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."benchmark_id", OLD."reason", OLD."requested_by_id"); RETURN NULL;',
                            hash="8074e984cf5a2b16da462b5b9e1fd49253a31f1b",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_5273d",
                            table="benchmarks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="listing",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "listings_changes" ("approval_hours", "cancellation_terms", "currency", "description", "hardware_id", "max_ahead_days", "max_hours", "min_hours", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_day", "price_hour", "price_week", "status", "suspended_at", "suspended_because") VALUES (NEW."approval_hours", NEW."cancellation_terms", NEW."currency", NEW."description", NEW."hardware_id", NEW."max_ahead_days", NEW."max_hours", NEW."min_hours", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."listing_id", NEW."price_day", NEW."price_hour", NEW."price_week", NEW."status", NEW."suspended_at", NEW."suspended_because"); RETURN NULL;',
                            hash="c8b98e255f98e54df1f898a73a6628d7e26aa081",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_7a959",
                            table="listings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="listing",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."approval_hours" IS DISTINCT FROM (NEW."approval_hours") OR OLD."cancellation_terms" IS DISTINCT FROM (NEW."cancellation_terms") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."max_ahead_days" IS DISTINCT FROM (NEW."max_ahead_days") OR OLD."max_hours" IS DISTINCT FROM (NEW."max_hours") OR OLD."min_hours" IS DISTINCT FROM (NEW."min_hours") OR OLD."price_day" IS DISTINCT FROM (NEW."price_day") OR OLD."price_hour" IS DISTINCT FROM (NEW."price_hour") OR OLD."price_week" IS DISTINCT FROM (NEW."price_week") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."suspended_at" IS DISTINCT FROM (NEW."suspended_at") OR OLD."suspended_because" IS DISTINCT FROM (NEW."suspended_because"))',
                            func='INSERT INTO "listings_changes" ("approval_hours", "cancellation_terms", "currency", "description", "hardware_id", "max_ahead_days", "max_hours", "min_hours", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_day", "price_hour", "price_week", "status", "suspended_at", "suspended_because") VALUES (NEW."approval_hours", NEW."cancellation_terms", NEW."currency", NEW."description", NEW."hardware_id", NEW."max_ahead_days", NEW."max_hours", NEW."min_hours", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."listing_id", NEW."price_day", NEW."price_hour", NEW."price_week", NEW."status", NEW."suspended_at", NEW."suspended_because"); RETURN NULL;',
                            hash="9b5328964e163e9f876e3588cc6cbca6243cb33b",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_c7d27",
                            table="listings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="listing",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "listings_changes" ("approval_hours", "cancellation_terms", "currency", "description", "hardware_id", "max_ahead_days", "max_hours", "min_hours", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_day", "price_hour", "price_week", "status", "suspended_at", "suspended_because") VALUES (OLD."approval_hours", OLD."cancellation_terms", OLD."currency", OLD."description", OLD."hardware_id", OLD."max_ahead_days", OLD."max_hours", OLD."min_hours", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."listing_id", OLD."price_day", OLD."price_hour", OLD."price_week", OLD."status", OLD."suspended_at", OLD."suspended_because"); RETURN NULL;',
                            hash="d00cabc2a9d8d16fb3fa113424e857d1faea25eb",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_e628a",
                            table="listings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="machine",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "machines_changes" ("access_kind", "container_image", "country", "cpu_cores", "cpu_model", "customer_id", "disk_size_gb", "disk_type", "gpu_count", "gpu_memory_gb", "gpu_model", "kind", "name", "network_bandwidth", "organization_id", "os", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb", "region", "ssh_host", "ssh_port", "turnaround", "verified_benchmark_id") VALUES (NEW."access_kind", NEW."container_image", NEW."country", NEW."cpu_cores", NEW."cpu_model", NEW."customer_id", NEW."disk_size_gb", NEW."disk_type", NEW."gpu_count", NEW."gpu_memory_gb", NEW."gpu_model", NEW."kind", NEW."name", NEW."network_bandwidth", NEW."organization_id", NEW."os", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."hardware_id", NEW."ram_gb", NEW."region", NEW."ssh_host", NEW."ssh_port", NEW."turnaround", NEW."verified_benchmark_id"); RETURN NULL;',
                            hash="ed1ac3318e3782a9729ea43359c783bc8618b7f1",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_e9a89",
                            table="machines",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="machine",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."access_kind" IS DISTINCT FROM (NEW."access_kind") OR OLD."container_image" IS DISTINCT FROM (NEW."container_image") OR OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."cpu_cores" IS DISTINCT FROM (NEW."cpu_cores") OR OLD."cpu_model" IS DISTINCT FROM (NEW."cpu_model") OR OLD."disk_size_gb" IS DISTINCT FROM (NEW."disk_size_gb") OR OLD."disk_type" IS DISTINCT FROM (NEW."disk_type") OR OLD."gpu_count" IS DISTINCT FROM (NEW."gpu_count") OR OLD."gpu_memory_gb" IS DISTINCT FROM (NEW."gpu_memory_gb") OR OLD."gpu_model" IS DISTINCT FROM (NEW."gpu_model") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."network_bandwidth" IS DISTINCT FROM (NEW."network_bandwidth") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."os" IS DISTINCT FROM (NEW."os") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."ram_gb" IS DISTINCT FROM (NEW."ram_gb") OR OLD."region" IS DISTINCT FROM (NEW."region") OR OLD."ssh_host" IS DISTINCT FROM (NEW."ssh_host") OR OLD."ssh_port" IS DISTINCT FROM (NEW."ssh_port") OR OLD."turnaround" IS DISTINCT FROM (NEW."turnaround") OR OLD."verified_benchmark_id" IS DISTINCT FROM (NEW."verified_benchmark_id"))',
                            func='INSERT INTO "machines_changes" ("access_kind", "container_image", "country", "cpu_cores", "cpu_model", "customer_id", "disk_size_gb", "disk_type", "gpu_count", "gpu_memory_gb", "gpu_model", "kind", "name", "network_bandwidth", "organization_id", "os", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb", "region", "ssh_host", "ssh_port", "turnaround", "verified_benchmark_id") VALUES (NEW."access_kind", NEW."container_image", NEW."country", NEW."cpu_cores", NEW."cpu_model", NEW."customer_id", NEW."disk_size_gb", NEW."disk_type", NEW."gpu_count", NEW."gpu_memory_gb", NEW."gpu_model", NEW."kind", NEW."name", NEW."network_bandwidth", NEW."organization_id", NEW."os", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."hardware_id", NEW."ram_gb", NEW."region", NEW."ssh_host", NEW."ssh_port", NEW."turnaround", NEW."verified_benchmark_id"); RETURN NULL;',
                            hash="a62fa5290c8b79c7361feee2c331c77df0084136",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_72763",
                            table="machines",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="machine",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "machines_changes" ("access_kind", "container_image", "country", "cpu_cores", "cpu_model", "customer_id", "disk_size_gb", "disk_type", "gpu_count", "gpu_memory_gb", "gpu_model", "kind", "name", "network_bandwidth", "organization_id", "os", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb", "region", "ssh_host", "ssh_port", "turnaround", "verified_benchmark_id") VALUES (OLD."access_kind", OLD."container_image", OLD."country", OLD."cpu_cores", OLD."cpu_model", OLD."customer_id", OLD."disk_size_gb", OLD."disk_type", OLD."gpu_count", OLD."gpu_memory_gb", OLD."gpu_model", OLD."kind", OLD."name", OLD."network_bandwidth", OLD."organization_id", OLD."os", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."hardware_id", OLD."ram_gb", OLD."region", OLD."ssh_host", OLD."ssh_port", OLD."turnaround", OLD."verified_benchmark_id"); RETURN NULL;',
                            hash="24784cb4629ab029e3c30d74c67d09b157bcaa62",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_45479",
                            table="machines",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="maintenancewindow",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "maintenance_windows_changes" ("announced_by_id", "canceled_at", "end", "hardware_id", "kind", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "start") VALUES (NEW."announced_by_id", NEW."canceled_at", NEW."end", NEW."hardware_id", NEW."kind", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."start"); RETURN NULL;',
                            hash="20008f39d8ad569c32d1363e7c6cc3e29f838bc3",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_ead8b",
                            table="maintenance_windows",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="maintenancewindow",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."announced_by_id" IS DISTINCT FROM (NEW."announced_by_id") OR OLD."canceled_at" IS DISTINCT FROM (NEW."canceled_at") OR OLD."end" IS DISTINCT FROM (NEW."end") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."start" IS DISTINCT FROM (NEW."start"))',
                            func='INSERT INTO "maintenance_windows_changes" ("announced_by_id", "canceled_at", "end", "hardware_id", "kind", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "start") VALUES (NEW."announced_by_id", NEW."canceled_at", NEW."end", NEW."hardware_id", NEW."kind", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."start"); RETURN NULL;',
                            hash="a87290d17b3830de75460a08711be330f0608f9e",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_d289d",
                            table="maintenance_windows",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="maintenancewindow",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "maintenance_windows_changes" ("announced_by_id", "canceled_at", "end", "hardware_id", "kind", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "start") VALUES (OLD."announced_by_id", OLD."canceled_at", OLD."end", OLD."hardware_id", OLD."kind", OLD."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."start"); RETURN NULL;',
                            hash="a7aec2460d491215e31e2353122a422e04a235d2",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_ebc54",
                            table="maintenance_windows",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="node",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "nodes_changes" ("cpu_cores", "disk_size_gb", "gpu_count", "hardware_id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb") VALUES (NEW."cpu_cores", NEW."disk_size_gb", NEW."gpu_count", NEW."hardware_id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."ram_gb"); RETURN NULL;',
                            hash="c48661913e6b0d8db99f14cab681b9b00b27e180",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_963e5",
                            table="nodes",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="node",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."cpu_cores" IS DISTINCT FROM (NEW."cpu_cores") OR OLD."disk_size_gb" IS DISTINCT FROM (NEW."disk_size_gb") OR OLD."gpu_count" IS DISTINCT FROM (NEW."gpu_count") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."ram_gb" IS DISTINCT FROM (NEW."ram_gb"))',
                            func='INSERT INTO "nodes_changes" ("cpu_cores", "disk_size_gb", "gpu_count", "hardware_id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb") VALUES (NEW."cpu_cores", NEW."disk_size_gb", NEW."gpu_count", NEW."hardware_id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."ram_gb"); RETURN NULL;',
                            hash="ad294d39e2cc6a5c1983aa775d3e19461a94941e",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_8f9b6",
                            table="nodes",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="node",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "nodes_changes" ("cpu_cores", "disk_size_gb", "gpu_count", "hardware_id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "ram_gb") VALUES (OLD."cpu_cores", OLD."disk_size_gb", OLD."gpu_count", OLD."hardware_id", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."ram_gb"); RETURN NULL;',
                            hash="1b237a33eaa55f98743f4a2edc9def521633f2ba",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_d2909",
                            table="nodes",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="agentchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="44dc69727568de5c522848d25bcebf020ba62945",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_496b1",
                            table="agents_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="benchmarkchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="59d33c5169d6903f68f790f3206a4cae9152c66f",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_a2b2e",
                            table="benchmarks_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="listingchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="8aca1788bb6c739bae036aa884b59c34f6200eaf",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_a8fc7",
                            table="listings_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="machinechange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="80676705da93061bad378331cd39a34266cf7a1f",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_f6456",
                            table="machines_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="maintenancewindowchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="b18a898da201170468fe88375f0f047ac5ac377b",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_3fc6d",
                            table="maintenance_windows_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="nodechange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="aa1c435748f0abe596a2fbf927f43f47a30fb536",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_9b8ff",
                            table="nodes_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
            ],
        ),
        migrations.RunPython(
            write_down_what_is_there(
                "machines", "Agent", "Benchmark", "Listing", "Machine", "MaintenanceWindow", "Node"
            ),
            leave,
        ),
    ]
