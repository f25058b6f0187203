"""What was paid and given back before there was a ledger is posted to it, as ``billing.services.postings`` would have.

The platform's share is the one that the rules name, 10 %, and nothing of it was tax. No invoices are made up for that
time: these payments have no invoice number, what is given back of them has no credit note, and ``check_invoices`` knows
them by the note on their postings. What providers had earned has never been paid out, so it is owed to them, and is paid
out as what is earned from now on; the invoices in their name are of that day.

Backwards nothing is taken away: the ledger is append-only, and its tables go with the migration that made them.
"""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import uuid4

from django.db import migrations

RATE = Decimal("0.10")
NOTE = "From before there were invoices"
UNITS = {"JPY": Decimal(1)}
CENT = Decimal("0.01")
#: Refunds of these reasons gave back what had paid for nothing.
NEVER_EARNED = ("paid_too_late", "paid_twice")
BATCH = 500


def post_earlier_payments(apps, schema_editor):
    Payment = apps.get_model("billing", "Payment")
    earlier = Payment.objects.filter(postings=None)
    earlier.filter(commission_rate=0).update(commission_rate=RATE)
    paid = list(earlier.filter(status="paid").order_by("paid_at", "pk").values_list("pk", flat=True))
    writer = Writer(apps)
    for first in range(0, len(paid), BATCH):
        some = Payment.objects.filter(pk__in=paid[first : first + BATCH])
        for payment in some.order_by("paid_at", "pk").prefetch_related("refunds"):
            _post(writer, payment)
        writer.write()


def _post(writer, payment):
    """Everything that happened to one payment, in order."""
    total, refunds = payment.amount_total, sorted(payment.refunds.all(), key=lambda row: (row.requested_at, row.pk))
    writer.add(
        payment,
        "payment",
        f"payment:{payment.pk}",
        payment.paid_at,
        {("processor", None): total, ("buyer", payment.payer_id): -total},
    )
    credit, earned = total, Decimal(0)
    if not any(refund.reason in NEVER_EARNED for refund in refunds):
        credit, earned = Decimal(0), total
        sides = {("buyer", payment.payer_id): total, **_shares(payment, -total)}
        writer.add(payment, "earned", f"earned:{payment.pk}", payment.paid_at, sides)
    for refund in refunds:
        from_buyer = min(refund.amount, credit)
        credit -= from_buyer
        before, earned = earned, earned - (refund.amount - from_buyer)
        back = {
            account: amount + _shares(payment, -earned)[account] for account, amount in _shares(payment, before).items()
        }
        sides = {("buyer", payment.payer_id): from_buyer, **back, ("refunds", None): -refund.amount}
        writer.add(payment, "refund_owed", f"refund-owed:{refund.pk}", refund.requested_at, sides, refund=refund)
        if refund.status == "requested":
            continue
        failed = refund.status == "failed"
        credit += refund.amount if failed else 0
        where = ("buyer", payment.payer_id) if failed else ("processor", None)
        writer.add(
            payment,
            "refund_failed" if failed else "refund_made",
            f"refund:{refund.pk}:1",
            refund.made_at or refund.requested_at,
            {("refunds", None): refund.amount, where: -refund.amount},
            refund=refund,
        )


def _shares(payment, amount):
    """``amount``, which was earned, by whom: the commission is rounded, the provider has the rest."""
    commission = (amount * payment.commission_rate).quantize(UNITS.get(payment.currency, CENT), ROUND_HALF_EVEN)
    return {("provider_payable", payment.provider_id): amount - commission, ("commission", None): commission}


class Writer:
    """Collects postings, and writes all entries of a transaction by one statement, which a trigger insists on."""

    def __init__(self, apps):
        self.Account = apps.get_model("billing", "LedgerAccount")
        self.Transaction = apps.get_model("billing", "LedgerTransaction")
        self.Entry = apps.get_model("billing", "LedgerEntry")
        self.accounts = {}
        self.transactions, self.entries = [], []

    def add(self, payment, kind, key, at, sides, refund=None):
        """``sides``: the amount for each (kind of account, owner); debits are positive."""
        totals = defaultdict(Decimal)
        for account, amount in sides.items():
            totals[account] += amount
        posted = self.Transaction(
            id=uuid4(),
            kind=kind,
            key=key,
            at=at,
            booking_id=payment.booking_id,
            payment=payment,
            refund=refund,
            note=NOTE,
        )
        self.transactions.append(posted)
        self.entries += [
            self.Entry(
                id=uuid4(),
                transaction=posted,
                account=self._account(*account, payment.currency),
                currency=payment.currency,
                amount=amount,
                booking_id=payment.booking_id,
            )
            for account, amount in totals.items()
            if amount
        ]

    def _account(self, kind, owner, currency):
        key = (kind, owner, currency)
        if key not in self.accounts:
            self.accounts[key], _ = self.Account.objects.get_or_create(kind=kind, owner_id=owner, currency=currency)
        return self.accounts[key]

    def write(self):
        self.Transaction.objects.bulk_create(self.transactions)
        self.Entry.objects.bulk_create(self.entries)
        self.transactions, self.entries = [], []


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_where_payouts_go")]

    operations = [migrations.RunPython(post_earlier_payments, migrations.RunPython.noop)]
