"""Two rules that could be gone round.

- Entries are not added to a transaction that has some, not even ones that sum to zero.
- The number of a document is its series, its year and its place in them, and the year that of its day in UTC.
"""

from django.db import migrations

SUMS_TO_ZERO = """
CREATE OR REPLACE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, currency, sum(amount) AS total INTO wrong FROM written
        GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entries of transaction % sum to % %, not to zero', wrong.transaction_id, wrong.total,
            wrong.currency USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_sums_to_zero',
            TABLE = 'ledger_entries';
    END IF;{more}
    RETURN NULL;
END $$;
"""
AT_ONCE = """
    SELECT transaction_id INTO wrong FROM written GROUP BY transaction_id
        HAVING count(*) <> (SELECT count(*) FROM ledger_entries AS entries
                            WHERE entries.transaction_id = written.transaction_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % has its entries, none are added to it', wrong.transaction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_written_at_once', TABLE = 'ledger_entries';
    END IF;"""
NUMBERS = """
ALTER TABLE invoices ADD CONSTRAINT invoices_number_says_its_place CHECK (
    number = series || '-' || year || '-' || lpad(sequence::text, greatest(6, length(sequence::text)), '0')
), ADD CONSTRAINT invoices_year_of_their_day CHECK (year = extract(year FROM issued_at AT TIME ZONE 'UTC'));
"""
NUMBERS_FREE = """
ALTER TABLE invoices DROP CONSTRAINT invoices_number_says_its_place, DROP CONSTRAINT invoices_year_of_their_day;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0013_invoiced_again")]

    operations = [
        migrations.RunSQL(SUMS_TO_ZERO.replace("{more}", AT_ONCE), SUMS_TO_ZERO.replace("{more}", "")),
        migrations.RunSQL(NUMBERS, NUMBERS_FREE),
    ]
