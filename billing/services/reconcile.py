"""Compares our rows with the processor's objects, both ways, and lists every difference. Repairs nothing.

What the processor holds is read page by page into a temporary table, and compared there: neither side is ever in
memory as a whole. What has only just moved, on either side, is in flight and is no difference; the next run sees it.
"""

# ruff: noqa: S608 - statements are put together from words that stand in this module

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from billing.errors import PaymentError, ProcessorRefused
from billing.gateway.listing import Listed, Lists
from billing.models import Difference, Reconciliation
from billing.services.check import problems
from billing.services.comparisons import Comparison, comparisons
from common.money import from_minor
from common.patience import no_hurry

log = logging.getLogger(__name__)

#: Longer than any lease, and than an event is usually on its way.
IN_FLIGHT = timedelta(minutes=10)
#: What the processor lists as made before our row was: clocks differ.
SKEW = timedelta(hours=1)
#: What every day's run looks back over: longer than the processor tries to deliver an event.
EVERY_DAY = timedelta(days=7)
#: What we want of the processor and it has not got is a difference after this long; until then it is tried.
OVERDUE = timedelta(days=1)
BATCH = 1000
#: So many of what the list from a time on lacks are looked up one by one; a row may be younger than its object.
MOST_LOOKED_UP = 500
NONE_THERE = "not compared: the processor has none"


def reconcile(*, now: datetime, since: datetime | None = None) -> Reconciliation:
    """Compare everything from ``since`` on, or everything there is, and write down what does not agree.

    Not to be called in a transaction: it asks the processor for a long time. A run that could not be finished has an
    ``error`` and says nothing about what was not compared.
    """
    run = Reconciliation.objects.create(began_at=now, since=since)
    try:
        with connection.cursor() as cursor:
            cursor.execute(TABLE)
        lists = Lists(since - SKEW if since else None)
        for comparison in comparisons():
            run.compared[comparison.thing] = _compare(comparison, lists, run, now=now)
        _compare_refunds_of_plans(run)
        run.compared["ledger"] = _check_ledger(run)
    except PaymentError as error:
        run.error = error.message[:500]
        log.exception("reconciliation %s was not finished", run.pk)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS theirs")
    run.finished_at = max(timezone.now(), now)
    run.save(update_fields=["compared", "error", "finished_at"])
    _tell(run, now=now)
    return run


def _compare(comparison: Comparison, lists: Lists, run: Reconciliation, *, now: datetime) -> int | str:
    try:
        count = _load(comparison.kind, comparison.source(lists))
    except ProcessorRefused as error:
        if error.is_missing:
            return NONE_THERE
        raise
    values: dict[str, Any] = {
        "run": run.pk,
        "kind": comparison.kind,
        "thing": comparison.thing,
        "agree": [f"{ours}/{theirs}" for ours, some in comparison.agree.items() for theirs in some],
        "moves": list(comparison.moves),
        "since": run.since,
        "waits": list(comparison.waits),
        "settled": now - IN_FLIGHT,
        "overdue": now - OVERDUE,
    }
    if run.since:
        count += _load(comparison.kind, _look_up(comparison, values))
    with no_hurry(), connection.cursor() as cursor:
        cursor.execute("ANALYZE theirs")
        for statement in (KNOWN, NAMED, *DIFFERENCES):
            cursor.execute(statement.replace("OURS", comparison.ours), values)
    return count


def _look_up(comparison: Comparison, values: dict[str, Any]) -> Iterator[Listed]:
    """What our rows of these days name and the list did not have: it may have been made before."""
    with no_hurry(), connection.cursor() as cursor:
        cursor.execute(UNLISTED.replace("OURS", comparison.ours), values | {"most": MOST_LOOKED_UP})
        unlisted = cursor.fetchall()
    for theirs, about in unlisted:
        try:
            yield comparison.one(theirs, about)
        except ProcessorRefused as error:
            if not error.is_missing:
                raise


def _load(kind: str, things: Iterator[Listed]) -> int:
    """Put what the processor lists into the temporary table. Returns how many there are."""
    count = 0
    while batch := list(islice(things, BATCH)):
        with connection.cursor() as cursor:
            cursor.execute(LOAD, [kind, *map(list, zip(*map(_row, batch), strict=True))])
        count += len(batch)
    return count


def _row(thing: Listed) -> tuple[object, ...]:
    try:
        ours = UUID(thing.ours)
    except ValueError:
        ours = None
    amount = from_minor(thing.amount, thing.currency)
    return thing.id, ours, thing.status, amount, thing.currency, thing.about, thing.created


TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS theirs (
    kind text, id text, named uuid, status text, amount numeric, currency text, about text, created timestamptz,
    row uuid, PRIMARY KEY (kind, id)
) ON COMMIT PRESERVE ROWS
"""
#: An object may move from one page to the next while they are read.
LOAD = """
INSERT INTO theirs (kind, id, named, status, amount, currency, about, created)
SELECT %s, * FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::numeric[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""
#: Which row each object belongs to: by its id, else by ours in it, where whoever made it could not write its id down.
KNOWN = """
UPDATE theirs SET row = o.id FROM (OURS) o WHERE theirs.kind = %(kind)s AND theirs.id = o.theirs
"""
NAMED = """
UPDATE theirs SET row = o.id FROM (OURS) o
WHERE theirs.kind = %(kind)s AND theirs.row IS NULL AND theirs.named = o.id AND o.theirs IS NULL
"""
#: An object that we have heard of in the last minutes is in flight.
_QUIET = """
NOT EXISTS (SELECT FROM webhook_events e WHERE e.object_id = t.id AND e.received_at > %(settled)s)
"""
#: Rows whose object is in no list.
_UNLISTED = """
FROM (OURS) o WHERE o.theirs IS NOT NULL AND o.touched < %(settled)s
    AND (%(since)s::timestamptz IS NULL OR o.begun >= %(since)s)
    AND NOT EXISTS (SELECT FROM theirs t WHERE t.kind = %(kind)s AND t.id = o.theirs)
"""
UNLISTED = f"SELECT o.theirs, o.about {_UNLISTED} ORDER BY o.begun DESC LIMIT %(most)s"
_OF_A_PLAN = "t.about IN (SELECT stripe_payment_intent FROM subscription_payments)"
_INTO = "INSERT INTO reconciliation_differences (reconciliation_id, kind, ours, theirs, what) "
_MET = f"FROM theirs t JOIN (OURS) o ON o.id = t.row WHERE t.kind = %(kind)s AND o.touched < %(settled)s AND {_QUIET}"
DIFFERENCES = (
    _INTO
    + f"""
    SELECT %(run)s, %(kind)s || '_missing_here', '', t.id,
        format('%%s %%s of %%s %%s (%%s) is known to nobody here', %(thing)s::text, t.id, t.amount, t.currency, t.status)
    FROM theirs t WHERE t.kind = %(kind)s AND t.row IS NULL AND t.status = ANY(%(moves)s) AND t.created < %(settled)s
        AND {_QUIET}
        AND NOT (t.kind IN ('refund', 'chargeback') AND {_OF_A_PLAN})
    """,
    # Disputes about plans stand in what was paid for the plan.
    _INTO
    + f"""
    SELECT %(run)s, 'subscription_disputed', p.id::text, t.id,
        format('%%s %%s of %%s %%s (%%s) is about a plan, whose payment says %%s of it', %(thing)s::text, t.id, t.amount,
               t.currency, t.status, coalesce(ours::text, 'nothing'))
    FROM theirs t JOIN subscription_payments p ON p.stripe_payment_intent = t.about
    CROSS JOIN LATERAL (SELECT p.disputes -> t.id AS ours) known
    WHERE t.kind = 'chargeback' AND %(kind)s = 'chargeback' AND t.created < %(settled)s AND {_QUIET}
        AND (ours IS NULL OR ours ->> 'status' <> t.status OR (ours ->> 'amount')::numeric <> t.amount)
    """,
    _INTO
    + f"""
    SELECT %(run)s, %(kind)s || '_missing_there', o.id::text, o.theirs,
        format('%%s %%s of %%s %%s (%%s here) is not at the processor', %(thing)s::text, o.theirs, o.amount, o.currency,
               o.status)
    {_UNLISTED}
    """,
    _INTO
    + """
    SELECT %(run)s, %(kind)s || '_overdue', o.id::text, '',
        format('the processor has no %%s for %%s %%s, which is %%s since %%s UTC', %(thing)s::text, o.amount, o.currency,
               o.status, to_char(o.begun AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
    FROM (OURS) o WHERE o.theirs IS NULL AND o.status = ANY(%(waits)s) AND o.touched < %(overdue)s
        AND NOT EXISTS (SELECT FROM theirs t WHERE t.kind = %(kind)s AND t.row = o.id)
    """,
    _INTO
    + f"""
    SELECT %(run)s, %(kind)s || '_status', o.id::text, t.id,
        format('%%s %%s is %%s at the processor, and %%s here', %(thing)s::text, t.id, t.status, o.status)
    {_MET} AND o.status || '/' || t.status <> ALL(%(agree)s)
    """,
    _INTO
    + f"""
    SELECT %(run)s, %(kind)s || '_amount', o.id::text, t.id,
        format('%%s %%s is of %%s %%s at the processor, and of %%s %%s here', %(thing)s::text, t.id, t.amount, t.currency,
               o.amount, o.currency)
    {_MET} AND (t.amount <> o.amount OR t.currency <> o.currency)
    """,
    _INTO
    + f"""
    SELECT %(run)s, %(kind)s || '_belongs', o.id::text, t.id,
        format('%%s %%s belongs to %%s at the processor, and to %%s here', %(thing)s::text, t.id, t.about, o.about)
    {_MET} AND t.about <> '' AND t.about <> o.about
    """,
)
REFUNDS_OF_PLANS = (
    _INTO
    + """
    SELECT %(run)s, 'subscription_refunded', p.id::text, p.stripe_payment_intent,
        format('of PaymentIntent %%s, %%s %%s was refunded at the processor, and %%s here', p.stripe_payment_intent,
               coalesce(sum(t.amount), 0), p.currency, p.refunded)
    FROM subscription_payments p
    LEFT JOIN theirs t ON t.kind = 'refund' AND t.about = p.stripe_payment_intent
        AND t.status IN ('pending', 'requires_action', 'succeeded')
    WHERE p.stripe_payment_intent IS NOT NULL AND (%(since)s::timestamptz IS NULL OR t.id IS NOT NULL)
    GROUP BY p.id
    HAVING CASE WHEN %(since)s::timestamptz IS NULL THEN coalesce(sum(t.amount), 0) <> p.refunded
                ELSE sum(t.amount) > p.refunded END
    """
)


def _compare_refunds_of_plans(run: Reconciliation) -> None:
    """They have no rows of their own here, only a sum. Of some days' refunds it is known that the sum is not less."""
    with connection.cursor() as cursor:
        cursor.execute(REFUNDS_OF_PLANS, {"run": run.pk, "since": run.since})


def _check_ledger(run: Reconciliation) -> int:
    found = problems()
    _write(run, (Difference(kind=f"ledger_{p.kind}"[:40], ours=p.row[:100], what=p.what[:500]) for p in found))
    return len(found)


def _write(run: Reconciliation, differences: Iterable[Difference]) -> None:
    rows = iter(differences)
    while batch := list(islice(rows, BATCH)):
        for row in batch:
            row.reconciliation = run
        Difference.objects.bulk_create(batch)


def _tell(run: Reconciliation, *, now: datetime) -> None:
    """Administrators, once a run, if it found something or could not be finished."""
    count = run.differences.count()
    if not count and not run.error:
        return
    found = "1 difference" if count == 1 else f"{count} differences"
    title = "The reconciliation could not be finished" if run.error else f"The reconciliation found {found}"
    said = [run.error] if run.error else [row.what for row in run.differences.all()[:20]]
    link = f"/admin/billing/reconciliation/{run.pk}/change/"
    for user in administrators():
        with written_for(user):
            key, tone = f"reconciliation:{run.pk}", Notification.Tone.BAD
            tell(
                user=user,
                event=EventKind.TROUBLE,
                key=key,
                subject=title,
                paragraphs=said,
                action=("Open the reconciliation", link),
                tone=tone,
                now=now,
            )
