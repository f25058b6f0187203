"""How providers are paid (Strategy). ``strategy_for(payout)`` gives the one that its method names."""

from billing.models import Payout, PayoutMethod
from billing.payouts.base import NOT_YET, PayoutStrategy, Word
from billing.payouts.connect import ConnectPayouts
from billing.payouts.sepa import SepaPayouts

__all__ = ["NOT_YET", "PayoutStrategy", "Word", "strategy_for"]

STRATEGIES: dict[str, PayoutStrategy] = {PayoutMethod.CONNECT: ConnectPayouts(), PayoutMethod.SEPA: SepaPayouts()}


def strategy_for(method: str | Payout) -> PayoutStrategy:
    """The way that a payout takes, or that a method names."""
    return STRATEGIES[method.method if isinstance(method, Payout) else method]
