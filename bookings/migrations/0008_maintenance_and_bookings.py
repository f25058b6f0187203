"""No booking in announced maintenance, no maintenance in a booking: the two tables, kept apart by the database.

An exclusion constraint looks at one table only. So each side looks at the other one, after a lock on the machine's row:
whoever announces takes it for themselves (``FOR UPDATE``), whoever books shares it with others who book, as the foreign
key makes them do anyway (``FOR KEY SHARE``). Whoever comes second waits for the first to commit. The look is a
statement of its own in a function that is volatile: in READ COMMITTED it sees what was committed while it waited.

The errors are exclusion violations, so that they look as those of the constraints beside them do. The booking's trigger
runs before its row is in: one statement that takes the window or does not (docs/decisions/0003-holding-a-window.md)
finds nothing to wait for, and nobody waits for a row that will not stay.
"""

from django.db import migrations

APART = """
CREATE FUNCTION booking_keeps_out_of_maintenance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM machines WHERE hardware_id = NEW.hardware_id FOR KEY SHARE;
    PERFORM 1 FROM maintenance_windows
        WHERE hardware_id = NEW.hardware_id AND canceled_at IS NULL
          AND start < NEW.blocked_until AND "end" > NEW.start_timestamp;
    IF FOUND THEN
        RAISE EXCEPTION 'machine % is closed for announced maintenance then', NEW.hardware_id
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'bookings_keep_out_of_maintenance', TABLE = 'bookings';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bookings_keep_out_of_maintenance BEFORE INSERT ON bookings FOR EACH ROW
    WHEN (NEW.booking_status IN ('pending', 'active', 'disputed'))
    EXECUTE FUNCTION booking_keeps_out_of_maintenance();
CREATE TRIGGER bookings_stay_out_of_maintenance
    BEFORE UPDATE OF hardware_id, start_timestamp, blocked_until, booking_status ON bookings FOR EACH ROW
    WHEN (NEW.booking_status IN ('pending', 'active', 'disputed')
        AND (NEW.start_timestamp < OLD.start_timestamp OR NEW.blocked_until > OLD.blocked_until
            OR NEW.hardware_id <> OLD.hardware_id
            OR OLD.booking_status NOT IN ('pending', 'active', 'disputed')))
    EXECUTE FUNCTION booking_keeps_out_of_maintenance();

CREATE FUNCTION maintenance_keeps_out_of_bookings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM machines WHERE hardware_id = NEW.hardware_id FOR UPDATE;
    PERFORM 1 FROM bookings
        WHERE hardware_id = NEW.hardware_id AND booking_status IN ('pending', 'active', 'disputed')
          AND tstzrange(start_timestamp, blocked_until, '[)') && tstzrange(NEW.start, NEW."end", '[)');
    IF FOUND THEN
        RAISE EXCEPTION 'machine % is booked then', NEW.hardware_id
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'maintenance_keeps_out_of_bookings',
                TABLE = 'maintenance_windows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER maintenance_keeps_out_of_bookings
    BEFORE INSERT OR UPDATE OF hardware_id, start, "end", canceled_at ON maintenance_windows FOR EACH ROW
    WHEN (NEW.canceled_at IS NULL)
    EXECUTE FUNCTION maintenance_keeps_out_of_bookings();
"""
TOGETHER = """
DROP TRIGGER maintenance_keeps_out_of_bookings ON maintenance_windows;
DROP FUNCTION maintenance_keeps_out_of_bookings();
DROP TRIGGER bookings_stay_out_of_maintenance ON bookings;
DROP TRIGGER bookings_keep_out_of_maintenance ON bookings;
DROP FUNCTION booking_keeps_out_of_maintenance();
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0007_evidence_is_append_only"), ("machines", "0005_agents")]

    operations = [migrations.RunSQL(APART, TOGETHER)]
