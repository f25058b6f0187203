"""How long what is kept; /privacy/ shows it, and docs/privacy.md."""

from datetime import timedelta

from marketplace.settings.environment import env

# A copy of one's data can be downloaded for so many days, and be asked for so often.
MARKETPLACE_EXPORT = timedelta(days=env.int("MARKETPLACE_EXPORT_DAYS", 7))
MARKETPLACE_EXPORT_RATE = env.str("MARKETPLACE_EXPORT_RATE", "5/day")
# Whoever asks for their account to be deleted may take it back for so many days.
MARKETPLACE_DELETION = timedelta(days=env.int("MARKETPLACE_DELETION_DAYS", 14))
# How long tax law has invoices and books kept.
MARKETPLACE_BOOKS_YEARS = env.int("MARKETPLACE_BOOKS_YEARS", 10)
# Accounts whose address nobody ever confirmed, and that were never used, are deleted after so many days.
MARKETPLACE_UNCONFIRMED_DAYS = env.int("MARKETPLACE_UNCONFIRMED_DAYS", 30)
# A session ends so many days after it was last used.
MARKETPLACE_SESSION_DAYS = env.int("MARKETPLACE_SESSION_DAYS", 14)
SESSION_COOKIE_AGE = MARKETPLACE_SESSION_DAYS * 24 * 60 * 60
# However often it is used, it ends so many days after its sign-in; a platform administrator's after so many hours.
MARKETPLACE_SESSION_MOST = timedelta(days=env.int("MARKETPLACE_SESSION_MOST_DAYS", 30))
MARKETPLACE_ADMIN_SESSION = timedelta(hours=env.int("MARKETPLACE_ADMIN_SESSION_HOURS", 12))
# Mails, messages of agents that were refused, and what the payment processor told us, are kept for so many days.
MARKETPLACE_MAIL_DAYS = env.int("MARKETPLACE_MAIL_DAYS", 180)
MARKETPLACE_REFUSALS_DAYS = env.int("MARKETPLACE_REFUSALS_DAYS", 90)
MARKETPLACE_PROCESSOR_EVENTS_DAYS = env.int("MARKETPLACE_PROCESSOR_EVENTS_DAYS", 90)
