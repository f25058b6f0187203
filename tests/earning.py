"""Providers who have earned something, and where they are paid to."""

from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import User
from billing.models import AccountKind, Payout, PayoutAccount
from billing.services import payout_accounts, payouts
from billing.services.ledger import balance
from bookings.models import Booking
from machines.models import Listing
from tests.people import DAY, make_over, record_wipe

#: The examples of ISO 13616, whose check digits are right.
IBAN = "DE89370400440532013000"
OTHER_IBAN = "FR1420041010050500013M02606"

#: What the provider earns of 4 hours at 2 EUR: 8.00 less 19 % VAT is 6.72, less a tenth (0.67) is 6.05.
EARNED = Decimal("6.05")


def make_earned(listing: Listing, buyer: User, *, end: datetime, hours: float = 4) -> Booking:
    """Ran, ended at ``end``, and was erased an hour later."""
    booking = make_over(listing, buyer, end=end, hours=hours)
    record_wipe(booking, now=booking.end + timedelta(hours=1))
    booking.refresh_from_db()
    return booking


def make_due(listing: Listing, buyer: User, *, now: datetime, days: float = 0, hours: float = 4) -> Booking:
    """Earned, and the dispute window closed an hour and so many days ago."""
    return make_earned(listing, buyer, end=now - 3 * DAY - timedelta(hours=1) - days * DAY, hours=hours)


def make_iban(user: User, *, now: datetime, iban: str = IBAN) -> PayoutAccount:
    return payout_accounts.enter_iban(user=user, holder="Provider University", iban=iban, bic="", now=now)


def make_stripe_account(user: User, *currencies: str, account: str = "acct_1") -> PayoutAccount:
    """Ready at a processor whom nobody asks."""
    return PayoutAccount.objects.create(
        user=user,
        method="connect",
        stripe_account=account,
        details_submitted=True,
        payouts_enabled=True,
        currencies=list(currencies or ("EUR",)),
    )


def make_payout(listing: Listing, buyer: User, *, now: datetime) -> Payout:
    """Scheduled by SEPA, of one booking."""
    provider = listing.machine.provider
    if not PayoutAccount.objects.current().filter(user=provider).exists():
        make_iban(provider, now=now)
    make_due(listing, buyer, now=now)
    payout = payouts.schedule_payout(provider_id=provider.pk, currency="EUR", now=now)
    assert payout is not None
    return payout


def owed_to(user: User, currency: str = "EUR") -> Decimal:
    """By the ledger: earned, and not known to have arrived."""
    return -balance(AccountKind.PROVIDER_PAYABLE, currency=currency, owner=user)
