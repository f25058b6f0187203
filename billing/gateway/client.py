"""The connection to the payment processor, and what its errors mean here."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import stripe
from django.conf import settings
from django.utils.translation import gettext_noop

from billing.errors import AuthenticationNeeded, CardDeclined, ProcessorAway, ProcessorRefused

log = logging.getLogger(__name__)

#: Seconds for one answer; the library asks once more after a failed connection.
TIMEOUT = 10
RETRIES = 1
#: The processor's word where a connected account is not ours any more.
ACCOUNT_GONE = "account_invalid"
#: The newest API version in which a card alone can be asked for by ``payment_method_types``; later ones have
#: ``allowed_payment_method_types``, which the stand-in does not know (docs/decisions/0005-stripe-version.md).
API_VERSION = "2026-07-29.dahlia"
#: What the processor says most often when a bank refuses. It is kept as it was said, and translated where it is read.
REFUSALS = (
    gettext_noop("Your card has insufficient funds."),
    gettext_noop("Your card has expired."),
    gettext_noop("Your card's security code is incorrect."),
    gettext_noop("Your card number is incorrect."),
    gettext_noop("Your card does not support this type of purchase."),
    gettext_noop("An error occurred while processing your card. Try again in a little bit."),
)


def http_client() -> stripe.HTTPClient:
    """How requests go out."""
    return stripe.RequestsClient(timeout=TIMEOUT)


@cache
def client() -> stripe.StripeClient:
    """The one client of this process."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=API_VERSION,
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=http_client(),
        max_network_retries=RETRIES,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ours.

    Raises:
        CardDeclined: the bank refused the card.
        AuthenticationNeeded: the bank wants to see the buyer, who is not there.
        ProcessorAway: no answer, an overload or a fault at the processor, or our key was refused: the outcome is
            unknown.
        ProcessorRefused: the request was wrong. ``code`` is the processor's.
    """
    try:
        yield
    except stripe.CardError as error:
        if error.code == "authentication_required":
            raise AuthenticationNeeded(gettext_noop("Your bank wants you to confirm this payment.")) from error
        raise CardDeclined(error.user_message or gettext_noop("Your card was declined.")) from error
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        log.warning("the payment processor is away: %s", error)
        raise ProcessorAway from error
    except stripe.StripeError as error:
        # Our key is wrong, or may not do this: it says nothing about what was asked, and may be right again soon.
        # The library leaves the code of a 403 in the answer's body.
        code = error.code or getattr(error.error, "code", None) or ""
        if error.http_status == 401 or (error.http_status == 403 and code != ACCOUNT_GONE):
            log.critical("the payment processor does not take our key: %s", error)
            raise ProcessorAway from error
        # 409: another request with the same key is under way; what it does is not known yet.
        if error.http_status is None or error.http_status >= 500 or error.http_status == 409:
            log.warning("the payment processor failed: %s", error)
            raise ProcessorAway from error
        log.error("the payment processor refused: %s", error)
        refused = ProcessorRefused(
            gettext_noop("The payment processor refused this. We have been told and look into it.")
        )
        refused.code, refused.status = code, error.http_status
        refused.param = getattr(error, "param", None) or ""
        raise refused from error


def id_of(value: Any) -> str:
    """The id of an object that may be expanded."""
    return value if isinstance(value, str) else str(value.id)


def metadata_of(thing: Any) -> dict[str, Any]:
    return thing.metadata.to_dict() if thing.metadata else {}
