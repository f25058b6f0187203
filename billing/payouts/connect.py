"""Stripe Connect: a transfer to the provider's account there, then a payout from that to their bank."""

import logging

from django.utils.translation import gettext_noop

from billing.errors import ProcessorRefused
from billing.gateway import connect as gateway
from billing.models import Payout, PayoutAccount, PayoutStatus
from billing.payouts.base import HELD, NOT_YET, Word

log = logging.getLogger(__name__)

NO_MONEY_HERE = gettext_noop("Our balance at the payment processor does not cover it yet.")
NO_MONEY_THERE = gettext_noop("The money is not available in the Stripe account yet.")
NOT_BACK_YET = "It failed, and the money is not back yet."


class ConnectPayouts:
    """Sent when the transfer is made, received when Stripe calls the payout to the bank paid.

    A payout that fails puts the money back into the provider's Stripe account. It is owed again only once it has been
    taken back from there.
    """

    def currencies(self, account: PayoutAccount) -> tuple[str, ...]:
        return tuple(account.currencies) if account.is_ready else ()

    def send(self, payout: Payout, *, is_held: bool) -> Word:
        # Only the transfer itself can be refused for good: one that cannot be looked for is looked for again.
        transfer = gateway.find_transfer(payout)
        if transfer is not None:
            return Word(PayoutStatus.SENT, transfer=transfer.id)
        if is_held:
            return HELD
        try:
            transfer = gateway.make_transfer(payout, again=payout.failure == NO_MONEY_HERE)
        except ProcessorRefused as refused:
            if gateway.is_for_want_of_money(refused):
                return Word(PayoutStatus.SCHEDULED, NO_MONEY_HERE)
            log.exception("the transfer of payout %s was refused", payout.pk)
            return Word(PayoutStatus.FAILED, _why(refused))
        return Word(PayoutStatus.SENT, transfer=transfer.id)

    def synchronise(self, payout: Payout) -> Word:
        if not payout.stripe_transfer:
            return NOT_YET
        transfer = gateway.get_transfer(payout.stripe_transfer)
        if not payout.stripe_payout and transfer.reversed:
            return Word(
                PayoutStatus.FAILED, gettext_noop("The transfer was reversed at Stripe."), reversal=transfer.reversal
            )
        try:
            sent = (
                gateway.get_bank_payout(payout)
                if payout.stripe_payout
                else gateway.make_bank_payout(payout, again=payout.failure == NO_MONEY_THERE)
            )
        except ProcessorRefused as refused:
            if gateway.is_for_want_of_money(refused):
                return Word(PayoutStatus.SENT, NO_MONEY_THERE)
            log.exception("the bank payout of payout %s was refused", payout.pk)
            return self._take_back(payout, transfer, _why(refused))
        if sent.status in ("failed", "canceled"):
            return self._take_back(payout, transfer, sent.error or f"Stripe says: {sent.status}.", sent.id)
        arrived = PayoutStatus.RECEIVED if sent.status == "paid" else PayoutStatus.SENT
        return Word(arrived, bank_payout=sent.id)

    def _take_back(self, payout: Payout, transfer: gateway.MadeTransfer, why: str, bank_payout: str = "") -> Word:
        """Failed, if the money can be had back now; else it stays sent, and is tried again."""
        if transfer.reversed:
            return Word(PayoutStatus.FAILED, why, bank_payout=bank_payout, reversal=transfer.reversal)
        try:
            reversal = gateway.reverse_transfer(payout, again=payout.failure.startswith(NOT_BACK_YET))
        except ProcessorRefused as refused:
            if not gateway.is_for_want_of_money(refused):
                log.exception("the transfer of payout %s could not be reversed", payout.pk)
            return Word(PayoutStatus.SENT, f"{NOT_BACK_YET} {why}", bank_payout=bank_payout)
        return Word(PayoutStatus.FAILED, why, bank_payout=bank_payout, reversal=reversal)


def _why(refused: ProcessorRefused) -> str:
    """In the processor's words where it said any."""
    cause = refused.__cause__
    return str(getattr(cause, "user_message", "") or cause or refused.message)
