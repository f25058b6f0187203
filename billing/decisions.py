"""The actions with money that take two administrators (:mod:`accounts.dangerous`)."""

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.dangerous import Arguments, DangerousAction, Shown, takes_two
from accounts.models import User
from billing.models import Payment, PayoutHold, RefundReason
from billing.services.payout_holds import check_release, release_hold
from billing.services.refunds import check_give_back, give_back
from common.formats import NOTHING, money

GIVE_BACK = "give-back"
RELEASE_HOLD = "release-hold"


def give_back_arguments(payment: Payment, *, amount: Decimal, reason: str) -> dict[str, str]:
    return {"payment": str(payment.pk), "amount": str(amount), "reason": reason}


def release_arguments(hold: PayoutHold) -> dict[str, str]:
    return {"hold": str(hold.pk)}


def _payment(arguments: Arguments) -> Payment:
    return Payment.objects.select_related("booking__buyer", "payer").get(pk=arguments["payment"])


def _show_give_back(arguments: Arguments) -> Shown:
    payment, amount = _payment(arguments), Decimal(arguments["amount"])
    check_give_back(payment, amount)
    return [
        (_("Amount"), money(amount, payment.currency)),
        (_("Of"), money(payment.amount_total, payment.currency)),
        (_("Booking"), payment.booking.reference),
        (_("Goes to"), str(payment.payer)),
        (_("As"), str(RefundReason(arguments["reason"]).label)),
    ]


def _give_back(arguments: Arguments, *, by: User, second: User, reason: str, now: datetime) -> object:
    return give_back(
        payment=_payment(arguments),
        amount=Decimal(arguments["amount"]),
        reason=arguments["reason"],
        why=reason[:300],
        by=by,
        second=second,
        now=now,
    )


def _hold(arguments: Arguments) -> PayoutHold:
    return PayoutHold.objects.select_related("booking__machine__provider").get(pk=arguments["hold"])


def _show_release(arguments: Arguments) -> Shown:
    hold = _hold(arguments)
    check_release(hold)
    held = _("All that it earned") if hold.amount is None else money(hold.amount, hold.booking.currency)
    return [
        (_("Amount"), held),
        (_("Booking"), hold.booking.reference),
        (_("Goes to"), str(hold.booking.machine.provider)),
        (_("Was held because"), hold.reason or NOTHING),
    ]


def _release(arguments: Arguments, *, by: User, second: User, reason: str, now: datetime) -> object:
    return release_hold(hold=_hold(arguments), reason=reason, by=by, second=second, now=now)


takes_two(
    DangerousAction(
        GIVE_BACK,
        gettext_lazy("Give back more than one administrator may"),
        about=lambda arguments: arguments["payment"],
        show=_show_give_back,
        do=_give_back,
    )
)
takes_two(
    DangerousAction(
        RELEASE_HOLD,
        gettext_lazy("Release a held payout"),
        about=lambda arguments: arguments["hold"],
        show=_show_release,
        do=_release,
    )
)
