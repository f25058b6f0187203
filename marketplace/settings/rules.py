"""Rules of the marketplace: one set, read by the code and shown on "how it works"."""

from datetime import timedelta
from decimal import Decimal

from marketplace.settings.environment import env

# An unpaid booking holds its window this long.
MARKETPLACE_HOLD = timedelta(minutes=env.int("MARKETPLACE_HOLD_MINUTES", 15))
# The machine is wiped and checked this long after every booking; never billed.
MARKETPLACE_TURNAROUND = timedelta(minutes=env.int("MARKETPLACE_TURNAROUND_MINUTES", 30))
# A paid booking that has not been started this long after its time may be left with a full refund.
MARKETPLACE_LATE_START = timedelta(minutes=env.int("MARKETPLACE_LATE_START_MINUTES", 15))
# Windows that one buyer may hold without having paid, at a time.
MARKETPLACE_UNPAID_HOLDS = env.int("MARKETPLACE_UNPAID_HOLDS", 3)
# Requests to book that one person may make in a minute.
MARKETPLACE_BOOKING_RATE = env.str("MARKETPLACE_BOOKING_RATE", "30/minute")
# An invitation into an organization is good this long; letters that one organization may send, and that one address
# may get; organizations that one person may make.
MARKETPLACE_INVITATION = timedelta(hours=env.int("MARKETPLACE_INVITATION_HOURS", 72))
MARKETPLACE_INVITATION_RATE = env.str("MARKETPLACE_INVITATION_RATE", "200/day")
MARKETPLACE_INVITATION_ADDRESS_RATE = env.str("MARKETPLACE_INVITATION_ADDRESS_RATE", "10/day")
MARKETPLACE_ORGANIZATION_RATE = env.str("MARKETPLACE_ORGANIZATION_RATE", "20/day")
# A booking is charged in stages of this length, each so long ahead of its time; a stage that fails is tried again so
# many days after the first time, then the booking ends when the paid time does.
MARKETPLACE_STAGE = timedelta(days=env.int("MARKETPLACE_STAGE_DAYS", 28))
MARKETPLACE_STAGE_LEAD = timedelta(days=env.int("MARKETPLACE_STAGE_LEAD_DAYS", 7))
MARKETPLACE_STAGE_RETRIES = [timedelta(days=1), timedelta(days=3), timedelta(days=5)]
# After the end of a booking either side may dispute it this long; then the provider is paid.
MARKETPLACE_DISPUTE_WINDOW = timedelta(hours=env.int("MARKETPLACE_DISPUTE_WINDOW_HOURS", 72))
# What a provider is owed in a currency is paid out from so much on, in its minor units.
MARKETPLACE_PAYOUT_LEAST = env.int("MARKETPLACE_PAYOUT_LEAST", 100)
# The least and the most that one payment can be, in minor units of its currency: what the processor takes.
MARKETPLACE_PAYMENT_UNITS = (50, 99_999_999)
# Whoever is not verified has open bookings of so much at most, the new one included, in each currency.
MARKETPLACE_UNVERIFIED_LIMIT = env.dict(
    "MARKETPLACE_UNVERIFIED_LIMIT",
    {"EUR": Decimal(500), "USD": Decimal(500), "GBP": Decimal(500), "JPY": Decimal(75_000)},
    subcast_values=Decimal,
)
# The platform's part of what a buyer pays.
MARKETPLACE_COMMISSION = Decimal(env.str("MARKETPLACE_COMMISSION", "0.10"))
# Share refunded by cancellation terms: (time left before the start, share), the first that fits.
MARKETPLACE_CANCELLATION = {
    "flexible": [(timedelta(hours=1), Decimal("1"))],
    "moderate": [(timedelta(hours=24), Decimal("1")), (timedelta(0), Decimal("0.5"))],
    "strict": [(timedelta(days=7), Decimal("0.5"))],
}
