"""What goes wrong with money, in words for the person who pays."""

from common.errors import MarketplaceError


class PaymentError(MarketplaceError):
    """A payment that cannot be begun or carried on like this."""


class CardDeclined(PaymentError):
    """The bank said no. The hold stays; another card may do."""


class ProcessorAway(PaymentError):
    """The payment processor did not answer, so that it is not known whether it did what it was asked to."""

    def __init__(self) -> None:
        super().__init__(
            "The payment processor does not answer at the moment. Nothing is lost: if it has taken the payment, we will "
            "see it and confirm your booking; if not, try again in a minute."
        )


class ProcessorRefused(PaymentError):
    """The payment processor answered that the request makes no sense to it: a fault of ours, logged."""
