"""Of what stays as it was written, the words may be rewritten when a deleted person is taken out of them.

Only while :data:`common.history.forgetting.SETTING` is on, which ends with its transaction, and only these columns; nothing
is ever deleted. Every other table whose trigger calls ``refuse_change`` is as closed as before.
"""

from django.db import migrations

FORGETFUL = """
CREATE FUNCTION refuse_change_but_forgetting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('marketplace.forgetting', true) = 'on'
        AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of % are append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER booking_events_append_only BEFORE UPDATE OR DELETE ON booking_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('what', 'detail');
CREATE OR REPLACE TRIGGER data_wipes_append_only BEFORE UPDATE OR DELETE ON data_wipes
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('note', 'evidence_name');
"""
AS_BEFORE = """
CREATE OR REPLACE TRIGGER data_wipes_append_only BEFORE UPDATE OR DELETE ON data_wipes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER booking_events_append_only BEFORE UPDATE OR DELETE ON booking_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_change_but_forgetting();
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0020_whole_lines")]

    operations = [migrations.RunSQL(FORGETFUL, AS_BEFORE)]
