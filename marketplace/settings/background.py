"""Celery: sweeps, not timers. Losing every message costs at most one sweep interval."""

from celery.schedules import crontab

from marketplace.settings.environment import VAR_DIR, env
from marketplace.settings.stores import REDIS_URL

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10, "visibility_timeout": 600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What talks to somebody outside waits in a queue of its own: a payment processor or a mail server that hangs
# keeps no booking from its start.
CELERY_TASK_ROUTES = {
    "billing.tasks.*": {"queue": "outside"},
    "accounts.tasks.send_mails": {"queue": "outside"},
    "accounts.tasks.deliver_webhooks": {"queue": "outside"},
    "accounts.tasks.forget_documents": {"queue": "outside"},
    "accounts.tasks.make_exports": {"queue": "outside"},
    "accounts.tasks.forget_exports": {"queue": "outside"},
}
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 5.0)
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "run" / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": SWEEP_SECONDS, "options": {"expires": 4 * SWEEP_SECONDS}}
    for name, task in {
        "worker heartbeat": "marketplace.tasks.heartbeat",
        "mails to send": "accounts.tasks.send_mails",
        "webhooks to deliver": "accounts.tasks.deliver_webhooks",
        "agents gone silent": "machines.tasks.call_silent_agents",
        "holds to cancel": "bookings.tasks.cancel_unpaid_holds",
        "extensions to lapse": "bookings.tasks.lapse_extensions",
        "bookings to start": "bookings.tasks.start_bookings",
        "bookings to end": "bookings.tasks.end_bookings",
        "bookings to let in": "bookings.tasks.provision_bookings",
        "bookings never delivered": "bookings.tasks.cancel_undelivered",
        "webhooks to process": "billing.tasks.process_webhooks",
        "payments to ask after": "billing.tasks.ask_after_payments",
        "refunds to make": "billing.tasks.make_refunds",
        "stages to charge": "billing.tasks.charge_stages",
        "payouts to send": "billing.tasks.send_payouts",
        "payouts to ask after": "billing.tasks.ask_after_payouts",
        "invoices to print": "billing.tasks.print_invoices",
    }.items()
}
# What is not in a hurry is asked for only every so many sweeps.
CELERY_BEAT_SCHEDULE |= {
    name: {"task": task, "schedule": sweeps * SWEEP_SECONDS, "options": {"expires": sweeps * SWEEP_SECONDS}}
    for name, (task, sweeps) in {
        # A figure of 30 days changes slowly.
        "reliability": ("machines.tasks.follow_reliability", 36),
        "digests to gather": ("accounts.tasks.gather_digests", 12),
        "old messages to tidy": ("accounts.tasks.tidy_messages", 720),
        "hours of health": ("machines.tasks.roll_up_hours", 120),
        "days of samples": ("machines.tasks.keep_days", 720),
        "statements to mail": ("billing.tasks.mail_statements", 120),
        "plans to ask after": ("billing.tasks.ask_after_subscriptions", 12),
        "payouts to schedule": ("billing.tasks.schedule_payouts", 36),
        "what was never told": ("billing.tasks.catch_up", 720),
        "uses of tokens to forget": ("accounts.tasks.forget_token_uses", 720),
        "verifications that end": ("accounts.tasks.follow_verifications", 12),
        "copies of data to make": ("accounts.tasks.make_exports", 2),
        "copies of data to forget": ("accounts.tasks.forget_exports", 120),
        "accounts to delete": ("accounts.tasks.delete_accounts", 120),
        "customers to forget": ("billing.tasks.forget_customers", 720),
        "old records of people": ("accounts.tasks.forget_old", 720),
        "old refusals": ("machines.tasks.forget_refusals", 720),
        "old messages of the processor": ("billing.tasks.forget_events", 720),
        "documents to forget": ("accounts.tasks.forget_documents", 60),
    }.items()
}
# Once a day, at night in UTC: what our rows and the payment processor do not agree on.
CELERY_BEAT_SCHEDULE["reconciliation"] = {"task": "billing.tasks.reconcile", "schedule": crontab(hour=3, minute=20)}
