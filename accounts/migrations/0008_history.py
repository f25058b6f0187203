import django.contrib.postgres.fields
import django.db.models.deletion
import django_countries.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import accounts.models.user
import common.history.migrating
from common.history.beginning import leave, write_down_what_is_there


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_tokens_and_shared_keys"),
    ]

    operations = [
        common.history.migrating.Together(
            operations=[
                migrations.CreateModel(
                    name="OrganizationChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=200)),
                        ("kind", models.CharField(max_length=20)),
                        ("country", django_countries.fields.CountryField(max_length=2)),
                        ("needs_project", models.BooleanField()),
                        ("needs_purchase_order", models.BooleanField()),
                        ("needs_cost_centre", models.BooleanField()),
                        ("needs_grant", models.BooleanField()),
                        ("needs_member_budget", models.BooleanField()),
                        ("approval_above", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                        (
                            "owner",
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
                                to="accounts.organization",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of organization",
                        "verbose_name_plural": "changes of organizations",
                        "db_table": "organizations_changes",
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="UserChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        (
                            "roles",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("buyer", "Buyer"),
                                        ("provider", "Provider"),
                                        ("platform_administrator", "Platform Administrator"),
                                        ("organizational_administrator", "Organizational Administrator"),
                                    ],
                                    max_length=40,
                                ),
                                blank=True,
                                size=None,
                            ),
                        ),
                        ("is_active", models.BooleanField()),
                        ("is_staff", models.BooleanField()),
                        ("is_superuser", models.BooleanField()),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of user",
                        "verbose_name_plural": "changes of users",
                        "db_table": "users_changes",
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="ApiTokenChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=80)),
                        ("prefix", models.CharField(max_length=20)),
                        (
                            "scopes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("listings:read", "Listings: read"),
                                        ("listings:write", "Listings: read and change"),
                                        ("bookings:read", "Bookings: read"),
                                        ("bookings:write", "Bookings: read and change"),
                                        ("billing:read", "Billing: read"),
                                        ("billing:write", "Billing: read and change"),
                                        ("machines:read", "Machines: read"),
                                        ("machines:write", "Machines: read and change"),
                                        ("organization:read", "Organization: read"),
                                        ("organization:write", "Organization: read and change"),
                                        ("feeds", "Calendar feeds"),
                                    ],
                                    max_length=30,
                                ),
                                size=None,
                            ),
                        ),
                        ("expires_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
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
                                to="accounts.apitoken",
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
                        "verbose_name": "change of API token",
                        "verbose_name_plural": "changes of API tokens",
                        "db_table": "api_tokens_changes",
                        "abstract": False,
                        "indexes": [
                            models.Index(fields=["user"], name="api_tokens__user_id_0f075d_idx"),
                            models.Index(fields=["organization"], name="api_tokens__organiz_e49197_idx"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BillingDetailsChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("kind", models.CharField(max_length=20)),
                        ("name", models.CharField(max_length=200)),
                        ("street", models.CharField(max_length=200)),
                        ("postal_code", models.CharField(blank=True, max_length=20)),
                        ("city", models.CharField(max_length=100)),
                        ("country", django_countries.fields.CountryField(max_length=2)),
                        ("vat_id", models.CharField(blank=True, max_length=20)),
                        ("invoice_email", models.EmailField(blank=True, max_length=254)),
                        ("purchase_order", models.CharField(blank=True, max_length=60)),
                        ("cost_centre", models.CharField(blank=True, max_length=60)),
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
                                to="accounts.billingdetails",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                blank=True,
                                db_column="customer_id",
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
                        "verbose_name": "change of billing details",
                        "verbose_name_plural": "changes of billing details",
                        "db_table": "billing_details_changes",
                        "abstract": False,
                        "indexes": [
                            models.Index(fields=["user"], name="billing_det_custome_26ca35_idx"),
                            models.Index(fields=["organization"], name="billing_det_organiz_53e2ea_idx"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CostCentreChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("code", models.CharField(max_length=60)),
                        ("name", models.CharField(blank=True, max_length=120)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
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
                                to="accounts.costcentre",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of cost centre",
                        "verbose_name_plural": "changes of cost centres",
                        "db_table": "cost_centres_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="cost_centre_organiz_a8fb31_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="InvitationChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("email", accounts.models.user.CaseInsensitiveEmailField(max_length=254)),
                        ("role", models.CharField(max_length=20)),
                        ("sent_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("accepted_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "accepted_by",
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
                            "invited_by",
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
                                to="accounts.invitation",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of invitation",
                        "verbose_name_plural": "changes of invitations",
                        "db_table": "invitations_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="invitations_organiz_2644a0_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="MembershipChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("role", models.CharField(max_length=20)),
                        ("joined_at", models.DateTimeField()),
                        ("left_at", models.DateTimeField(blank=True, null=True)),
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
                                to="accounts.membership",
                            ),
                        ),
                        (
                            "removed_by",
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
                        "verbose_name": "change of membership",
                        "verbose_name_plural": "changes of memberships",
                        "db_table": "memberships_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="memberships_organiz_562cb0_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="ProjectChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=120)),
                        ("grant", models.CharField(blank=True, max_length=120)),
                        ("grant_ends_on", models.DateField(blank=True, null=True)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
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
                                to="accounts.project",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of project",
                        "verbose_name_plural": "changes of projects",
                        "db_table": "projects_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["organization"], name="projects_ch_organiz_e1dcd3_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="SSHKeyChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("name", models.CharField(max_length=80)),
                        ("key_type", models.CharField(max_length=40)),
                        ("fingerprint", models.CharField(max_length=80)),
                        (
                            "added_by",
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
                                to="accounts.sshkey",
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
                        "verbose_name": "change of SSH key",
                        "verbose_name_plural": "changes of SSH keys",
                        "db_table": "ssh_keys_changes",
                        "abstract": False,
                        "indexes": [
                            models.Index(fields=["user"], name="ssh_keys_ch_user_id_04b427_idx"),
                            models.Index(fields=["organization"], name="ssh_keys_ch_organiz_b9c37d_idx"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="VerificationChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("status", models.CharField(max_length=20)),
                        ("kind", models.CharField(max_length=20)),
                        ("legal_name", models.CharField(max_length=200)),
                        ("country", django_countries.fields.CountryField(max_length=2)),
                        ("submitted_at", models.DateTimeField()),
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
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="accounts.verification",
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
                        "verbose_name": "change of verification",
                        "verbose_name_plural": "changes of verifications",
                        "db_table": "verifications_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["user"], name="verificatio_user_id_623e29_idx")],
                    },
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="apitoken",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "api_tokens_changes" ("expires_at", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "revoked_at", "revoked_by_id", "scopes", "user_id") VALUES (NEW."expires_at", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."prefix", NEW."revoked_at", NEW."revoked_by_id", NEW."scopes", NEW."user_id"); RETURN NULL;',
                            hash="45e584e1ccd0620e14800c87e34efa12a50342ce",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_01b7d",
                            table="api_tokens",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="apitoken",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."prefix" IS DISTINCT FROM (NEW."prefix") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."revoked_by_id" IS DISTINCT FROM (NEW."revoked_by_id") OR OLD."scopes" IS DISTINCT FROM (NEW."scopes") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "api_tokens_changes" ("expires_at", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "revoked_at", "revoked_by_id", "scopes", "user_id") VALUES (NEW."expires_at", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."prefix", NEW."revoked_at", NEW."revoked_by_id", NEW."scopes", NEW."user_id"); RETURN NULL;',
                            hash="613bed027ae9282aa6a10512f98603d9251d524f",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_df53b",
                            table="api_tokens",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="apitoken",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "api_tokens_changes" ("expires_at", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "revoked_at", "revoked_by_id", "scopes", "user_id") VALUES (OLD."expires_at", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."prefix", OLD."revoked_at", OLD."revoked_by_id", OLD."scopes", OLD."user_id"); RETURN NULL;',
                            hash="d227c37ba5bf6aa5b0eceec5451c63b0a2b86c6d",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_6e065",
                            table="api_tokens",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="billingdetails",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "billing_details_changes" ("city", "cost_centre", "country", "customer_id", "invoice_email", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "postal_code", "purchase_order", "street", "vat_id") VALUES (NEW."city", NEW."cost_centre", NEW."country", NEW."customer_id", NEW."invoice_email", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."postal_code", NEW."purchase_order", NEW."street", NEW."vat_id"); RETURN NULL;',
                            hash="2294efe79fb3e16c60ad83983ec44ca0335f6829",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_6d90d",
                            table="billing_details",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="billingdetails",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."city" IS DISTINCT FROM (NEW."city") OR OLD."cost_centre" IS DISTINCT FROM (NEW."cost_centre") OR OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."invoice_email" IS DISTINCT FROM (NEW."invoice_email") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."postal_code" IS DISTINCT FROM (NEW."postal_code") OR OLD."purchase_order" IS DISTINCT FROM (NEW."purchase_order") OR OLD."street" IS DISTINCT FROM (NEW."street") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."vat_id" IS DISTINCT FROM (NEW."vat_id"))',
                            func='INSERT INTO "billing_details_changes" ("city", "cost_centre", "country", "customer_id", "invoice_email", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "postal_code", "purchase_order", "street", "vat_id") VALUES (NEW."city", NEW."cost_centre", NEW."country", NEW."customer_id", NEW."invoice_email", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."postal_code", NEW."purchase_order", NEW."street", NEW."vat_id"); RETURN NULL;',
                            hash="9d8131fd34ed25a71c40c4de39e9c6beca11296e",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_87417",
                            table="billing_details",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="billingdetails",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "billing_details_changes" ("city", "cost_centre", "country", "customer_id", "invoice_email", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "postal_code", "purchase_order", "street", "vat_id") VALUES (OLD."city", OLD."cost_centre", OLD."country", OLD."customer_id", OLD."invoice_email", OLD."kind", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."postal_code", OLD."purchase_order", OLD."street", OLD."vat_id"); RETURN NULL;',
                            hash="1439d8fbef798ea224f21e2ffe7c49bc6eb79e9c",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_3d535",
                            table="billing_details",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="costcentre",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "cost_centres_changes" ("archived_at", "code", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."archived_at", NEW."code", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id"); RETURN NULL;',
                            hash="6fc133064f88a8ac0f28bda360a451874146beb5",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_68aff",
                            table="cost_centres",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="costcentre",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."code" IS DISTINCT FROM (NEW."code") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                            func='INSERT INTO "cost_centres_changes" ("archived_at", "code", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."archived_at", NEW."code", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id"); RETURN NULL;',
                            hash="6ce5b742df86a7d50a890bc2be34d8ba7bbf7891",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_71350",
                            table="cost_centres",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="costcentre",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "cost_centres_changes" ("archived_at", "code", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."archived_at", OLD."code", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id"); RETURN NULL;',
                            hash="989d9f7ed9b128605317679df7b5dd717daf4282",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_62732",
                            table="cost_centres",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="invitation",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "invitations_changes" ("accepted_at", "accepted_by_id", "email", "expires_at", "invited_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "role", "sent_at") VALUES (NEW."accepted_at", NEW."accepted_by_id", NEW."email", NEW."expires_at", NEW."invited_by_id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."revoked_at", NEW."role", NEW."sent_at"); RETURN NULL;',
                            hash="fab107d74c4338c859edf8b56e03a43aace748ca",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_8c354",
                            table="invitations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="invitation",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."accepted_at" IS DISTINCT FROM (NEW."accepted_at") OR OLD."accepted_by_id" IS DISTINCT FROM (NEW."accepted_by_id") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."invited_by_id" IS DISTINCT FROM (NEW."invited_by_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."role" IS DISTINCT FROM (NEW."role") OR OLD."sent_at" IS DISTINCT FROM (NEW."sent_at"))',
                            func='INSERT INTO "invitations_changes" ("accepted_at", "accepted_by_id", "email", "expires_at", "invited_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "role", "sent_at") VALUES (NEW."accepted_at", NEW."accepted_by_id", NEW."email", NEW."expires_at", NEW."invited_by_id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."revoked_at", NEW."role", NEW."sent_at"); RETURN NULL;',
                            hash="dc380b93215a0655c2e38a1273a9cd814edd3fb2",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_4e12d",
                            table="invitations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="invitation",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "invitations_changes" ("accepted_at", "accepted_by_id", "email", "expires_at", "invited_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoked_at", "role", "sent_at") VALUES (OLD."accepted_at", OLD."accepted_by_id", OLD."email", OLD."expires_at", OLD."invited_by_id", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."revoked_at", OLD."role", OLD."sent_at"); RETURN NULL;',
                            hash="64a85be87ad06ab55dfe6259b04ef6425e4db864",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_f2c14",
                            table="invitations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="membership",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "memberships_changes" ("joined_at", "left_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_by_id", "role", "user_id") VALUES (NEW."joined_at", NEW."left_at", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."removed_by_id", NEW."role", NEW."user_id"); RETURN NULL;',
                            hash="6dcdfc3ac29ca0fb2002168a831b35bd13226c27",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_fc05a",
                            table="memberships",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="membership",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."joined_at" IS DISTINCT FROM (NEW."joined_at") OR OLD."left_at" IS DISTINCT FROM (NEW."left_at") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."removed_by_id" IS DISTINCT FROM (NEW."removed_by_id") OR OLD."role" IS DISTINCT FROM (NEW."role") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "memberships_changes" ("joined_at", "left_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_by_id", "role", "user_id") VALUES (NEW."joined_at", NEW."left_at", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."removed_by_id", NEW."role", NEW."user_id"); RETURN NULL;',
                            hash="cbf326f559622093e123865bd8f09680c85f6efc",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_20ab5",
                            table="memberships",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="membership",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "memberships_changes" ("joined_at", "left_at", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_by_id", "role", "user_id") VALUES (OLD."joined_at", OLD."left_at", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."removed_by_id", OLD."role", OLD."user_id"); RETURN NULL;',
                            hash="d3348820de0d1ecc6d330b2f0199aefaf7e91401",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_19a8f",
                            table="memberships",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="organization",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "organizations_changes" ("approval_above", "country", "kind", "name", "needs_cost_centre", "needs_grant", "needs_member_budget", "needs_project", "needs_purchase_order", "owner_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."approval_above", NEW."country", NEW."kind", NEW."name", NEW."needs_cost_centre", NEW."needs_grant", NEW."needs_member_budget", NEW."needs_project", NEW."needs_purchase_order", NEW."owner_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id"); RETURN NULL;',
                            hash="7a2775c18dc0ae2befaf32e188284747d0a20893",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_6d17a",
                            table="organizations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="organization",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."approval_above" IS DISTINCT FROM (NEW."approval_above") OR OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."needs_cost_centre" IS DISTINCT FROM (NEW."needs_cost_centre") OR OLD."needs_grant" IS DISTINCT FROM (NEW."needs_grant") OR OLD."needs_member_budget" IS DISTINCT FROM (NEW."needs_member_budget") OR OLD."needs_project" IS DISTINCT FROM (NEW."needs_project") OR OLD."needs_purchase_order" IS DISTINCT FROM (NEW."needs_purchase_order") OR OLD."owner_id" IS DISTINCT FROM (NEW."owner_id"))',
                            func='INSERT INTO "organizations_changes" ("approval_above", "country", "kind", "name", "needs_cost_centre", "needs_grant", "needs_member_budget", "needs_project", "needs_purchase_order", "owner_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."approval_above", NEW."country", NEW."kind", NEW."name", NEW."needs_cost_centre", NEW."needs_grant", NEW."needs_member_budget", NEW."needs_project", NEW."needs_purchase_order", NEW."owner_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id"); RETURN NULL;',
                            hash="7c7a0f300847958d90b3c4e6efa5801b06e88f8e",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_df7c2",
                            table="organizations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="organization",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "organizations_changes" ("approval_above", "country", "kind", "name", "needs_cost_centre", "needs_grant", "needs_member_budget", "needs_project", "needs_purchase_order", "owner_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."approval_above", OLD."country", OLD."kind", OLD."name", OLD."needs_cost_centre", OLD."needs_grant", OLD."needs_member_budget", OLD."needs_project", OLD."needs_purchase_order", OLD."owner_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id"); RETURN NULL;',
                            hash="c45fe8fd824ee2c6b5cc2e40477a67ffa0328def",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_c7034",
                            table="organizations",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="project",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "projects_changes" ("archived_at", "grant", "grant_ends_on", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."archived_at", NEW."grant", NEW."grant_ends_on", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id"); RETURN NULL;',
                            hash="0fea1c6a1b269798cf85ee01dce86c4f30f32b31",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_c28f2",
                            table="projects",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="project",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."grant" IS DISTINCT FROM (NEW."grant") OR OLD."grant_ends_on" IS DISTINCT FROM (NEW."grant_ends_on") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                            func='INSERT INTO "projects_changes" ("archived_at", "grant", "grant_ends_on", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."archived_at", NEW."grant", NEW."grant_ends_on", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id"); RETURN NULL;',
                            hash="7fb0255530887170ca39b2eeacc89023f2e33ace",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_528f0",
                            table="projects",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="project",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "projects_changes" ("archived_at", "grant", "grant_ends_on", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."archived_at", OLD."grant", OLD."grant_ends_on", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id"); RETURN NULL;',
                            hash="9341627d7d0df214b89ca6c79d3f963ab844d035",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_bce9b",
                            table="projects",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="sshkey",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ssh_keys_changes" ("added_by_id", "fingerprint", "key_type", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."added_by_id", NEW."fingerprint", NEW."key_type", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."user_id"); RETURN NULL;',
                            hash="23b323dba3176532d528d9cdcadf63ed75fdc720",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_d9284",
                            table="ssh_keys",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="sshkey",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."added_by_id" IS DISTINCT FROM (NEW."added_by_id") OR OLD."fingerprint" IS DISTINCT FROM (NEW."fingerprint") OR OLD."key_type" IS DISTINCT FROM (NEW."key_type") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "ssh_keys_changes" ("added_by_id", "fingerprint", "key_type", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."added_by_id", NEW."fingerprint", NEW."key_type", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."user_id"); RETURN NULL;',
                            hash="ce37978dea5773754667f0f4bd73ee86a744e03b",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_7cc21",
                            table="ssh_keys",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="sshkey",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ssh_keys_changes" ("added_by_id", "fingerprint", "key_type", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (OLD."added_by_id", OLD."fingerprint", OLD."key_type", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."user_id"); RETURN NULL;',
                            hash="762961a8f0c72e900abd252b37d06240143cf52d",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_7b75e",
                            table="ssh_keys",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="user",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "users_changes" ("is_active", "is_staff", "is_superuser", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "roles") VALUES (NEW."is_active", NEW."is_staff", NEW."is_superuser", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."customer_id", NEW."roles"); RETURN NULL;',
                            hash="b67a468efb2c4d4d229f3f4da72ae56872f1655d",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_3867c",
                            table="users",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="user",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."is_active" IS DISTINCT FROM (NEW."is_active") OR OLD."is_staff" IS DISTINCT FROM (NEW."is_staff") OR OLD."is_superuser" IS DISTINCT FROM (NEW."is_superuser") OR OLD."roles" IS DISTINCT FROM (NEW."roles"))',
                            func='INSERT INTO "users_changes" ("is_active", "is_staff", "is_superuser", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "roles") VALUES (NEW."is_active", NEW."is_staff", NEW."is_superuser", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."customer_id", NEW."roles"); RETURN NULL;',
                            hash="de01551a139b29373ef221b617d9234da2e759cd",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_0e890",
                            table="users",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="user",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "users_changes" ("is_active", "is_staff", "is_superuser", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "roles") VALUES (OLD."is_active", OLD."is_staff", OLD."is_superuser", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."customer_id", OLD."roles"); RETURN NULL;',
                            hash="9e67e02a69afb90d1a1f3d55cd18a777015ae375",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_19f14",
                            table="users",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="verification",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id") VALUES (NEW."country", NEW."decided_at", NEW."decided_by_id", NEW."kind", NEW."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."status", NEW."submitted_at", NEW."user_id"); RETURN NULL;',
                            hash="d41867404b1a6ace2abda1dfc9afd387c7bcca0d",
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
                            condition='WHEN (OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."decided_at" IS DISTINCT FROM (NEW."decided_at") OR OLD."decided_by_id" IS DISTINCT FROM (NEW."decided_by_id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."legal_name" IS DISTINCT FROM (NEW."legal_name") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."submitted_at" IS DISTINCT FROM (NEW."submitted_at") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id") VALUES (NEW."country", NEW."decided_at", NEW."decided_by_id", NEW."kind", NEW."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."status", NEW."submitted_at", NEW."user_id"); RETURN NULL;',
                            hash="4be801582ba562029a0561f0ad7b9757d6fa0d62",
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
                            func='INSERT INTO "verifications_changes" ("country", "decided_at", "decided_by_id", "kind", "legal_name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "status", "submitted_at", "user_id") VALUES (OLD."country", OLD."decided_at", OLD."decided_by_id", OLD."kind", OLD."legal_name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."status", OLD."submitted_at", OLD."user_id"); RETURN NULL;',
                            hash="313ff86a5e1e4303f005407e0bde5ea972f16ae3",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_4d503",
                            table="verifications",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="apitokenchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="897eb9b7811733d9abb773986d0d2b12d88888ac",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_a51c7",
                            table="api_tokens_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="billingdetailschange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="9d4dd3eaa12500b3ec257d5fa9a8bd146822c916",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_9de3c",
                            table="billing_details_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="costcentrechange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="3f2ffff840792a5a1b77e976ce044fc3697adbc1",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_b6790",
                            table="cost_centres_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="invitationchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="cb0d441fbe1fb8de87257ff67ebf85c623b37a5a",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_cef33",
                            table="invitations_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="membershipchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="744af9343d0b9cf8851384ca387f764f7078d09e",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_9c170",
                            table="memberships_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="organizationchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="5e09e2cd033a7c8c46c77d408cf4dfec8f2ed020",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_9b611",
                            table="organizations_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="projectchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="730f546635a02fbfe921b2ceb9f0118a63f9a78a",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_1b4e2",
                            table="projects_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="sshkeychange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="b326c1a1df31a396572931331866f5e1fce1b09e",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_ea067",
                            table="ssh_keys_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="userchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="b1043888c8ce0a095cfd88f6e6c8d51b5bcb9ca3",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_97b47",
                            table="users_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="verificationchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="3e427e27402101bb19a28528d41f082acd05d66b",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_20a1d",
                            table="verifications_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
            ],
        ),
        migrations.RunPython(
            write_down_what_is_there(
                "accounts",
                "ApiToken",
                "BillingDetails",
                "CostCentre",
                "Invitation",
                "Membership",
                "Organization",
                "Project",
                "SSHKey",
                "User",
                "Verification",
            ),
            leave,
        ),
    ]
