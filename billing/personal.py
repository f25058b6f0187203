"""What this room holds about a person: what they paid and earned (:mod:`accounts.privacy`)."""

import json
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.privacy import Kept, Obstacle, Retention, Room, StoredFile, fields_of, table
from accounts.scrubbing import scrub_facts
from accounts.traces import addresses_of, words_of
from billing.models import (
    Chargeback,
    Invoice,
    LedgerEntry,
    Payment,
    Payout,
    PayoutAccount,
    PayoutLine,
    PayoutStatus,
    Refund,
    RefundStatus,
    SavedCard,
    StripeCustomer,
    Subscription,
    SubscriptionPayment,
    WebhookEvent,
)
from billing.services.owed import owing
from bookings.models import Charge

#: The names of facts by which the payment processor says who somebody is.
WHO = frozenset(
    {
        "name", "first_name", "last_name", "customer_name", "email", "customer_email", "receipt_email", "support_email",
        "line1", "line2", "display_name",
    }
)  # fmt: skip
LAW = _("Tax law asks for it, and for so long nobody may delete it.")


def _pdf(row: Invoice) -> Iterator[StoredFile]:
    if row.pdf:
        yield StoredFile(f"{row.number}.pdf", row.pdf)


EXPORTS = [
    table(
        "billing/payments",
        _("Payments"),
        lambda user: Payment.objects.filter(payer=user),
        fields_of(Payment, "provider"),
        covers=["billing.Payment.payer"],
    ),
    table(
        "billing/payments-earned",
        _("Payments for your machines"),
        lambda user: Payment.objects.filter(provider=user),
        ["id", "booking", "amount_total", "currency", "status", "timestamp", "commission_rate", "paid_at"],
        covers=["billing.Payment.provider"],
    ),
    table(
        "billing/refunds",
        _("Refunds"),
        lambda user: Refund.objects.filter(Q(payment__payer=user) | Q(requested_by=user)),
        fields_of(Refund, "requested_by"),
        covers=["billing.Refund.requested_by"],
    ),
    table(
        "billing/chargebacks",
        _("Payments that your bank took back"),
        lambda user: Chargeback.objects.filter(payment__payer=user),
        fields_of(Chargeback),
    ),
    table(
        "billing/invoices",
        _("Invoices and credit notes"),
        lambda user: Invoice.objects.filter(owner=user),
        fields_of(Invoice, "pdf"),
        covers=["billing.Invoice.owner"],
        files=_pdf,
    ),
    table(
        "billing/payouts",
        _("Payouts"),
        lambda user: Payout.objects.filter(provider=user),
        fields_of(Payout),
        covers=["billing.Payout.provider"],
    ),
    table(
        "billing/payout-lines",
        _("What payouts are for"),
        lambda user: PayoutLine.objects.filter(payout__provider=user),
        ["payout", "booking", "amount"],
    ),
    table(
        "billing/payout-accounts",
        _("Where you are paid to"),
        lambda user: PayoutAccount.objects.filter(user=user),
        fields_of(PayoutAccount),
        covers=["billing.PayoutAccount.user"],
    ),
    table(
        "billing/cards",
        _("Cards, with their last digits: the rest stays with the payment processor"),
        lambda user: SavedCard.objects.filter(user=user),
        ["brand", "last4", "exp_month", "exp_year", "is_default", "created_at", "removed_at"],
        covers=["billing.SavedCard.user"],
    ),
    table(
        "billing/plan",
        _("Plan"),
        lambda user: Subscription.objects.filter(user=user),
        fields_of(Subscription),
        covers=["billing.Subscription.user"],
    ),
    table(
        "billing/plan-payments",
        _("Payments of your plan"),
        lambda user: SubscriptionPayment.objects.filter(subscription__user=user),
        fields_of(SubscriptionPayment),
    ),
    table(
        "billing/ledger",
        _("Entries of our books about you"),
        lambda user: LedgerEntry.objects.filter(account__owner=user),
        ["transaction__at", "transaction__kind", "account__kind", "amount", "currency", "booking"],
        covers=["billing.LedgerAccount.owner"],
    ),
    table(
        "billing/payment-processor",
        _("The number under which the payment processor knows you"),
        lambda user: StripeCustomer.objects.filter(user=user),
        ["stripe_id", "created_at"],
        covers=["billing.StripeCustomer.user"],
    ),
]

DECIDED = "Which administrator did it concerns the administrator's work, not their person."

NOT_EXPORTED = {
    "billing.PayoutHold.placed_by": DECIDED,
    "billing.PayoutHold.released_by": DECIDED,
    "billing.SepaFile.created_by": DECIDED,
}


def obstacles(user: User, now: datetime) -> Iterator[Obstacle]:
    """Money that is on its way, in either direction."""
    if (
        Charge.objects.open().filter(booking__buyer=user, booking__paid_at__isnull=False).exists()
        or Payment.objects.incomplete().filter(payer=user).exists()
    ):
        yield Obstacle(
            gettext("Something is still to be paid. Pay it, or cancel what it is for."), reverse("payment_list")
        )
    refunds = Refund.objects.filter(payment__payer=user)
    if refunds.filter(Q(status=RefundStatus.REQUESTED) | Q(status=RefundStatus.FAILED, retry=None)).exists():
        yield Obstacle(gettext("A refund to you is on its way. Wait until it has been made."), reverse("payment_list"))
    if Chargeback.objects.undecided().filter(Q(payment__payer=user) | Q(payment__provider=user)).exists():
        yield Obstacle(gettext("A bank disputes a payment. Wait until that is decided."), "")
    underway = Payout.objects.filter(provider=user, retry=None).exclude(status=PayoutStatus.RECEIVED)
    if owing(provider=user.pk).exists() or underway.exists():
        yield Obstacle(
            gettext("We owe you money for bookings of your machines. Wait until it has been paid out."),
            reverse("earnings"),
        )
    plan = Subscription.objects.filter(user=user).first()
    if plan is not None and plan.is_in_force:
        yield Obstacle(gettext("You have a plan. Cancel it, and wait until it has ended."), reverse("plan"))


def erase(user: User, now: datetime) -> None:
    """Books stay as the law asks. Cards go; a sweep has the payment processor forget its customer, too."""
    SavedCard.objects.filter(user=user).delete()
    Subscription.objects.filter(user=user).update(billing_details={}, failure="")
    _forget_events(user)
    accounts = PayoutAccount.objects.filter(user=user)
    accounts.filter(payouts=None).delete()
    accounts.filter(replaced_at=None).update(replaced_at=now)


def _forget_events(user: User) -> None:
    """Who the payment processor said that they are: in its messages about their customer, their account, their address."""
    about = Q(account__in=PayoutAccount.objects.filter(user=user).exclude(stripe_account="").values("stripe_account"))
    for customer in StripeCustomer.objects.filter(user=user):
        about |= Q(payload__data__object__customer=customer.stripe_id) | Q(object_id=customer.stripe_id)
    for address in addresses_of(user):
        about |= Q(payload__icontains=json.dumps(address))
    scrub_facts(WebhookEvent.objects.filter(about), "payload", words_of(user), called=WHO)


ROOM = Room(
    "billing",
    exports=EXPORTS,
    not_exported=NOT_EXPORTED,
    obstacles=obstacles,
    erase=erase,
    goes=[_("Your cards, here and at the payment processor, and accounts that nothing was ever paid to.")],
    outlive=["billing.StripeCustomer"],
    texts={
        "billing.Refund": ["note", "failure"],
        "billing.Payment": ["failure"],
        "billing.Payout": ["failure"],
        "billing.PayoutHold": ["reason", "released_because"],
        "billing.WebhookEvent": ["error"],
        "billing.Difference": ["ours", "theirs", "what"],
    },
    kept=[
        Kept(_("Invoices and credit notes, with the name and address that they were issued to"), LAW, ["invoices.document"]),
        Kept(_("Payments, refunds, and the entries of our books"), LAW),
        Kept(
            _("Payouts, with the account that each went to"),
            LAW,
            [f"{name}.{column}" for name in ("payout_accounts", "payout_accounts_changes") for column in ("holder", "iban", "bic")],
        ),
    ],
    retention=[
        Retention(_("Messages of the payment processor, as they came"), "MARKETPLACE_PROCESSOR_EVENTS_DAYS",
                  _("So that a mistake in our books can be found.")),
        Retention(_("Invoices, payments, payouts and the ledger"), "MARKETPLACE_BOOKS_YEARS", LAW, in_years=True),
    ],
)  # fmt: skip
