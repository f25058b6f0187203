"""Why a bank asks for a payment back: the processor's words for it, as people read them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: By the ``reason`` of the processor's Dispute object.
REASONS: dict[str, Promise] = {
    "bank_cannot_process": _("Bank cannot process"),
    "check_returned": _("Check returned"),
    "credit_not_processed": _("Credit not processed"),
    "customer_initiated": _("Customer initiated"),
    "debit_not_authorized": _("Debit not authorized"),
    "duplicate": _("Duplicate"),
    "fraudulent": _("Fraudulent"),
    "general": _("General"),
    "incorrect_account_details": _("Incorrect account details"),
    "insufficient_funds": _("Insufficient funds"),
    "noncompliant": _("Noncompliant"),
    "product_not_received": _("Product not received"),
    "product_unacceptable": _("Product unacceptable"),
    "subscription_canceled": _("Subscription canceled"),
    "unrecognized": _("Unrecognized"),
}


def in_words(reason: str) -> str:
    """“product not received”, as rows have it → “Product not received”, in the active language; a new one as it comes."""
    known = REASONS.get(reason.replace(" ", "_"))
    return str(known) if known is not None else reason.replace("_", " ").capitalize()
