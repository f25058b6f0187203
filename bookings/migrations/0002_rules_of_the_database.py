"""What the ORM cannot say.

- A booking names its machine as well as its listing. The foreign key over both columns makes the database
  refuse a booking whose machine is not its listing's; the same holds for wipes and their booking.
- History and wipe records are append-only: a trigger refuses to change or delete a row.
"""

from django.db import migrations

AGREE = """
ALTER TABLE bookings ADD CONSTRAINT bookings_machine_is_its_listings
    FOREIGN KEY (listing_id, hardware_id) REFERENCES listings (listing_id, hardware_id);
ALTER TABLE bookings ADD CONSTRAINT bookings_id_and_machine UNIQUE (booking_id, hardware_id);
ALTER TABLE data_wipes ADD CONSTRAINT data_wipes_machine_is_its_bookings
    FOREIGN KEY (booking_id, hardware_id) REFERENCES bookings (booking_id, hardware_id);
"""
AGREE_NO_MORE = """
ALTER TABLE data_wipes DROP CONSTRAINT data_wipes_machine_is_its_bookings;
ALTER TABLE bookings DROP CONSTRAINT bookings_id_and_machine;
ALTER TABLE bookings DROP CONSTRAINT bookings_machine_is_its_listings;
"""
APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER booking_events_append_only BEFORE UPDATE OR DELETE ON booking_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER data_wipes_append_only BEFORE UPDATE OR DELETE ON data_wipes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
CHANGEABLE = """
DROP TRIGGER data_wipes_append_only ON data_wipes;
DROP TRIGGER booking_events_append_only ON booking_events;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0001_initial")]

    operations = [
        migrations.RunSQL(AGREE, AGREE_NO_MORE),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
