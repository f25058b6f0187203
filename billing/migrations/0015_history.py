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
        ("billing", "0014_stricter_ledger_and_numbers"),
    ]

    operations = [
        common.history.migrating.Together(
            operations=[
                migrations.CreateModel(
                    name="ChargebackChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("reason", models.CharField(blank=True, max_length=60)),
                        ("state", models.CharField(max_length=10)),
                        ("opened_at", models.DateTimeField()),
                        ("evidence_due_by", models.DateTimeField(blank=True, null=True)),
                        ("funds_taken_at", models.DateTimeField(blank=True, null=True)),
                        ("closed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "payment",
                            models.ForeignKey(
                                db_column="payment_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="billing.payment",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.chargeback",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of chargeback",
                        "verbose_name_plural": "changes of chargebacks",
                        "db_table": "chargebacks_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["payment"], name="chargebacks_payment_9691b6_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="PaymentChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("amount_total", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("status", models.CharField(db_column="payment_status", max_length=10)),
                        ("card_label", models.CharField(blank=True, max_length=40)),
                        ("off_session", models.BooleanField()),
                        ("needs_authentication", models.BooleanField()),
                        ("failure", models.CharField(blank=True, max_length=300)),
                        ("paid_at", models.DateTimeField(blank=True, null=True)),
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
                            "payer",
                            models.ForeignKey(
                                db_column="payer_id",
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
                                to="billing.payment",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "change of payment",
                        "verbose_name_plural": "changes of payments",
                        "db_table": "payments_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["booking"], name="payments_ch_booking_ecf168_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="PayoutAccountChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("method", models.CharField(max_length=10)),
                        ("stripe_account", models.CharField(blank=True, max_length=80, null=True)),
                        ("details_submitted", models.BooleanField()),
                        ("payouts_enabled", models.BooleanField()),
                        ("holder", models.CharField(blank=True, max_length=70)),
                        ("iban", models.CharField(blank=True, max_length=34)),
                        ("bic", models.CharField(blank=True, max_length=11)),
                        ("replaced_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.payoutaccount",
                            ),
                        ),
                        (
                            "user",
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
                    ],
                    options={
                        "verbose_name": "change of payout account",
                        "verbose_name_plural": "changes of payout accounts",
                        "db_table": "payout_accounts_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["user"], name="payout_acco_custome_c79fd4_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="PayoutChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("method", models.CharField(max_length=10)),
                        ("currency", models.CharField(max_length=3)),
                        ("amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("tax", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("status", models.CharField(max_length=10)),
                        ("scheduled_at", models.DateTimeField()),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("received_at", models.DateTimeField(blank=True, null=True)),
                        ("failed_at", models.DateTimeField(blank=True, null=True)),
                        ("failure", models.CharField(blank=True, max_length=300)),
                        (
                            "account",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="billing.payoutaccount",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.payout",
                            ),
                        ),
                        (
                            "provider",
                            models.ForeignKey(
                                db_column="provider_id",
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
                        "verbose_name": "change of payout",
                        "verbose_name_plural": "changes of payouts",
                        "db_table": "payouts_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["provider"], name="payouts_cha_provide_12d38b_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="PayoutHoldChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("amount", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                        ("reason", models.CharField(max_length=300)),
                        ("released_at", models.DateTimeField(blank=True, null=True)),
                        ("released_because", models.CharField(blank=True, max_length=300)),
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
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.payouthold",
                            ),
                        ),
                        (
                            "placed_by",
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
                            "released_by",
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
                        "verbose_name": "change of payout hold",
                        "verbose_name_plural": "changes of payout holds",
                        "db_table": "payout_holds_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["booking"], name="payout_hold_booking_8b8eab_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="RefundChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("amount", models.DecimalField(decimal_places=2, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("reason", models.CharField(max_length=30)),
                        ("status", models.CharField(max_length=10)),
                        ("made_at", models.DateTimeField(blank=True, null=True)),
                        ("failure", models.CharField(blank=True, max_length=300)),
                        ("note", models.CharField(blank=True, max_length=300)),
                        (
                            "payment",
                            models.ForeignKey(
                                db_column="payment_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                related_query_name="+",
                                to="billing.payment",
                            ),
                        ),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.refund",
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
                        "verbose_name": "change of refund",
                        "verbose_name_plural": "changes of refunds",
                        "db_table": "refunds_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["payment"], name="refunds_cha_payment_2bdad1_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="SavedCardChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("brand", models.CharField(max_length=30)),
                        ("last4", models.CharField(max_length=4)),
                        ("is_default", models.BooleanField()),
                        ("removed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.savedcard",
                            ),
                        ),
                        (
                            "user",
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
                    ],
                    options={
                        "verbose_name": "change of saved card",
                        "verbose_name_plural": "changes of saved cards",
                        "db_table": "saved_cards_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["user"], name="saved_cards_custome_8eac48_idx")],
                    },
                ),
                migrations.CreateModel(
                    name="SubscriptionChange",
                    fields=[
                        ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                        ("pgh_label", models.TextField(help_text="The event label.")),
                        ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("pgh_context", pghistory.utils.JSONField(null=True)),
                        ("pgh_context_id", models.UUIDField(null=True)),
                        ("tier", models.CharField(max_length=20)),
                        ("monthly_price", models.DecimalField(decimal_places=2, max_digits=8)),
                        ("currency", models.CharField(max_length=3)),
                        ("status", models.CharField(max_length=20)),
                        ("next_tier", models.CharField(blank=True, max_length=20)),
                        ("current_period_end", models.DateTimeField(blank=True, null=True)),
                        ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                        ("failure", models.CharField(blank=True, max_length=300)),
                        (
                            "pgh_obj",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="changes",
                                to="billing.subscription",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                db_column="user_id",
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
                        "verbose_name": "change of subscription",
                        "verbose_name_plural": "changes of subscriptions",
                        "db_table": "subscriptions_changes",
                        "abstract": False,
                        "indexes": [models.Index(fields=["user"], name="subscriptio_user_id_b0942b_idx")],
                    },
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="chargeback",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "chargebacks_changes" ("amount", "closed_at", "currency", "evidence_due_by", "funds_taken_at", "opened_at", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (NEW."amount", NEW."closed_at", NEW."currency", NEW."evidence_due_by", NEW."funds_taken_at", NEW."opened_at", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."state"); RETURN NULL;',
                            hash="aa38db5c2e4d4426204420c9c871c3e796da40c2",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_70dff",
                            table="chargebacks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="chargeback",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."closed_at" IS DISTINCT FROM (NEW."closed_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."evidence_due_by" IS DISTINCT FROM (NEW."evidence_due_by") OR OLD."funds_taken_at" IS DISTINCT FROM (NEW."funds_taken_at") OR OLD."opened_at" IS DISTINCT FROM (NEW."opened_at") OR OLD."payment_id" IS DISTINCT FROM (NEW."payment_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."state" IS DISTINCT FROM (NEW."state"))',
                            func='INSERT INTO "chargebacks_changes" ("amount", "closed_at", "currency", "evidence_due_by", "funds_taken_at", "opened_at", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (NEW."amount", NEW."closed_at", NEW."currency", NEW."evidence_due_by", NEW."funds_taken_at", NEW."opened_at", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."state"); RETURN NULL;',
                            hash="747becee871b4e3d911258568ef97137c4e32190",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_eb238",
                            table="chargebacks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="chargeback",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "chargebacks_changes" ("amount", "closed_at", "currency", "evidence_due_by", "funds_taken_at", "opened_at", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "state") VALUES (OLD."amount", OLD."closed_at", OLD."currency", OLD."evidence_due_by", OLD."funds_taken_at", OLD."opened_at", OLD."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."state"); RETURN NULL;',
                            hash="e10edb3a95a18f8e50eeeeab83b0786274cabc73",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_269b9",
                            table="chargebacks",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payment",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payments_changes" ("amount_total", "booking_id", "card_label", "currency", "failure", "needs_authentication", "off_session", "paid_at", "payer_id", "payment_status", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."amount_total", NEW."booking_id", NEW."card_label", NEW."currency", NEW."failure", NEW."needs_authentication", NEW."off_session", NEW."paid_at", NEW."payer_id", NEW."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."payment_id"); RETURN NULL;',
                            hash="f98e54579d7f907611166913cde373ceb0b138ef",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_70a39",
                            table="payments",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payment",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount_total" IS DISTINCT FROM (NEW."amount_total") OR OLD."booking_id" IS DISTINCT FROM (NEW."booking_id") OR OLD."card_label" IS DISTINCT FROM (NEW."card_label") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."failure" IS DISTINCT FROM (NEW."failure") OR OLD."needs_authentication" IS DISTINCT FROM (NEW."needs_authentication") OR OLD."off_session" IS DISTINCT FROM (NEW."off_session") OR OLD."paid_at" IS DISTINCT FROM (NEW."paid_at") OR OLD."payer_id" IS DISTINCT FROM (NEW."payer_id") OR OLD."payment_status" IS DISTINCT FROM (NEW."payment_status"))',
                            func='INSERT INTO "payments_changes" ("amount_total", "booking_id", "card_label", "currency", "failure", "needs_authentication", "off_session", "paid_at", "payer_id", "payment_status", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."amount_total", NEW."booking_id", NEW."card_label", NEW."currency", NEW."failure", NEW."needs_authentication", NEW."off_session", NEW."paid_at", NEW."payer_id", NEW."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."payment_id"); RETURN NULL;',
                            hash="e0abf644f3a56312c6b7d4b69effa45bacb16478",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_5f754",
                            table="payments",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payment",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payments_changes" ("amount_total", "booking_id", "card_label", "currency", "failure", "needs_authentication", "off_session", "paid_at", "payer_id", "payment_status", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."amount_total", OLD."booking_id", OLD."card_label", OLD."currency", OLD."failure", OLD."needs_authentication", OLD."off_session", OLD."paid_at", OLD."payer_id", OLD."payment_status", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."payment_id"); RETURN NULL;',
                            hash="881e6c40f20e88bf5602c3830a75e54003e148a1",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_a41dd",
                            table="payments",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payout",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payouts_changes" ("account_id", "amount", "currency", "failed_at", "failure", "method", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider_id", "received_at", "scheduled_at", "sent_at", "status", "tax") VALUES (NEW."account_id", NEW."amount", NEW."currency", NEW."failed_at", NEW."failure", NEW."method", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."provider_id", NEW."received_at", NEW."scheduled_at", NEW."sent_at", NEW."status", NEW."tax"); RETURN NULL;',
                            hash="b606d02e09ab8cf0c1be445f1fdb4e5371659be9",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_f9bae",
                            table="payouts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payout",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."failed_at" IS DISTINCT FROM (NEW."failed_at") OR OLD."failure" IS DISTINCT FROM (NEW."failure") OR OLD."method" IS DISTINCT FROM (NEW."method") OR OLD."provider_id" IS DISTINCT FROM (NEW."provider_id") OR OLD."received_at" IS DISTINCT FROM (NEW."received_at") OR OLD."scheduled_at" IS DISTINCT FROM (NEW."scheduled_at") OR OLD."sent_at" IS DISTINCT FROM (NEW."sent_at") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."tax" IS DISTINCT FROM (NEW."tax"))',
                            func='INSERT INTO "payouts_changes" ("account_id", "amount", "currency", "failed_at", "failure", "method", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider_id", "received_at", "scheduled_at", "sent_at", "status", "tax") VALUES (NEW."account_id", NEW."amount", NEW."currency", NEW."failed_at", NEW."failure", NEW."method", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."provider_id", NEW."received_at", NEW."scheduled_at", NEW."sent_at", NEW."status", NEW."tax"); RETURN NULL;',
                            hash="0eea3c7a90e8a6a04a8447ac2e8560d2915c23db",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_6b016",
                            table="payouts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payout",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payouts_changes" ("account_id", "amount", "currency", "failed_at", "failure", "method", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "provider_id", "received_at", "scheduled_at", "sent_at", "status", "tax") VALUES (OLD."account_id", OLD."amount", OLD."currency", OLD."failed_at", OLD."failure", OLD."method", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."provider_id", OLD."received_at", OLD."scheduled_at", OLD."sent_at", OLD."status", OLD."tax"); RETURN NULL;',
                            hash="eabfa347c700ec40947c58a8507b1d9b1375d01b",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_dfb49",
                            table="payouts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutaccount",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payout_accounts_changes" ("bic", "customer_id", "details_submitted", "holder", "iban", "method", "payouts_enabled", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "replaced_at", "stripe_account") VALUES (NEW."bic", NEW."customer_id", NEW."details_submitted", NEW."holder", NEW."iban", NEW."method", NEW."payouts_enabled", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."replaced_at", NEW."stripe_account"); RETURN NULL;',
                            hash="dadf1233943d5664a41f68c8697b3b2172c4e055",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_46c25",
                            table="payout_accounts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutaccount",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."bic" IS DISTINCT FROM (NEW."bic") OR OLD."details_submitted" IS DISTINCT FROM (NEW."details_submitted") OR OLD."holder" IS DISTINCT FROM (NEW."holder") OR OLD."iban" IS DISTINCT FROM (NEW."iban") OR OLD."method" IS DISTINCT FROM (NEW."method") OR OLD."payouts_enabled" IS DISTINCT FROM (NEW."payouts_enabled") OR OLD."replaced_at" IS DISTINCT FROM (NEW."replaced_at") OR OLD."stripe_account" IS DISTINCT FROM (NEW."stripe_account") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id"))',
                            func='INSERT INTO "payout_accounts_changes" ("bic", "customer_id", "details_submitted", "holder", "iban", "method", "payouts_enabled", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "replaced_at", "stripe_account") VALUES (NEW."bic", NEW."customer_id", NEW."details_submitted", NEW."holder", NEW."iban", NEW."method", NEW."payouts_enabled", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."replaced_at", NEW."stripe_account"); RETURN NULL;',
                            hash="386fb6c2ff28b1df8b64c437427354e6d09a52c8",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_0e1ba",
                            table="payout_accounts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutaccount",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payout_accounts_changes" ("bic", "customer_id", "details_submitted", "holder", "iban", "method", "payouts_enabled", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "replaced_at", "stripe_account") VALUES (OLD."bic", OLD."customer_id", OLD."details_submitted", OLD."holder", OLD."iban", OLD."method", OLD."payouts_enabled", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."replaced_at", OLD."stripe_account"); RETURN NULL;',
                            hash="83c4c4285da62bd105a08258553153ca606ece07",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_a46bc",
                            table="payout_accounts",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payouthold",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payout_holds_changes" ("amount", "booking_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "placed_by_id", "reason", "released_at", "released_because", "released_by_id") VALUES (NEW."amount", NEW."booking_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."placed_by_id", NEW."reason", NEW."released_at", NEW."released_because", NEW."released_by_id"); RETURN NULL;',
                            hash="2fab26f70c8a7342407f636f60d83b2acfaf6152",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_8244c",
                            table="payout_holds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payouthold",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."booking_id" IS DISTINCT FROM (NEW."booking_id") OR OLD."placed_by_id" IS DISTINCT FROM (NEW."placed_by_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."released_at" IS DISTINCT FROM (NEW."released_at") OR OLD."released_because" IS DISTINCT FROM (NEW."released_because") OR OLD."released_by_id" IS DISTINCT FROM (NEW."released_by_id"))',
                            func='INSERT INTO "payout_holds_changes" ("amount", "booking_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "placed_by_id", "reason", "released_at", "released_because", "released_by_id") VALUES (NEW."amount", NEW."booking_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."placed_by_id", NEW."reason", NEW."released_at", NEW."released_because", NEW."released_by_id"); RETURN NULL;',
                            hash="d5c87179f2534d432744378b075f551823d4825b",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_85bd4",
                            table="payout_holds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payouthold",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "payout_holds_changes" ("amount", "booking_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "placed_by_id", "reason", "released_at", "released_because", "released_by_id") VALUES (OLD."amount", OLD."booking_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."placed_by_id", OLD."reason", OLD."released_at", OLD."released_because", OLD."released_by_id"); RETURN NULL;',
                            hash="c1192136d8ebf4c48811098ca85283a152eff7a6",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_c8364",
                            table="payout_holds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="refund",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "refunds_changes" ("amount", "currency", "failure", "made_at", "note", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id", "status") VALUES (NEW."amount", NEW."currency", NEW."failure", NEW."made_at", NEW."note", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."requested_by_id", NEW."status"); RETURN NULL;',
                            hash="2646659909a16606150ae11110256b77e15b5413",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_5eb55",
                            table="refunds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="refund",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."failure" IS DISTINCT FROM (NEW."failure") OR OLD."made_at" IS DISTINCT FROM (NEW."made_at") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."payment_id" IS DISTINCT FROM (NEW."payment_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."requested_by_id" IS DISTINCT FROM (NEW."requested_by_id") OR OLD."status" IS DISTINCT FROM (NEW."status"))',
                            func='INSERT INTO "refunds_changes" ("amount", "currency", "failure", "made_at", "note", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id", "status") VALUES (NEW."amount", NEW."currency", NEW."failure", NEW."made_at", NEW."note", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."requested_by_id", NEW."status"); RETURN NULL;',
                            hash="1fa6c54f43a6f5f833da24f27ebe28a3a9396826",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_94aaa",
                            table="refunds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="refund",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "refunds_changes" ("amount", "currency", "failure", "made_at", "note", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "requested_by_id", "status") VALUES (OLD."amount", OLD."currency", OLD."failure", OLD."made_at", OLD."note", OLD."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."requested_by_id", OLD."status"); RETURN NULL;',
                            hash="e78a8f467ff61bc266f0835f32f075c2f7208937",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_e8bf4",
                            table="refunds",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="savedcard",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "saved_cards_changes" ("brand", "customer_id", "is_default", "last4", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_at") VALUES (NEW."brand", NEW."customer_id", NEW."is_default", NEW."last4", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."removed_at"); RETURN NULL;',
                            hash="40b8b213b01bc2707d05e483bcd7c8bcf36c2cce",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_b84ff",
                            table="saved_cards",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="savedcard",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."brand" IS DISTINCT FROM (NEW."brand") OR OLD."is_default" IS DISTINCT FROM (NEW."is_default") OR OLD."last4" IS DISTINCT FROM (NEW."last4") OR OLD."removed_at" IS DISTINCT FROM (NEW."removed_at") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id"))',
                            func='INSERT INTO "saved_cards_changes" ("brand", "customer_id", "is_default", "last4", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_at") VALUES (NEW."brand", NEW."customer_id", NEW."is_default", NEW."last4", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."removed_at"); RETURN NULL;',
                            hash="2ed6f0f8b34f3cedee7c26bac80ae81310681aed",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_91c66",
                            table="saved_cards",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="savedcard",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "saved_cards_changes" ("brand", "customer_id", "is_default", "last4", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "removed_at") VALUES (OLD."brand", OLD."customer_id", OLD."is_default", OLD."last4", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."removed_at"); RETURN NULL;',
                            hash="0f2dee549379aefa2139d5006fd1935253ad449e",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_c5a8b",
                            table="saved_cards",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="subscription",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "subscriptions_changes" ("cancelled_at", "currency", "current_period_end", "failure", "monthly_price", "next_tier", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "tier", "user_id") VALUES (NEW."cancelled_at", NEW."currency", NEW."current_period_end", NEW."failure", NEW."monthly_price", NEW."next_tier", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."status", NEW."tier", NEW."user_id"); RETURN NULL;',
                            hash="362838114fc9201a85fb573203d9593fee436e59",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_6f62d",
                            table="subscriptions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="subscription",
                    trigger=pgtrigger.compiler.Trigger(
                        name="update_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."cancelled_at" IS DISTINCT FROM (NEW."cancelled_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."current_period_end" IS DISTINCT FROM (NEW."current_period_end") OR OLD."failure" IS DISTINCT FROM (NEW."failure") OR OLD."monthly_price" IS DISTINCT FROM (NEW."monthly_price") OR OLD."next_tier" IS DISTINCT FROM (NEW."next_tier") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."tier" IS DISTINCT FROM (NEW."tier") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                            func='INSERT INTO "subscriptions_changes" ("cancelled_at", "currency", "current_period_end", "failure", "monthly_price", "next_tier", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "tier", "user_id") VALUES (NEW."cancelled_at", NEW."currency", NEW."current_period_end", NEW."failure", NEW."monthly_price", NEW."next_tier", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."status", NEW."tier", NEW."user_id"); RETURN NULL;',
                            hash="2038330956d2812542e7701a2ea9eecc16b65884",
                            operation="UPDATE",
                            pgid="pgtrigger_update_update_5c2d2",
                            table="subscriptions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="subscription",
                    trigger=pgtrigger.compiler.Trigger(
                        name="delete_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "subscriptions_changes" ("cancelled_at", "currency", "current_period_end", "failure", "monthly_price", "next_tier", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "tier", "user_id") VALUES (OLD."cancelled_at", OLD."currency", OLD."current_period_end", OLD."failure", OLD."monthly_price", OLD."next_tier", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."status", OLD."tier", OLD."user_id"); RETURN NULL;',
                            hash="900fcb7e6503a88a19ef644dd391e788f2b57b0f",
                            operation="DELETE",
                            pgid="pgtrigger_delete_delete_bb9c3",
                            table="subscriptions",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="chargebackchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="617af2107aa970a9b987d871dc09d5295c6bea33",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_321a0",
                            table="chargebacks_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="paymentchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="d463e64489b5d55b41b0ff5f8e80e639fcdb29b6",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_b2baf",
                            table="payments_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutaccountchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="d328a60d3d2ba10cfb7f8b70f51e15077d8dbf6a",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_deb7d",
                            table="payout_accounts_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="6a5ee9fa2ebda727005af404a98f1d6f0bf32cf7",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_6a069",
                            table="payouts_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="payoutholdchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="f757a4169a59c218cf5153f198d430a1f4376645",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_252ce",
                            table="payout_holds_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="refundchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="020572c10a02d142426740680c999dada1485ac6",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_03504",
                            table="refunds_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="savedcardchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="2c1e7a920cad35f56cc99f6847b6b8cbf47c04b1",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_f0ffa",
                            table="saved_cards_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="subscriptionchange",
                    trigger=pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="05512b32846f50d619a3107f6cc893ee4684e6e3",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_e553a",
                            table="subscriptions_changes",
                            when="BEFORE",
                        ),
                    ),
                ),
            ],
        ),
        migrations.RunPython(
            write_down_what_is_there(
                "billing",
                "Chargeback",
                "Payment",
                "PayoutAccount",
                "Payout",
                "PayoutHold",
                "Refund",
                "SavedCard",
                "Subscription",
            ),
            leave,
        ),
    ]
