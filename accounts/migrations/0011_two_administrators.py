import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import common.history.migrating
import common.ids
from common.history.beginning import leave, write_down_what_is_there
from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_verifications"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="verificationchange",
                    name="expired_at",
                    field=models.DateTimeField(blank=True, editable=False, null=True),
                ),
                migrations.AddField(
                    model_name="verificationchange",
                    name="valid_until",
                    field=models.DateTimeField(blank=True, null=True),
                ),
                migrations.CreateModel(
                    name="Acting",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=common.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("reason", models.CharField(help_text="The person reads it.", max_length=1000)),
                        ("began_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("ends_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "ended_by",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("stopped", "Stopped"),
                                    ("time", "Its time was over"),
                                    ("signed_out", "Signed out"),
                                    ("refused", "No longer allowed"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "administrator",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="looked_at",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "acting as a person",
                        "verbose_name_plural": "acting as people",
                        "db_table": "actings",
                        "ordering": ["-began_at"],
                    },
                ),
                migrations.CreateModel(
                    name="Decision",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=common.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("action", models.CharField(max_length=40)),
                        ("about", models.CharField(max_length=80)),
                        ("arguments", models.JSONField(default=dict)),
                        ("shown", models.JSONField(default=list)),
                        ("reason", models.CharField(max_length=1000)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waits for a second administrator"),
                                    ("done", "Confirmed and done"),
                                    ("declined", "Declined"),
                                    ("withdrawn", "Withdrawn"),
                                    ("expired", "Nobody confirmed it in time"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("expires_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "answer",
                            models.CharField(
                                blank=True, help_text="What the second administrator said.", max_length=1000
                            ),
                        ),
                        (
                            "asked_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "decision of two",
                        "verbose_name_plural": "decisions of two",
                        "db_table": "decisions",
                        "ordering": ["-asked_at"],
                    },
                ),
                migrations.AddIndex(
                    model_name="acting",
                    index=models.Index(fields=["user", "-began_at"], name="actings_of_user"),
                ),
                migrations.AddConstraint(
                    model_name="acting",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("administrator", models.F("user")), _negated=True),
                        name="actings_as_another",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="acting",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("began_at"))), name="actings_end_after_beginning"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="acting",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("ended_by", "")),
                            models.Q(("ended_at__isnull", False), models.Q(("ended_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="actings_ended_somehow",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="decision",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("action", "about"),
                        name="decisions_one_waiting",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="decision",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "done", "declined", "withdrawn", "expired"])),
                        name="decisions_state_known",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="decision",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(
                                ("decided_by__isnull", False),
                                models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="decisions_done_by_two",
                    ),
                ),
            ]
        ),
        common.history.migrating.Together(
            operations=[
                pgtrigger.migrations.RemoveTrigger(
                    model_name="verification",
                    name="insert_insert",
                ),
                pgtrigger.migrations.RemoveTrigger(
                    model_name="verification",
                    name="update_update",
                ),
                pgtrigger.migrations.RemoveTrigger(
                    model_name="verification",
                    name="delete_delete",
                ),
                migrations.CreateModel(
                    name="ActingChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("reason", models.CharField(max_length=1000)),
                        ("began_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_by", models.CharField(blank=True, max_length=10)),
                        (
                            "administrator",
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
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="accounts.acting",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of acting as a person",
                        "verbose_name_plural": "changes of acting as people",
                        "db_table": "actings_changes",
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="DecisionChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("action", models.CharField(max_length=40)),
                        ("about", models.CharField(max_length=80)),
                        ("reason", models.CharField(max_length=1000)),
                        ("state", models.CharField(max_length=10)),
                        ("expires_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        ("answer", models.CharField(blank=True, max_length=1000)),
                        (
                            "asked_by",
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
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="accounts.decision",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of decision of two",
                        "verbose_name_plural": "changes of decisions of two",
                        "db_table": "decisions_changes",
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="WebhookEndpointChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("kind", models.CharField(max_length=10)),
                        ("name", models.CharField(max_length=60)),
                        (
                            "events",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), size=None
                            ),
                        ),
                        ("disabled_at", models.DateTimeField(blank=True, null=True)),
                        ("disabled_because", models.CharField(blank=True, max_length=300)),
                        (
                            "created_by",
                            models.ForeignKey(
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
                                to="accounts.webhookendpoint",
                            ),
                        ),
                        (
                            "user",
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
                        "verbose_name": "change of webhook",
                        "verbose_name_plural": "changes of webhooks",
                        "db_table": "webhook_endpoints_changes",
                        "abstract": False,
                    },
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="verification",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "expired_at", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id", "valid_until") VALUES (NEW."country", NEW."decided_at", NEW."decided_by_id", NEW."expired_at", NEW."kind", NEW."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."status", NEW."submitted_at", NEW."user_id", NEW."valid_until"); RETURN NULL;',
                            hash="7799097a43db5ef1bcf7ec8145181cced68e35af",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_68975",
                            table="verifications",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="verification",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."decided_at" IS DISTINCT FROM (NEW."decided_at") OR OLD."decided_by_id" IS DISTINCT FROM (NEW."decided_by_id") OR OLD."expired_at" IS DISTINCT FROM (NEW."expired_at") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."legal_name" IS DISTINCT FROM (NEW."legal_name") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."submitted_at" IS DISTINCT FROM (NEW."submitted_at") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id") OR OLD."valid_until" IS DISTINCT FROM (NEW."valid_until"))',
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "expired_at", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id", "valid_until") VALUES (NEW."country", NEW."decided_at", NEW."decided_by_id", NEW."expired_at", NEW."kind", NEW."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."status", NEW."submitted_at", NEW."user_id", NEW."valid_until"); RETURN NULL;',
                            hash="2a785a20fc64b3adeabda48f7aec0d9c4b8fc248",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_6881b",
                            table="verifications",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="verification",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "expired_at", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id", "valid_until") VALUES (OLD."country", OLD."decided_at", OLD."decided_by_id", OLD."expired_at", OLD."kind", OLD."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."status", OLD."submitted_at", OLD."user_id", OLD."valid_until"); RETURN NULL;',
                            hash="6ef7d67c20edcf82973ce53a0b93de04e74afd9d",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_4d503",
                            table="verifications",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="webhookendpoint",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "webhook_endpoints_changes" ("created_by_id", "disabled_at", "disabled_because", "events", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."created_by_id", NEW."disabled_at", NEW."disabled_because", NEW."events", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."user_id"); RETURN NULL;',
                            hash="3b1ceb2a421668139a2ec9f4d7ffe009510bfda4",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_ca5e8",
                            table="webhook_endpoints",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="webhookendpoint",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."disabled_at" IS DISTINCT FROM (NEW."disabled_at") OR OLD."disabled_because" IS DISTINCT FROM (NEW."disabled_because") OR OLD."events" IS DISTINCT FROM (NEW."events") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "webhook_endpoints_changes" ("created_by_id", "disabled_at", "disabled_because", "events", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."created_by_id", NEW."disabled_at", NEW."disabled_because", NEW."events", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."user_id"); RETURN NULL;',
                            hash="e2b318dd6eaa364d5464a05b57fedd4244190aca",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_fbd22",
                            table="webhook_endpoints",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="webhookendpoint",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "webhook_endpoints_changes" ("created_by_id", "disabled_at", "disabled_because", "events", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (OLD."created_by_id", OLD."disabled_at", OLD."disabled_because", OLD."events", OLD."kind", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."user_id"); RETURN NULL;',
                            hash="e4bc4f09ee7d242dc9b2e892379eea334f03bce1",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_d7c16",
                            table="webhook_endpoints",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="acting",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "actings_changes" ("administrator_id", "began_at", "ended_at", "ended_by", "ends_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "user_id") VALUES (NEW."administrator_id", NEW."began_at", NEW."ended_at", NEW."ended_by", NEW."ends_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."user_id"); RETURN NULL;',
                            hash="6556e2dd0a96ad218ba75f13b99cfd39c0676aec",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_c8237",
                            table="actings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="acting",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."administrator_id" IS DISTINCT FROM (NEW."administrator_id") OR OLD."began_at" IS DISTINCT FROM (NEW."began_at") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."ended_by" IS DISTINCT FROM (NEW."ended_by") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "actings_changes" ("administrator_id", "began_at", "ended_at", "ended_by", "ends_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "user_id") VALUES (NEW."administrator_id", NEW."began_at", NEW."ended_at", NEW."ended_by", NEW."ends_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."user_id"); RETURN NULL;',
                            hash="bec694be90e10297532a61ec5e47f3a568946da2",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_d2f96",
                            table="actings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="acting",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "actings_changes" ("administrator_id", "began_at", "ended_at", "ended_by", "ends_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "user_id") VALUES (OLD."administrator_id", OLD."began_at", OLD."ended_at", OLD."ended_by", OLD."ends_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."user_id"); RETURN NULL;',
                            hash="fdc0b64d43b51230511915edc9a6b9ed7d059431",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_00ec0",
                            table="actings",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="actingchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="8216eccd7a1815d808eff44264225e6f8ac8cd12",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_253ad",
                            table="actings_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="decision",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "decisions_changes" ("about", "action", "answer", "asked_by_id", "decided_at", "decided_by_id", "expires_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (NEW."about", NEW."action", NEW."answer", NEW."asked_by_id", NEW."decided_at", NEW."decided_by_id", NEW."expires_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."state"); RETURN NULL;',
                            hash="bea52f5c256ae05c67fed41e988be09b493f5780",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_11229",
                            table="decisions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="decision",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."about" IS DISTINCT FROM (NEW."about") OR OLD."action" IS DISTINCT FROM (NEW."action") OR OLD."answer" IS DISTINCT FROM (NEW."answer") OR OLD."asked_by_id" IS DISTINCT FROM (NEW."asked_by_id") OR OLD."decided_at" IS DISTINCT FROM (NEW."decided_at") OR OLD."decided_by_id" IS DISTINCT FROM (NEW."decided_by_id") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."state" IS DISTINCT FROM (NEW."state"))',
                            func='INSERT INTO "decisions_changes" ("about", "action", "answer", "asked_by_id", "decided_at", "decided_by_id", "expires_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (NEW."about", NEW."action", NEW."answer", NEW."asked_by_id", NEW."decided_at", NEW."decided_by_id", NEW."expires_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."state"); RETURN NULL;',
                            hash="9de60075e78955296f2ac23af8fc3f1cf3774401",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_70464",
                            table="decisions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="decision",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "decisions_changes" ("about", "action", "answer", "asked_by_id", "decided_at", "decided_by_id", "expires_at", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (OLD."about", OLD."action", OLD."answer", OLD."asked_by_id", OLD."decided_at", OLD."decided_by_id", OLD."expires_at", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."state"); RETURN NULL;',
                            hash="10001d0276a720d2d0f7e8264613d3a53fe189bd",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_eaad8",
                            table="decisions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="decisionchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="92f0ef0e08fbcba2d3c893f934665d1993ae57ec",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_c262e",
                            table="decisions_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="webhookendpointchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="266ff7bb7bb7c4057a4ccda58c546f5e2c2f8c37",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_e95e3",
                            table="webhook_endpoints_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
            ],
        ),
        Together(
            [
                migrations.AddIndex(
                    model_name="webhookendpointchange",
                    index=models.Index(fields=["user"], name="webhook_end_user_id_b59592_idx"),
                ),
                migrations.AddIndex(
                    model_name="webhookendpointchange",
                    index=models.Index(fields=["organization"], name="webhook_end_organiz_2517f9_idx"),
                ),
            ]
        ),
        migrations.RunPython(write_down_what_is_there("accounts", "WebhookEndpoint"), leave),
    ]
