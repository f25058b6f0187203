"""Stripe Connect: where providers are paid to, and sending them money.

A payout takes two steps. The *transfer* moves money from our balance to the provider's; the *bank payout* moves it
from there to their bank, because connected accounts pay out by hand (``interval: manual``). Only the second one says
whether the money has arrived.
"""

from dataclasses import dataclass

import stripe

from billing.errors import ProcessorRefused
from billing.gateway.client import client, id_of, metadata_of, translated
from billing.models import Payout
from common.money import to_minor

#: The processor's words for money that is not there yet: nothing was done, and later it may be.
NO_FUNDS = ("balance_insufficient", "insufficient_funds")
#: Of what the processor may want to know from a provider, so many things are named.
MOST_REQUIREMENTS = 8


@dataclass(frozen=True)
class ConnectedAccount:
    """A provider's account. ``currencies``: those of its bank accounts; ``requirements``: what Stripe still wants."""

    id: str
    details_submitted: bool
    payouts_enabled: bool
    requirements: str
    currencies: tuple[str, ...]


@dataclass(frozen=True)
class MadeTransfer:
    """Money moved to a connected account. ``reversed``: all of it came back. Amounts in minor units."""

    id: str
    amount: int
    currency: str
    destination: str
    reversed: bool
    amount_reversed: int
    payout_id: str
    reversal: str = ""


@dataclass(frozen=True)
class BankPayout:
    """Money on its way from a connected account to its bank.

    ``status`` is Stripe's: pending, in_transit, paid, failed, canceled. One that was paid may fail days later.
    """

    id: str
    status: str
    amount: int
    currency: str
    payout_id: str
    error: str


# Accounts ----------------------------------------------------------------------------------------------


def create_account(*, email: str, country: str, key: str) -> ConnectedAccount:
    """A new connected account with Stripe's Express dashboard, that pays out when we say so."""
    with translated():
        account = client().v1.accounts.create(
            {
                "country": country,
                "email": email,
                "controller": {
                    "stripe_dashboard": {"type": "express"},
                    "fees": {"payer": "application"},
                    "losses": {"payments": "application"},
                    "requirement_collection": "stripe",
                },
                "capabilities": {"transfers": {"requested": True}},
                "settings": {"payouts": {"schedule": {"interval": "manual"}}},
                "metadata": {"key": key},
            },
            {"idempotency_key": f"account-{key}"},
        )
    return connected_account(account)


def get_account(account_id: str) -> ConnectedAccount:
    """The account as it is now."""
    with translated():
        return connected_account(client().v1.accounts.retrieve(account_id))


def onboarding_link(account_id: str, *, return_url: str, refresh_url: str) -> str:
    """Where the provider tells Stripe who they are. It works once, for a few minutes."""
    with translated():
        link = client().v1.account_links.create(
            {
                "account": account_id,
                "type": "account_onboarding",
                "return_url": return_url,
                "refresh_url": refresh_url,
            }
        )
    return link.url


def dashboard_link(account_id: str) -> str:
    """Where the provider sees and changes their account at Stripe. It works once."""
    with translated():
        return client().v1.accounts.login_links.create(account_id).url


def connected_account(account: stripe.Account) -> ConnectedAccount:
    wanted = account.requirements
    due = list(wanted.currently_due or []) if wanted else []
    banks = getattr(account, "external_accounts", None)
    found = [bank.currency for bank in banks.data if bank.object == "bank_account"] if banks else []
    currencies = found or ([account.default_currency] if account.default_currency else [])
    return ConnectedAccount(
        id=account.id,
        details_submitted=bool(account.details_submitted),
        payouts_enabled=bool(account.payouts_enabled),
        requirements=_in_words(due, (wanted.disabled_reason if wanted else None) or ""),
        currencies=tuple(sorted({currency.upper() for currency in currencies if currency})),
    )


def _in_words(due: list[str], disabled: str) -> str:
    """``["individual.dob.day"]`` → ``individual dob day``: near enough to words, and all that Stripe says."""
    named = [item.replace(".", " ").replace("_", " ") for item in due[:MOST_REQUIREMENTS]]
    more = [f"and {len(due) - MOST_REQUIREMENTS} more"] if len(due) > MOST_REQUIREMENTS else []
    return ", ".join([*named, *more]) or disabled.replace(".", " ").replace("_", " ")


# Sending -----------------------------------------------------------------------------------------------


def make_transfer(payout: Payout, *, again: bool = False) -> MadeTransfer:
    """Move the money to the provider's account. Whoever calls it has looked whether somebody did before us.

    Args:
        again: it was refused before for want of money. The processor repeats its answer to a key for a day, so this
            try has a key of its own; that nothing was done is known.

    Raises:
        ProcessorRefused: ``code`` is one of ``NO_FUNDS`` where our balance does not cover it.
    """
    with translated():
        transfer = client().v1.transfers.create(
            {
                "amount": to_minor(payout.amount, payout.currency),
                "currency": payout.currency.lower(),
                "destination": payout.account.stripe_account or "",
                "transfer_group": group_of(payout),
                "metadata": {"payout_id": str(payout.pk)},
            },
            {"idempotency_key": _key(payout, "payout", again)},
        )
    return _transfer(transfer)


def find_transfer(payout: Payout) -> MadeTransfer | None:
    """The transfer that was made for the payout, if there is one: by its transfer group."""
    with translated():
        for transfer in client().v1.transfers.list({"transfer_group": group_of(payout), "limit": 100}).data:
            if metadata_of(transfer).get("payout_id") == str(payout.pk):
                return _transfer(transfer)
    return None


def get_transfer(transfer_id: str) -> MadeTransfer:
    with translated():
        return _transfer(client().v1.transfers.retrieve(transfer_id))


def reverse_transfer(payout: Payout, *, again: bool = False) -> str:
    """Take the money back from the provider's account, once. Returns the reversal's id.

    Raises:
        ProcessorRefused: as for :func:`make_transfer`; money that comes back from a bank takes days to be there.
    """
    transfer_id = payout.stripe_transfer or ""
    with translated():
        for made in client().v1.transfers.reversals.list(transfer_id, {"limit": 100}).auto_paging_iter():
            if metadata_of(made).get("payout_id") == str(payout.pk):
                return made.id
        made = client().v1.transfers.reversals.create(
            transfer_id,
            {"metadata": {"payout_id": str(payout.pk)}},
            {"idempotency_key": _key(payout, "payout-reversal", again)},
        )
    return made.id


def make_bank_payout(payout: Payout, *, again: bool = False) -> BankPayout:
    """Send the money on to the provider's bank, once.

    Raises:
        ProcessorRefused: as for :func:`make_transfer`, of the provider's balance.
    """
    made = find_bank_payout(payout) if payout.attempts > 1 else None  # at the first, nobody has been here before
    if made is not None:
        return made
    with translated():
        sent = client().v1.payouts.create(
            {
                "amount": to_minor(payout.amount, payout.currency),
                "currency": payout.currency.lower(),
                "metadata": {"payout_id": str(payout.pk)},
            },
            {
                "idempotency_key": _key(payout, "payout-bank", again),
                "stripe_account": payout.account.stripe_account,
            },
        )
    return _bank_payout(sent)


def find_bank_payout(payout: Payout) -> BankPayout | None:
    """The bank payout that was made for the payout, if there is one."""
    with translated():
        listed = client().v1.payouts.list({"limit": 100}, {"stripe_account": payout.account.stripe_account})
        for found in listed.auto_paging_iter():
            if metadata_of(found).get("payout_id") == str(payout.pk):
                return _bank_payout(found)
    return None


def get_bank_payout(payout: Payout) -> BankPayout:
    """As it is now."""
    with translated():
        return _bank_payout(
            client().v1.payouts.retrieve(
                payout.stripe_payout or "", None, {"stripe_account": payout.account.stripe_account}
            )
        )


def is_for_want_of_money(error: ProcessorRefused) -> bool:
    return error.code in NO_FUNDS


def group_of(payout: Payout) -> str:
    return f"payout-{payout.pk}"


def _key(payout: Payout, what: str, again: bool) -> str:
    return f"{what}-{payout.pk}-{payout.attempts}" if again else f"{what}-{payout.pk}"


def _transfer(transfer: stripe.Transfer) -> MadeTransfer:
    back = transfer.reversals.data if transfer.reversals else []
    return MadeTransfer(
        id=transfer.id,
        amount=transfer.amount,
        currency=transfer.currency.upper(),
        destination=id_of(transfer.destination) if transfer.destination else "",
        reversed=bool(transfer.reversed),
        amount_reversed=transfer.amount_reversed,
        payout_id=metadata_of(transfer).get("payout_id", ""),
        reversal=back[0].id if back else "",
    )


def _bank_payout(payout: stripe.Payout) -> BankPayout:
    return BankPayout(
        id=payout.id,
        status=payout.status,
        amount=payout.amount,
        currency=payout.currency.upper(),
        payout_id=metadata_of(payout).get("payout_id", ""),
        error=payout.failure_message or payout.failure_code or "",
    )
