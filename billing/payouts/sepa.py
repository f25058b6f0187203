"""SEPA credit transfers: a file (ISO 20022 pain.001) that a person gives to our bank.

The bank says what became of it to that person, not to us: *received* and *failed* are entered by an administrator.
"""

import re
from collections.abc import Sequence
from datetime import date

from django.conf import settings
from sepaxml import SepaTransfer
from sepaxml.validation import ValidationError
from text_unidecode import unidecode

from billing.errors import PaymentError
from billing.models import Payout, PayoutAccount
from billing.payouts.base import NOT_YET, Word
from common.money import Currency, to_minor

#: The version that the European Payments Council's guidelines ask for (since November 2023). The library knows newer
#: ones, which banks do not take yet.
SCHEMA = "pain.001.001.09"
#: What SEPA banks take in names and texts (EPC217-08); the rest is written in Latin letters or left out.
FOREIGN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")


class SepaPayouts:
    """Sent when its file was made, together with all others that wait."""

    def currencies(self, account: PayoutAccount) -> tuple[str, ...]:
        return (Currency.EUR.value,) if account.is_ready else ()

    def send(self, payout: Payout, *, is_held: bool) -> Word:
        """It waits for the file, which leaves out what is held."""
        return NOT_YET

    def synchronise(self, payout: Payout) -> Word:
        """Nobody can be asked: it stays as it is."""
        return Word(payout.status, payout.failure)


def transfer_file(payouts: Sequence[Payout], *, message_id: str, execute_on: date) -> bytes:
    """The file for these payouts, valid by its schema. One batch: the bank's statement has one debit.

    Raises:
        PaymentError: there is a payout in it that no bank would take.
    """
    config: dict[str, object] = {
        "name": settings.MARKETPLACE_SELLER_NAME,
        "IBAN": settings.MARKETPLACE_SELLER_IBAN,
        "batch": True,
        "currency": Currency.EUR.value,
    }
    if settings.MARKETPLACE_SELLER_BIC:
        config["BIC"] = settings.MARKETPLACE_SELLER_BIC
    file = _Transfers(config, message_id=message_id)
    for payout in payouts:
        if payout.currency != Currency.EUR:
            raise PaymentError(f"{payout.reference} is in {payout.currency}. SEPA pays euros alone.")
        payment = {
            "name": in_letters_of_banks(payout.account.holder, 70),
            "IBAN": payout.account.iban,
            "amount": to_minor(payout.amount, payout.currency),
            "execution_date": execute_on,
            "description": in_letters_of_banks(remittance(payout), 140),
            "endtoend_id": payout.reference,
        }
        if payout.account.bic:
            payment["BIC"] = payout.account.bic
        file.add_payment(payment)
    try:
        return bytes(file.export(validate=True))
    except ValidationError as error:
        raise PaymentError(f"The file would not be valid: {error.__cause__ or error}") from error


def remittance(payout: Payout) -> str:
    """What the provider reads on their statement."""
    return f"{payout.reference} {settings.SITE_NAME} earnings"


def in_letters_of_banks(text: str, most: int) -> str:
    """``Universität Łódź & Co`` → ``Universitat Lodz + Co``."""
    latin = FOREIGN.sub(" ", unidecode(text.replace("&", "+")))
    return " ".join(latin.split())[:most].strip()


class _Transfers(SepaTransfer):  # type: ignore[misc]
    """The library's, with a message id of ours, which the row keeps."""

    def __init__(self, config: dict[str, object], *, message_id: str) -> None:
        self._message_id = message_id
        super().__init__({**config, "name": in_letters_of_banks(str(config["name"]), 70)}, schema=SCHEMA, clean=False)

    def _create_header(self) -> None:
        self.msg_id = self._message_id
        super()._create_header()
