"""What every way of paying a provider can do."""

from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext_noop

from billing.models import Payout, PayoutAccount, PayoutStatus


@dataclass(frozen=True)
class Word:
    """What is known of a payout outside our rows.

    Attributes:
        status: a :class:`PayoutStatus`; ``scheduled`` means that nothing has left us.
        failure: why it failed, or why it could not be done yet; for the provider and for administrators.
        transfer, bank_payout, reversal: the processor's ids, as far as they are known.
    """

    status: str
    failure: str = ""
    transfer: str = ""
    bank_payout: str = ""
    reversal: str = ""

    @property
    def ids(self) -> dict[str, str]:
        """The processor's ids that are known, by the row's field."""
        known = {
            "stripe_transfer": self.transfer,
            "stripe_payout": self.bank_payout,
            "stripe_reversal": self.reversal,
        }
        return {field: id for field, id in known.items() if id}


#: Nothing has happened, and nothing is wrong.
NOT_YET = Word(PayoutStatus.SCHEDULED)
#: It is not to leave us for now. Its page says which bookings, and why.
HELD = Word(PayoutStatus.SCHEDULED, gettext_noop("Something in it is held, or is not owed any more."))


class PayoutStrategy(Protocol):
    """One way of paying providers.

    Nothing here writes rows: what it learns it says in a :class:`Word`, which ``billing.services.payouts`` writes down.
    Each call may be made again after a crash anywhere in it; only one is made at a time, because who makes it has the
    payout's lease.
    """

    def currencies(self, account: PayoutAccount) -> tuple[str, ...]:
        """What can be paid to the account. Empty: nothing, for now."""

    def send(self, payout: Payout, *, is_held: bool) -> Word:
        """Let the money leave us, if that needs no person.

        Args:
            is_held: it is not to leave; only say what has left before.

        Raises:
            ProcessorAway: no answer; what was done is not known, and asking again does no harm.
        """

    def synchronise(self, payout: Payout) -> Word:
        """What became of a payout that was sent; carries on with what is not finished.

        Raises:
            ProcessorAway: no answer.
        """
