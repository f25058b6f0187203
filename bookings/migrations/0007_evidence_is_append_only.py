"""What machines signed and what the platform signed about it stays as it is, whoever asks."""

from django.db import migrations

TABLES = ("wipe_evidence", "erasure_certificates", "agent_reports", "hardware_passports")

APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}\n"
    "    FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
    for table in TABLES
)
CHANGEABLE = "".join(f"DROP TRIGGER {table}_append_only ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    # The function is that of 0002; the tables of machines are named here because machines cannot name bookings.
    dependencies = [("bookings", "0006_agents_hand_over"), ("machines", "0006_health_samples")]

    operations = [migrations.RunSQL(APPEND_ONLY, CHANGEABLE)]
