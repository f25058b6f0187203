"""Everything that the processor holds, kind by kind and page by page, for comparing it with our rows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.errors import ProcessorAway, ProcessorRefused
from billing.gateway.client import client, id_of, metadata_of, translated

PAGE = 100
#: A page that does not come is asked for again after so many seconds.
PAUSES = (1, 5, 15)


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of the processor's, as much of it as is compared. Statuses are Stripe's.

    Attributes:
        ours: the id of our row, which we wrote into it.
        amount: in minor units of ``currency``.
        about: the id of the object that it belongs to: the PaymentIntent or the connected account.
    """

    id: str
    ours: str
    status: str
    amount: int
    currency: str
    about: str
    created: datetime


class Lists:
    """What the processor holds from a time on, or all of it. Ask for the PaymentIntents first.

    A stand-in that cannot choose by time refuses to at the first list, and we choose from everything then.

    Raises:
        ProcessorAway: no answer, several times.
        ProcessorRefused: ``is_missing`` where the processor has no such list.
    """

    def __init__(self, since: datetime | None = None) -> None:
        self._since = since
        self._chooses_by_time = True

    def intents(self) -> Iterator[Listed]:
        """Every PaymentIntent."""
        for intent in self._everything(client().v1.payment_intents.list):
            yield _intent(intent)

    def refunds(self) -> Iterator[Listed]:
        """Every Refund, whoever began it."""
        for refund in self._everything(client().v1.refunds.list):
            yield _refund(refund)

    def disputes(self) -> Iterator[Listed]:
        """Every Dispute."""
        for dispute in self._everything(client().v1.disputes.list):
            yield _dispute(dispute)

    def invoices(self) -> Iterator[Listed]:
        """Every Invoice with which money was taken."""
        for invoice in self._everything(client().v1.invoices.list):
            if invoice.status == "paid" and invoice.amount_paid > 0:
                yield _invoice(invoice)

    def transfers(self) -> Iterator[Listed]:
        """Every Transfer to a connected account: *sent*, *reversed* if it came back, or *partly reversed*."""
        for transfer in self._everything(client().v1.transfers.list):
            yield _transfer(transfer)

    def bank_payouts(self, account: str) -> Iterator[Listed]:
        """Every Payout of a connected account to its bank."""

        def page(params: Any) -> Any:
            return client().v1.payouts.list(params, {"stripe_account": account})

        for payout in self._everything(page):
            yield _bank_payout(payout, account)

    def _everything(self, ask: Callable[[Any], Any]) -> Iterator[Any]:
        """All objects of a list, whose pages are asked for as they are needed."""
        first = int(self._since.timestamp()) if self._since else 0
        after: dict[str, Any] = {}
        while True:
            chosen: dict[str, Any] = {"created": {"gte": first}} if first and self._chooses_by_time else {}
            try:
                page = _page(ask, {"limit": PAGE, **chosen, **after})
            except ProcessorRefused as error:
                if error.is_missing or not chosen:
                    raise
                self._chooses_by_time = False
                continue
            yield from (thing for thing in page.data if thing.created >= first)
            if not page.has_more or not page.data:
                return
            after = {"starting_after": page.data[-1].id}


# One by its id, where a list from a time on lacks it. All raise ``ProcessorRefused``, which ``is_missing`` where there
# is none, and ``ProcessorAway``.


def one_intent(id: str, about: str) -> Listed:
    with translated():
        return _intent(client().v1.payment_intents.retrieve(id))


def one_refund(id: str, about: str) -> Listed:
    with translated():
        return _refund(client().v1.refunds.retrieve(id))


def one_dispute(id: str, about: str) -> Listed:
    with translated():
        return _dispute(client().v1.disputes.retrieve(id))


def one_invoice(id: str, about: str) -> Listed:
    with translated():
        return _invoice(client().v1.invoices.retrieve(id))


def one_transfer(id: str, about: str) -> Listed:
    with translated():
        return _transfer(client().v1.transfers.retrieve(id))


def one_bank_payout(id: str, about: str) -> Listed:
    """``about``: the connected account whose it is."""
    with translated():
        return _bank_payout(client().v1.payouts.retrieve(id, None, {"stripe_account": about}), about)


def _intent(intent: Any) -> Listed:
    ours = metadata_of(intent).get("payment_id", "")
    return _listed(intent, ours=ours, status=intent.status, amount=intent.amount, about="")


def _refund(refund: Any) -> Listed:
    ours = metadata_of(refund).get("refund_id", "")
    about = id_of(refund.payment_intent) if refund.payment_intent else ""
    return _listed(refund, ours=ours, status=refund.status or "pending", amount=refund.amount, about=about)


def _dispute(dispute: Any) -> Listed:
    about = id_of(dispute.payment_intent) if dispute.payment_intent else ""
    return _listed(dispute, ours="", status=dispute.status, amount=dispute.amount, about=about)


def _invoice(invoice: Any) -> Listed:
    return _listed(invoice, ours="", status=invoice.status or "draft", amount=invoice.amount_paid, about="")


def _transfer(transfer: Any) -> Listed:
    ours = metadata_of(transfer).get("payout_id", "")
    about = id_of(transfer.destination) if transfer.destination else ""
    status = "reversed" if transfer.reversed else "partly reversed" if transfer.amount_reversed else "sent"
    return _listed(transfer, ours=ours, status=status, amount=transfer.amount, about=about)


def _bank_payout(payout: Any, account: str) -> Listed:
    ours = metadata_of(payout).get("payout_id", "")
    return _listed(payout, ours=ours, status=payout.status, amount=payout.amount, about=account)


def _listed(thing: Any, *, ours: str, status: str, amount: int, about: str) -> Listed:
    created = datetime.fromtimestamp(thing.created, tz=UTC)
    return Listed(thing.id, ours, status, amount, thing.currency.upper(), about, created)


def _page(ask: Callable[[Any], Any], params: dict[str, Any]) -> Any:
    for pause in PAUSES:
        try:
            with translated():
                return ask(params)
        except ProcessorAway:
            time.sleep(pause)
    with translated():
        return ask(params)
