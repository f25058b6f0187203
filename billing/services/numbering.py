"""Numbers without gaps, for each series and year from 1."""

from django.db import connection

#: One statement: whoever comes second waits for the row, and sees what the first one left behind, committed or not.
TAKE = """
INSERT INTO invoice_counters (series, year, last) VALUES (%s, %s, 1)
ON CONFLICT (series, year) DO UPDATE SET last = invoice_counters.last + 1
RETURNING last
"""


def take_number(*, series: str, year: int) -> tuple[int, str]:
    """The next number of the series, as ``(1, "INV-2026-000001")``.

    Inside the caller's transaction, and *last* in it: the counter's row is locked from here to the commit, so that
    everybody else who issues waits. A transaction that is taken back takes its number back, too.

    Raises:
        RuntimeError: there is no transaction, so that the number could be lost.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A number is taken in the transaction that uses it.")
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [series, year])
        (sequence,) = cursor.fetchone()
    return sequence, number_of(series, year, sequence)


def number_of(series: str, year: int, sequence: int) -> str:
    return f"{series}-{year}-{sequence:06}"
