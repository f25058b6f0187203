"""Agents, handing over, erasing, reliability."""

from datetime import timedelta

from marketplace.settings.environment import env

# How often an agent says that it is alive, and after how long without it a machine is offline.
MARKETPLACE_AGENT_HEARTBEAT = timedelta(seconds=env.int("MARKETPLACE_AGENT_HEARTBEAT_SECONDS", 30))
MARKETPLACE_AGENT_SILENCE = timedelta(seconds=env.int("MARKETPLACE_AGENT_SILENCE_SECONDS", 90))
# An enrollment code works once, for this long.
MARKETPLACE_ENROLLMENT_CODE = timedelta(minutes=env.int("MARKETPLACE_ENROLLMENT_CODE_MINUTES", 15))
# A signed message is believed this long before and after the moment it says it was signed.
MARKETPLACE_AGENT_MESSAGE_AGE = timedelta(minutes=env.int("MARKETPLACE_AGENT_MESSAGE_AGE_MINUTES", 5))
# Work that an agent has taken and is silent about is handed out again after this long.
MARKETPLACE_AGENT_LEASE = timedelta(seconds=env.int("MARKETPLACE_AGENT_LEASE_SECONDS", 60))
# An agent's token is replaced after this long.
MARKETPLACE_AGENT_TOKEN_AGE = timedelta(days=env.int("MARKETPLACE_AGENT_TOKEN_DAYS", 7))
# Agents that may wait for work in one web process at a time; the others are told to come again.
MARKETPLACE_AGENT_WAITING = env.int("MARKETPLACE_AGENT_WAITING", 3)
# Requests of one agent, and enrollments from one address.
MARKETPLACE_AGENT_RATE = env.str("MARKETPLACE_AGENT_RATE", "240/minute")
MARKETPLACE_ENROLLMENT_RATE = env.str("MARKETPLACE_ENROLLMENT_RATE", "30/minute")
# The iperf3 server, as host:port, that agents measure their line against; empty: against the marketplace itself.
MARKETPLACE_IPERF3 = env.str("MARKETPLACE_IPERF3", "")
# Whether agents that only pretend (manage.py demo_fleet) are let in. Never where real people book.
MARKETPLACE_ALLOW_SIMULATED = env.bool("MARKETPLACE_ALLOW_SIMULATED", False)
# A wipe that has failed is tried again after pauses that grow from the first to the longest; then a person is told.
MARKETPLACE_WIPE_ATTEMPTS = env.int("MARKETPLACE_WIPE_ATTEMPTS", 5)
MARKETPLACE_WIPE_FIRST_PAUSE = timedelta(seconds=env.int("MARKETPLACE_WIPE_FIRST_PAUSE_SECONDS", 30))
# Checks of certificates of erasure, and the files for them, from one address.
MARKETPLACE_ERASURE_RATE = env.str("MARKETPLACE_ERASURE_RATE", "120/minute")
# Access that comes this long after the start is on time; later, the end moves, or the time is refunded.
MARKETPLACE_LATE_HANDOVER = timedelta(seconds=env.int("MARKETPLACE_LATE_HANDOVER_SECONDS", 60))
# Minutes of silence inside a booking that are not refunded.
MARKETPLACE_DOWNTIME_FREE = timedelta(minutes=env.int("MARKETPLACE_DOWNTIME_FREE_MINUTES", 5))
# Reliability: over how many days, below what a listing takes no new bookings, what a provider's cancellation costs.
MARKETPLACE_RELIABILITY_DAYS = env.int("MARKETPLACE_RELIABILITY_DAYS", 30)
MARKETPLACE_LEAST_RELIABILITY = env.float("MARKETPLACE_LEAST_RELIABILITY", 0.98)
MARKETPLACE_CANCELLATION_DEBIT = timedelta(hours=env.int("MARKETPLACE_CANCELLATION_DEBIT_HOURS", 12))
MARKETPLACE_DISPUTE_DEBIT = timedelta(hours=env.int("MARKETPLACE_DISPUTE_DEBIT_HOURS", 24))
# How long ahead maintenance is announced.
MARKETPLACE_MAINTENANCE_NOTICE = timedelta(days=env.int("MARKETPLACE_MAINTENANCE_NOTICE_DAYS", 7))
# Every heartbeat is kept this long, and the hours this long.
MARKETPLACE_SAMPLES_DAYS = env.int("MARKETPLACE_SAMPLES_DAYS", 30)
MARKETPLACE_HOURS_DAYS = env.int("MARKETPLACE_HOURS_DAYS", 730)
# The image of a container that a buyer gets where the machine names none.
MARKETPLACE_CONTAINER_IMAGE = env.str("MARKETPLACE_CONTAINER_IMAGE", "docker.io/library/ubuntu:24.04")
# The platform's own Ed25519 key, which countersigns certificates of erasure: the text of an OpenSSH private key. Empty:
# one is made and kept under var/secrets.
PLATFORM_SIGNING_KEY = env.str("PLATFORM_SIGNING_KEY", "")
# Public keys that it had before, separated by commas: what was signed with them stays good.
PLATFORM_FORMER_KEYS = env.list("PLATFORM_FORMER_KEYS", [], subcast=str)
