"""Stripe's test cards: what the bank says to each number (https://docs.stripe.com/testing)."""

from dataclasses import dataclass, replace

GOOD = "4242424242424242"
DECLINED = "4000000000000002"
NO_FUNDS = "4000000000009995"
DECLINED_WHEN_CHARGED = "4000000000000341"
#: The bank sees the buyer when the buyer pays; once the card has been set up, not when the shop charges it.
AUTHENTICATE_UNLESS_SET_UP = "4000002500003155"
ALWAYS_AUTHENTICATE = "4000002760003184"
#: Off-session payments pass as if it had been set up before; on-session ones are authenticated.
ALREADY_SET_UP = "4000003800000446"
#: Authenticated, and then declined for lack of funds.
AUTHENTICATE_NO_FUNDS = "4000008260003178"
DISPUTED = "4000000000000259"
DISPUTED_NOT_RECEIVED = "4000000000002685"
INQUIRY = "4000000000001976"
REFUND_SUCCEEDS_LATER = "4000000000007726"
REFUND_FAILS_LATER = "4000000000005126"
#: Its money is available at once.
AVAILABLE_AT_ONCE = "4000000000000077"

MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
#: Declines that have a code of their own; the code of all others is card_declined.
OWN_CODES = {"expired_card", "incorrect_cvc", "processing_error", "authentication_required"}


@dataclass(frozen=True)
class Card:
    """How the bank behaves.

    ``on_session``, ``off_session``: whether it wants to see the buyer when the buyer pays, and when the shop charges
    a saved card. ``set_up`` helps: a card that was authenticated when it was saved passes off-session.
    """

    number: str
    saving: str = ""
    charging: str = ""
    on_session: bool = False
    off_session: bool = False
    set_up_helps: bool = False
    dispute: str = ""
    refund: str = ""
    available_at_once: bool = False

    @property
    def brand(self) -> str:
        return {"4": "visa", "5": "mastercard", "3": "amex"}.get(self.number[0], "unknown")

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, why: str) -> Card:
    return Card(number, saving=why, charging=why)


_CARDS = {
    card.number: card
    for card in (
        Card(GOOD),
        Card("4000056655665556"),
        Card("5555555555554444"),
        Card("378282246310005"),
        _declined(DECLINED, "generic_decline"),
        _declined(NO_FUNDS, "insufficient_funds"),
        _declined("4000000000009987", "lost_card"),
        _declined("4000000000009979", "stolen_card"),
        _declined("4000000000000069", "expired_card"),
        _declined("4000000000000127", "incorrect_cvc"),
        _declined("4000000000000119", "processing_error"),
        _declined("4000000000006975", "card_velocity_exceeded"),
        Card(DECLINED_WHEN_CHARGED, charging="generic_decline"),
        Card(AUTHENTICATE_UNLESS_SET_UP, on_session=True, off_session=True, set_up_helps=True),
        Card(ALWAYS_AUTHENTICATE, on_session=True, off_session=True),
        Card(ALREADY_SET_UP, on_session=True),
        Card(AUTHENTICATE_NO_FUNDS, on_session=True, charging="insufficient_funds"),
        Card(DISPUTED, dispute="fraudulent"),
        Card(DISPUTED_NOT_RECEIVED, dispute="product_not_received"),
        Card(INQUIRY, dispute="inquiry"),
        Card(REFUND_SUCCEEDS_LATER, refund="pending"),
        Card(REFUND_FAILS_LATER, refund="fails"),
        Card(AVAILABLE_AT_ONCE, available_at_once=True),
    )
}


def card(number: str) -> Card:
    """The card with a number.

    Raises:
        KeyError: it is none of Stripe's test cards.
    """
    return _CARDS[number.replace(" ", "")]


def changed(card: Card, **what: str | bool) -> Card:
    """The same card after the bank has changed its mind."""
    return replace(card, **what)  # type: ignore[arg-type]
