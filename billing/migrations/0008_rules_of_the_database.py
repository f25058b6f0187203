"""What the ORM cannot say.

- The ledger is append-only. The entries of a transaction are written by one statement, and sum to zero in each
  currency: a trigger looks at what the statement has written, so that a mistake fails where it is made.
- An entry is in its account's currency: a foreign key over both columns.
- Invoice numbers have no gaps: a number is the one after the last of its series and year. Whoever inserts holds the
  counter's row, so nobody can come in between.
- An invoice never changes, except that the place of its PDF is written once. None is deleted.
"""

from django.db import migrations

LEDGER = """
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_entries_in_the_accounts_currency
    FOREIGN KEY (account_id, currency) REFERENCES ledger_accounts (id, currency);

CREATE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, currency, sum(amount) AS total INTO wrong FROM written
        GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entries of transaction % sum to % %, not to zero', wrong.transaction_id, wrong.total,
            wrong.currency USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_sums_to_zero',
            TABLE = 'ledger_entries';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_sums_to_zero AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_sums_to_zero();

CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_accounts_stay BEFORE UPDATE OR DELETE ON ledger_accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
LEDGER_FREE = """
DROP TRIGGER ledger_accounts_stay ON ledger_accounts;
DROP TRIGGER ledger_transactions_append_only ON ledger_transactions;
DROP TRIGGER ledger_entries_append_only ON ledger_entries;
DROP TRIGGER ledger_sums_to_zero ON ledger_entries;
DROP FUNCTION ledger_sums_to_zero();
ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_in_the_accounts_currency;
"""
INVOICES = """
CREATE FUNCTION invoice_number_has_no_gap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before integer;
BEGIN
    PERFORM 1 FROM invoice_counters WHERE series = NEW.series AND year = NEW.year AND last = NEW.sequence FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not the number that was taken', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_number_was_taken', TABLE = 'invoices';
    END IF;
    SELECT coalesce(max(sequence), 0) INTO before FROM invoices WHERE series = NEW.series AND year = NEW.year;
    IF NEW.sequence <> before + 1 THEN
        RAISE EXCEPTION '% does not follow %', NEW.number, before
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_number_has_no_gap', TABLE = 'invoices';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_number_has_no_gap BEFORE INSERT ON invoices
    FOR EACH ROW EXECUTE FUNCTION invoice_number_has_no_gap();

CREATE FUNCTION invoice_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.pdf = '' AND OLD.pdf_sha256 = ''
        AND to_jsonb(NEW) - 'pdf' - 'pdf_sha256' = to_jsonb(OLD) - 'pdf' - 'pdf_sha256' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'invoice % was issued and never changes', OLD.number USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER invoices_stay BEFORE UPDATE OR DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION invoice_stays();
"""
INVOICES_FREE = """
DROP TRIGGER invoices_stay ON invoices;
DROP FUNCTION invoice_stays();
DROP TRIGGER invoices_number_has_no_gap ON invoices;
DROP FUNCTION invoice_number_has_no_gap();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_every_payment_has_a_charge"),
        ("bookings", "0002_rules_of_the_database"),
    ]

    operations = [migrations.RunSQL(LEDGER, LEDGER_FREE), migrations.RunSQL(INVOICES, INVOICES_FREE)]
