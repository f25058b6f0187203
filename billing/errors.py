"""What goes wrong with money, in words for the person who pays."""

from django.utils.translation import gettext as _

from common.errors import MarketplaceError


class PaymentError(MarketplaceError):
    """A payment that cannot be begun or carried on like this."""


class CardDeclined(PaymentError):
    """The bank said no. The hold stays; another card may do."""


class AuthenticationNeeded(CardDeclined):
    """The bank wants to see the buyer, who was not there. On the page they can confirm it."""


class ProcessorAway(PaymentError):
    """The payment processor did not answer, so that it is not known whether it did what it was asked to."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment processor does not answer at the moment. Nothing is lost: if it has taken the payment, "
                "we will see it and confirm your booking; if not, try again in a minute."
            )
        )


class ProcessorRefused(PaymentError):
    """The payment processor answered that the request makes no sense to it: a fault of ours, logged."""

    #: The processor's word for what is wrong, as ``charge_already_refunded``.
    code = ""
    #: The parameter that it did not like, if it said so.
    param = ""
    #: Of the answer, as in HTTP.
    status = 0

    @property
    def is_missing(self) -> bool:
        """Whether the processor has no such object, or no such kind of objects."""
        return self.status == 404 or self.code == "resource_missing"
