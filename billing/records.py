"""What billing writes into the history of bookings, for :mod:`bookings.records` to know."""

from django.utils.translation import gettext_noop

from billing.chargeback_reasons import REASONS
from billing.models import RefundReason
from bookings.records import Lines

LINES = Lines(
    whole={
        gettext_noop("All of it goes back by itself."),
        gettext_noop("Paid a second time"),
        gettext_noop("Payment arrived too late"),
        gettext_noop("The buyer's bank asks about a payment"),
        gettext_noop("The buyer's bank closed its question"),
    },
    filled={
        gettext_noop("%(back)s given back at the payment processor"),
        gettext_noop("%(back)s refunded"),
        gettext_noop("%(back)s to be given back"),
        gettext_noop("The bank decided for the buyer: %(back)s stays with them"),
        gettext_noop("The bank decided for the marketplace: %(back)s is back"),
        gettext_noop("The buyer's bank took %(back)s back"),
    },
    labels=[*RefundReason.labels, *REASONS.values()],
)
