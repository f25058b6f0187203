import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import common.history.migrating
from common.history.beginning import leave, write_down_what_is_there


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0018_key_choices"),
    ]

    operations = [
        common.history.migrating.Together(
            operations=[
                migrations.CreateModel(
                    name="AccessChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("host", models.CharField(max_length=253)),
                        ("port", models.PositiveIntegerField()),
                        ("username", models.CharField(max_length=32)),
                        ("host_key_fingerprint", models.CharField(max_length=80)),
                        ("note", models.TextField(blank=True, max_length=2000)),
                        ("ready_at", models.DateTimeField()),
                        (
                            "booking",
                            models.ForeignKey(
                                db_column="booking_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="bookings.booking",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="bookings.access",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of access",
                        "verbose_name_plural": "changes of accesses",
                        "db_table": "booking_accesses_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["booking"], name="booking_acc_booking_752f97_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="ApprovalChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("reason", models.CharField(max_length=1000)),
                        ("status", models.CharField(max_length=10)),
                        ("asked_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        ("answer", models.CharField(blank=True, max_length=1000)),
                        (
                            "booking",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="bookings.booking",
                            ),
                        ),
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
                            "organization",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
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
                                to="bookings.approval",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of approval",
                        "verbose_name_plural": "changes of approvals",
                        "db_table": "approvals_changes",
                        "abstract": False,
                        "indexes": [
                            models.Index(fields=["booking"], name="approvals_c_booking_3f475e_idx"),
                            models.Index(fields=["organization"], name="approvals_c_organiz_3f509f_idx"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BookingChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("start", models.DateTimeField(db_column="start_timestamp")),
                        ("end", models.DateTimeField(db_column="end_timestamp")),
                        ("blocked_until", models.DateTimeField()),
                        ("status", models.CharField(db_column="booking_status", max_length=10)),
                        ("hold_expires_at", models.DateTimeField()),
                        ("paid_at", models.DateTimeField(blank=True, null=True)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("access_kind", models.CharField(max_length=20)),
                        ("booked_end", models.DateTimeField(blank=True, null=True)),
                        ("left_at", models.DateTimeField(blank=True, null=True)),
                        ("late_minutes", models.PositiveIntegerField()),
                        ("down_minutes", models.PositiveIntegerField(blank=True, null=True)),
                        ("settled_at", models.DateTimeField(blank=True, null=True)),
                        ("lost_amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("paid_minutes", models.PositiveIntegerField(blank=True, null=True)),
                        ("ended_early_at", models.DateTimeField(blank=True, null=True)),
                        ("unused_amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("wipe_opened_at", models.DateTimeField(blank=True, null=True)),
                        ("wiped_at", models.DateTimeField(blank=True, null=True)),
                        ("completed_at", models.DateTimeField(blank=True, null=True)),
                        ("canceled_at", models.DateTimeField(blank=True, null=True)),
                        ("cancellation_terms", models.CharField(max_length=10)),
                        ("currency", models.CharField(max_length=3)),
                        ("price_total", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("given_back", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("tax_kind", models.CharField(max_length=20)),
                        ("tax_rate", models.DecimalField(decimal_places=4, max_digits=5)),
                        ("purchase_order", models.CharField(blank=True, max_length=60)),
                        ("cost_centre", models.CharField(blank=True, max_length=60)),
                        (
                            "buyer",
                            models.ForeignKey(
                                db_column="buyer_id",
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
                                to="bookings.booking",
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="accounts.project",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of booking",
                        "verbose_name_plural": "changes of bookings",
                        "db_table": "bookings_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="bookings_ch_organiz_7acef8_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="BudgetChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("period", models.CharField(max_length=10)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_by",
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
                            "member",
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
                            "organization",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
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
                                to="bookings.budget",
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="accounts.project",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of budget",
                        "verbose_name_plural": "changes of budgets",
                        "db_table": "budgets_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="budgets_cha_organiz_ae0422_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="ChargeChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("number", models.PositiveSmallIntegerField()),
                        ("kind", models.CharField(max_length=10)),
                        ("status", models.CharField(max_length=10)),
                        ("covers_from", models.DateTimeField()),
                        ("covers_until", models.DateTimeField()),
                        ("amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("due_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("paid_at", models.DateTimeField(blank=True, null=True)),
                        ("dropped_at", models.DateTimeField(blank=True, null=True)),
                        ("dropped_because", models.CharField(blank=True, max_length=200)),
                        (
                            "booking",
                            models.ForeignKey(
                                db_column="booking_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="bookings.booking",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="bookings.charge",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of charge",
                        "verbose_name_plural": "changes of charges",
                        "db_table": "charges_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["booking"], name="charges_cha_booking_58de25_idx")],
                    },
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="access",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "booking_accesses_changes" ("booking_id", "host", "host_key_fingerprint", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "port", "ready_at", "username") VALUES (NEW."booking_id", NEW."host", NEW."host_key_fingerprint", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."port", NEW."ready_at", NEW."username"); RETURN NULL;',
                            hash="2ba477dc1bcf361fcb8755d7d6ed405a1c5b7883",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_983a9",
                            table="booking_accesses",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="access",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."booking_id" IS DISTINCT FROM (NEW."booking_id") OR OLD."host" IS DISTINCT FROM (NEW."host") OR OLD."host_key_fingerprint" IS DISTINCT FROM (NEW."host_key_fingerprint") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."port" IS DISTINCT FROM (NEW."port") OR OLD."ready_at" IS DISTINCT FROM (NEW."ready_at") OR OLD."username" IS DISTINCT FROM (NEW."username"))',
                            func='INSERT INTO "booking_accesses_changes" ("booking_id", "host", "host_key_fingerprint", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "port", "ready_at", "username") VALUES (NEW."booking_id", NEW."host", NEW."host_key_fingerprint", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."port", NEW."ready_at", NEW."username"); RETURN NULL;',
                            hash="127038a0ebfa36c00ca5089296d384f26d1195a1",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_8a8c8",
                            table="booking_accesses",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="access",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "booking_accesses_changes" ("booking_id", "host", "host_key_fingerprint", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "port", "ready_at", "username") VALUES (OLD."booking_id", OLD."host", OLD."host_key_fingerprint", OLD."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."port", OLD."ready_at", OLD."username"); RETURN NULL;',
                            hash="457e5d2f10ee6d2d496ff51a801d9643a3dbf055",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_9078f",
                            table="booking_accesses",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="approval",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "approvals_changes" ("answer", "asked_at", "booking_id", "decided_at", "decided_by_id", "expires_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status") VALUES (NEW."answer", NEW."asked_at", NEW."booking_id", NEW."decided_at", NEW."decided_by_id", NEW."expires_at", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."status"); RETURN NULL;',
                            hash="04798f31eaadceada0ca06c27a5fa41b70f1028d",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_60721",
                            table="approvals",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="approval",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."answer" IS DISTINCT FROM (NEW."answer") OR OLD."asked_at" IS DISTINCT FROM (NEW."asked_at") OR OLD."booking_id" IS DISTINCT FROM (NEW."booking_id") OR OLD."decided_at" IS DISTINCT FROM (NEW."decided_at") OR OLD."decided_by_id" IS DISTINCT FROM (NEW."decided_by_id") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."status" IS DISTINCT FROM (NEW."status"))',
                            func='INSERT INTO "approvals_changes" ("answer", "asked_at", "booking_id", "decided_at", "decided_by_id", "expires_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status") VALUES (NEW."answer", NEW."asked_at", NEW."booking_id", NEW."decided_at", NEW."decided_by_id", NEW."expires_at", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."status"); RETURN NULL;',
                            hash="2bde5b6eddfa82b2027a143e432980db7e57d8ab",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_4f4ff",
                            table="approvals",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="approval",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "approvals_changes" ("answer", "asked_at", "booking_id", "decided_at", "decided_by_id", "expires_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status") VALUES (OLD."answer", OLD."asked_at", OLD."booking_id", OLD."decided_at", OLD."decided_by_id", OLD."expires_at", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."status"); RETURN NULL;',
                            hash="d436ba9767a3397c5f460b4edef2bab43d2019ed",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_bb90b",
                            table="approvals",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="booking",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "bookings_changes" ("access_kind", "blocked_until", "booked_end", "booking_status", "buyer_id", "canceled_at", "cancellation_terms", "completed_at", "cost_centre", "currency", "down_minutes", "end_timestamp", "ended_early_at", "given_back", "hardware_id", "hold_expires_at", "late_minutes", "left_at", "lost_amount", "organization_id", "paid_at", "paid_minutes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_total", "project_id", "purchase_order", "settled_at", "start_timestamp", "started_at", "tax_kind", "tax_rate", "unused_amount", "wipe_opened_at", "wiped_at") VALUES (NEW."access_kind", NEW."blocked_until", NEW."booked_end", NEW."booking_status", NEW."buyer_id", NEW."canceled_at", NEW."cancellation_terms", NEW."completed_at", NEW."cost_centre", NEW."currency", NEW."down_minutes", NEW."end_timestamp", NEW."ended_early_at", NEW."given_back", NEW."hardware_id", NEW."hold_expires_at", NEW."late_minutes", NEW."left_at", NEW."lost_amount", NEW."organization_id", NEW."paid_at", NEW."paid_minutes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."booking_id", NEW."price_total", NEW."project_id", NEW."purchase_order", NEW."settled_at", NEW."start_timestamp", NEW."started_at", NEW."tax_kind", NEW."tax_rate", NEW."unused_amount", NEW."wipe_opened_at", NEW."wiped_at"); RETURN NULL;',
                            hash="f09220fcb3a4c66d6abda312d957454a5e35f612",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_28bb6",
                            table="bookings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="booking",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."access_kind" IS DISTINCT FROM (NEW."access_kind") OR OLD."blocked_until" IS DISTINCT FROM (NEW."blocked_until") OR OLD."booked_end" IS DISTINCT FROM (NEW."booked_end") OR OLD."buyer_id" IS DISTINCT FROM (NEW."buyer_id") OR OLD."canceled_at" IS DISTINCT FROM (NEW."canceled_at") OR OLD."cancellation_terms" IS DISTINCT FROM (NEW."cancellation_terms") OR OLD."completed_at" IS DISTINCT FROM (NEW."completed_at") OR OLD."cost_centre" IS DISTINCT FROM (NEW."cost_centre") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."down_minutes" IS DISTINCT FROM (NEW."down_minutes") OR OLD."end_timestamp" IS DISTINCT FROM (NEW."end_timestamp") OR OLD."ended_early_at" IS DISTINCT FROM (NEW."ended_early_at") OR OLD."given_back" IS DISTINCT FROM (NEW."given_back") OR OLD."hold_expires_at" IS DISTINCT FROM (NEW."hold_expires_at") OR OLD."late_minutes" IS DISTINCT FROM (NEW."late_minutes") OR OLD."left_at" IS DISTINCT FROM (NEW."left_at") OR OLD."lost_amount" IS DISTINCT FROM (NEW."lost_amount") OR OLD."hardware_id" IS DISTINCT FROM (NEW."hardware_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."paid_at" IS DISTINCT FROM (NEW."paid_at") OR OLD."paid_minutes" IS DISTINCT FROM (NEW."paid_minutes") OR OLD."price_total" IS DISTINCT FROM (NEW."price_total") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id") OR OLD."purchase_order" IS DISTINCT FROM (NEW."purchase_order") OR OLD."settled_at" IS DISTINCT FROM (NEW."settled_at") OR OLD."start_timestamp" IS DISTINCT FROM (NEW."start_timestamp") OR OLD."started_at" IS DISTINCT FROM (NEW."started_at") OR OLD."booking_status" IS DISTINCT FROM (NEW."booking_status") OR OLD."tax_kind" IS DISTINCT FROM (NEW."tax_kind") OR OLD."tax_rate" IS DISTINCT FROM (NEW."tax_rate") OR OLD."unused_amount" IS DISTINCT FROM (NEW."unused_amount") OR OLD."wipe_opened_at" IS DISTINCT FROM (NEW."wipe_opened_at") OR OLD."wiped_at" IS DISTINCT FROM (NEW."wiped_at"))',
                            func='INSERT INTO "bookings_changes" ("access_kind", "blocked_until", "booked_end", "booking_status", "buyer_id", "canceled_at", "cancellation_terms", "completed_at", "cost_centre", "currency", "down_minutes", "end_timestamp", "ended_early_at", "given_back", "hardware_id", "hold_expires_at", "late_minutes", "left_at", "lost_amount", "organization_id", "paid_at", "paid_minutes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_total", "project_id", "purchase_order", "settled_at", "start_timestamp", "started_at", "tax_kind", "tax_rate", "unused_amount", "wipe_opened_at", "wiped_at") VALUES (NEW."access_kind", NEW."blocked_until", NEW."booked_end", NEW."booking_status", NEW."buyer_id", NEW."canceled_at", NEW."cancellation_terms", NEW."completed_at", NEW."cost_centre", NEW."currency", NEW."down_minutes", NEW."end_timestamp", NEW."ended_early_at", NEW."given_back", NEW."hardware_id", NEW."hold_expires_at", NEW."late_minutes", NEW."left_at", NEW."lost_amount", NEW."organization_id", NEW."paid_at", NEW."paid_minutes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."booking_id", NEW."price_total", NEW."project_id", NEW."purchase_order", NEW."settled_at", NEW."start_timestamp", NEW."started_at", NEW."tax_kind", NEW."tax_rate", NEW."unused_amount", NEW."wipe_opened_at", NEW."wiped_at"); RETURN NULL;',
                            hash="30757a5a5ccd0d24fbb02fe8051e5d5f16c263b1",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_d8751",
                            table="bookings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="booking",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "bookings_changes" ("access_kind", "blocked_until", "booked_end", "booking_status", "buyer_id", "canceled_at", "cancellation_terms", "completed_at", "cost_centre", "currency", "down_minutes", "end_timestamp", "ended_early_at", "given_back", "hardware_id", "hold_expires_at", "late_minutes", "left_at", "lost_amount", "organization_id", "paid_at", "paid_minutes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_total", "project_id", "purchase_order", "settled_at", "start_timestamp", "started_at", "tax_kind", "tax_rate", "unused_amount", "wipe_opened_at", "wiped_at") VALUES (OLD."access_kind", OLD."blocked_until", OLD."booked_end", OLD."booking_status", OLD."buyer_id", OLD."canceled_at", OLD."cancellation_terms", OLD."completed_at", OLD."cost_centre", OLD."currency", OLD."down_minutes", OLD."end_timestamp", OLD."ended_early_at", OLD."given_back", OLD."hardware_id", OLD."hold_expires_at", OLD."late_minutes", OLD."left_at", OLD."lost_amount", OLD."organization_id", OLD."paid_at", OLD."paid_minutes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."booking_id", OLD."price_total", OLD."project_id", OLD."purchase_order", OLD."settled_at", OLD."start_timestamp", OLD."started_at", OLD."tax_kind", OLD."tax_rate", OLD."unused_amount", OLD."wipe_opened_at", OLD."wiped_at"); RETURN NULL;',
                            hash="f24a3ce870091d9a03d28db5494540bcc24195b4",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_0839f",
                            table="bookings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="budget",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "budgets_changes" ("amount", "created_by_id", "currency", "ended_at", "member_id", "organization_id", "period", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id") VALUES (NEW."amount", NEW."created_by_id", NEW."currency", NEW."ended_at", NEW."member_id", NEW."organization_id", NEW."period", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."project_id"); RETURN NULL;',
                            hash="4e32dd19e1130b6c14e6bf6f14a00f0525b65452",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_8d49c",
                            table="budgets",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="budget",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."member_id" IS DISTINCT FROM (NEW."member_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."period" IS DISTINCT FROM (NEW."period") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id"))',
                            func='INSERT INTO "budgets_changes" ("amount", "created_by_id", "currency", "ended_at", "member_id", "organization_id", "period", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id") VALUES (NEW."amount", NEW."created_by_id", NEW."currency", NEW."ended_at", NEW."member_id", NEW."organization_id", NEW."period", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."project_id"); RETURN NULL;',
                            hash="19fdc08d49dab98746b84e9fd560092ed08746ed",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_eb716",
                            table="budgets",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="budget",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "budgets_changes" ("amount", "created_by_id", "currency", "ended_at", "member_id", "organization_id", "period", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id") VALUES (OLD."amount", OLD."created_by_id", OLD."currency", OLD."ended_at", OLD."member_id", OLD."organization_id", OLD."period", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."project_id"); RETURN NULL;',
                            hash="ab15e6e32964015b363848ba6fb5eb81c4d7c5fd",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_3d870",
                            table="budgets",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="charge",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "charges_changes" ("amount", "booking_id", "covers_from", "covers_until", "currency", "dropped_at", "dropped_because", "due_at", "expires_at", "kind", "number", "paid_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status") VALUES (NEW."amount", NEW."booking_id", NEW."covers_from", NEW."covers_until", NEW."currency", NEW."dropped_at", NEW."dropped_because", NEW."due_at", NEW."expires_at", NEW."kind", NEW."number", NEW."paid_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."status"); RETURN NULL;',
                            hash="9a7f051e3bbadc64b88c3799d968428052df19cc",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_4de7d",
                            table="charges",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="charge",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."booking_id" IS DISTINCT FROM (NEW."booking_id") OR OLD."covers_from" IS DISTINCT FROM (NEW."covers_from") OR OLD."covers_until" IS DISTINCT FROM (NEW."covers_until") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."dropped_at" IS DISTINCT FROM (NEW."dropped_at") OR OLD."dropped_because" IS DISTINCT FROM (NEW."dropped_because") OR OLD."due_at" IS DISTINCT FROM (NEW."due_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."paid_at" IS DISTINCT FROM (NEW."paid_at") OR OLD."status" IS DISTINCT FROM (NEW."status"))',
                            func='INSERT INTO "charges_changes" ("amount", "booking_id", "covers_from", "covers_until", "currency", "dropped_at", "dropped_because", "due_at", "expires_at", "kind", "number", "paid_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status") VALUES (NEW."amount", NEW."booking_id", NEW."covers_from", NEW."covers_until", NEW."currency", NEW."dropped_at", NEW."dropped_because", NEW."due_at", NEW."expires_at", NEW."kind", NEW."number", NEW."paid_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."status"); RETURN NULL;',
                            hash="1b6b6e4b65757b5e43389d129b8709d52c2c7a53",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_bedd6",
                            table="charges",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="charge",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "charges_changes" ("amount", "booking_id", "covers_from", "covers_until", "currency", "dropped_at", "dropped_because", "due_at", "expires_at", "kind", "number", "paid_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status") VALUES (OLD."amount", OLD."booking_id", OLD."covers_from", OLD."covers_until", OLD."currency", OLD."dropped_at", OLD."dropped_because", OLD."due_at", OLD."expires_at", OLD."kind", OLD."number", OLD."paid_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."status"); RETURN NULL;',
                            hash="19f803023a8e0a68caa628f7c2cd40fc0c356128",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_52452",
                            table="charges",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="accesschange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="039224c4a45f217dd9e8d0224ba3b3d4dfbce8da",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_c963b",
                            table="booking_accesses_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="approvalchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="0271aa18f8c9384f93523e30936bb02969109bab",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_b7cd9",
                            table="approvals_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="bookingchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="457bc7d068f1c0824b6bb8fa29cb0fe55ecfaea1",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_53557",
                            table="bookings_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="budgetchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="183dd691d0f6998e35e8151ef557364fa4150861",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_25264",
                            table="budgets_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="chargechange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="0d9a01cf19b9481828be5ddb25203525b2e4ba09",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_6b9e6",
                            table="charges_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
            ],
        ),
        migrations.RunPython(
            write_down_what_is_there("bookings", "Access", "Approval", "Booking", "Budget", "Charge"), leave
        ),
    ]
