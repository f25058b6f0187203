"""The payment processor, the seller and tax."""

from decimal import Decimal

from marketplace.settings.environment import env

# Payments -----------------------------------------------------------------------------------------

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET")
# Events of connected accounts are sent to the same address, signed with a secret of their endpoint's own.
STRIPE_CONNECT_WEBHOOK_SECRET = env.str("STRIPE_CONNECT_WEBHOOK_SECRET", "")
# Whether providers can be paid through Stripe Connect. Stand-ins have none.
STRIPE_CONNECT = env.bool("STRIPE_CONNECT", False)
# The Price ids of the plans; a plan without one is not on sale.
STRIPE_PRICES = {
    tier: env.str(f"STRIPE_PRICE_{tier.upper()}", "") for tier in ("individual", "professional", "enterprise")
}
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "https://api.stripe.com")
STRIPE_JS_URL = env.str("STRIPE_JS_URL", "https://js.stripe.com/v3/")

# Seller and tax -----------------------------------------------------------------------------------

# Who sells to buyers and buys from providers, as invoices name it. The defaults are a demonstration's, which a
# deployment is warned of (accounts.W001).
MARKETPLACE_SELLER_NAME = env.str("MARKETPLACE_SELLER_NAME", "Remote Servers Marketplace (demonstration)")
MARKETPLACE_SELLER_STREET = env.str("MARKETPLACE_SELLER_STREET", "Musterstraße 1")
MARKETPLACE_SELLER_POSTAL_CODE = env.str("MARKETPLACE_SELLER_POSTAL_CODE", "10115")
MARKETPLACE_SELLER_CITY = env.str("MARKETPLACE_SELLER_CITY", "Berlin")
# ISO 3166, in the EU: the rules of VAT are the EU's (accounts.tax).
MARKETPLACE_SELLER_COUNTRY = env.str("MARKETPLACE_SELLER_COUNTRY", "DE")
# Well formed, and nobody's.
MARKETPLACE_SELLER_VAT_ID = env.str("MARKETPLACE_SELLER_VAT_ID", "DE123456788")
MARKETPLACE_SELLER_EMAIL = env.str("MARKETPLACE_SELLER_EMAIL", "invoices@example.com")
# The VAT that listed prices hold, as a share; 0: the seller is not registered for VAT.
MARKETPLACE_VAT_RATE = Decimal(env.str("MARKETPLACE_VAT_RATE", "0.19"))
# The account that SEPA payouts are made from. The default is the example of ISO 13616, which no bank holds.
MARKETPLACE_SELLER_IBAN = env.str("MARKETPLACE_SELLER_IBAN", "DE89370400440532013000")
MARKETPLACE_SELLER_BIC = env.str("MARKETPLACE_SELLER_BIC", "COBADEFFXXX")
