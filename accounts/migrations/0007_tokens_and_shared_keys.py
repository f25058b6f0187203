"""API tokens and their uses, of which no row is changed; SSH keys of organizations."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import common.ids
from common.history.migrating import Together

APPEND_ONLY = """
CREATE FUNCTION token_uses_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'uses of tokens are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER api_token_uses_append_only BEFORE UPDATE ON api_token_uses
    FOR EACH ROW EXECUTE FUNCTION token_uses_stay();
"""
CHANGEABLE = """
DROP TRIGGER api_token_uses_append_only ON api_token_uses;
DROP FUNCTION token_uses_stay();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_organizations"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="ApiToken",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=common.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("prefix", models.CharField(help_text="How the secret begins.", max_length=20)),
                        (
                            "token_hash",
                            models.CharField(help_text="SHA-256 of the secret.", max_length=64, unique=True),
                        ),
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
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("expires_at", models.DateTimeField()),
                        ("last_used_at", models.DateTimeField(blank=True, help_text="To the minute.", null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "verbose_name": "API token",
                        "verbose_name_plural": "API tokens",
                        "db_table": "api_tokens",
                        "ordering": ["-created_at"],
                    },
                ),
                migrations.CreateModel(
                    name="ApiTokenUse",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=common.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("method", models.CharField(max_length=10)),
                        (
                            "path",
                            models.CharField(
                                help_text="Without what follows a question mark, and without secrets.", max_length=300
                            ),
                        ),
                        ("status", models.PositiveSmallIntegerField()),
                        ("address", models.GenericIPAddressField(blank=True, null=True)),
                    ],
                    options={
                        "verbose_name": "use of an API token",
                        "verbose_name_plural": "uses of API tokens",
                        "db_table": "api_token_uses",
                        "ordering": ["-at", "-id"],
                    },
                ),
                migrations.AddField(
                    model_name="sshkey",
                    name="added_by",
                    field=models.ForeignKey(
                        blank=True,
                        help_text="Of an organization's key.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddField(
                    model_name="sshkey",
                    name="organization",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ssh_keys",
                        to="accounts.organization",
                    ),
                ),
                migrations.AlterField(
                    model_name="sshkey",
                    name="user",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ssh_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddConstraint(
                    model_name="sshkey",
                    constraint=models.UniqueConstraint(
                        fields=("organization", "fingerprint"), name="ssh_keys_once_an_organization"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="sshkey",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("organization", None), ("user__isnull", False)),
                            models.Q(("organization__isnull", False), ("user", None)),
                            _connector="OR",
                        ),
                        name="ssh_keys_of_one",
                    ),
                ),
                migrations.AddField(
                    model_name="apitoken",
                    name="organization",
                    field=models.ForeignKey(
                        blank=True,
                        help_text="Whom it acts for; empty: for the person alone.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddField(
                    model_name="apitoken",
                    name="revoked_by",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddField(
                    model_name="apitoken",
                    name="user",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddField(
                    model_name="apitokenuse",
                    name="token",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="uses", to="accounts.apitoken"
                    ),
                ),
                migrations.AddIndex(
                    model_name="apitoken",
                    index=models.Index(fields=["user", "-created_at"], name="api_tokens_of_user"),
                ),
                migrations.AddConstraint(
                    model_name="apitoken",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            (
                                "scopes__contained_by",
                                [
                                    "listings:read",
                                    "listings:write",
                                    "bookings:read",
                                    "bookings:write",
                                    "billing:read",
                                    "billing:write",
                                    "machines:read",
                                    "machines:write",
                                    "organization:read",
                                    "organization:write",
                                    "feeds",
                                ],
                            ),
                            ("scopes__len__gt", 0),
                        ),
                        name="api_tokens_scopes_known",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="apitoken",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scopes__contains", ["feeds"]), _negated=True),
                            ("scopes", ["feeds"]),
                            _connector="OR",
                        ),
                        name="api_tokens_feeds_apart",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="apitoken",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None), ("scopes", ["feeds"])),
                        fields=("user", "organization"),
                        name="api_tokens_one_feed_at_a_time",
                        nulls_distinct=False,
                    ),
                ),
                migrations.AddIndex(
                    model_name="apitokenuse",
                    index=models.Index(fields=["token", "-at"], name="api_token_uses_of_token"),
                ),
                migrations.AddIndex(
                    model_name="apitokenuse",
                    index=django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="api_token_uses_by_time"),
                ),
            ]
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
