"""What people are told of: the catalogue of events, and what each does by itself where a person has chosen nothing.

One line an event. Where it goes is decided by :mod:`accounts.services.telling`, what a person has chosen by
:mod:`accounts.services.preferences`; the page of the preferences, the webhooks and ``docs/webhooks.md`` list what is here.
"""

from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventGroup(models.TextChoices):
    BOOKINGS = "bookings", _("My bookings")
    MACHINES = "machines", _("My machines")
    MONEY = "money", _("Money")
    ORGANIZATION = "organization", _("Organization")
    ACCOUNT = "account", _("Account and security")
    PLATFORM = "platform", _("Administration")


class Nature(NamedTuple):
    """How an event behaves.

    ``page`` and ``mail``: whether it is told there where nothing was chosen. ``fixed``: its mail cannot be switched
    off (security, money owed, access, what the law asks for). ``urgent``: waits for no digest and no quiet hours.
    """

    group: EventGroup
    page: bool = True
    mail: bool = True
    fixed: bool = False
    urgent: bool = False


class EventKind(models.TextChoices):
    """The event, as preferences, webhooks and rows name it."""

    # My bookings.
    PAYMENT_WANTED = "booking.payment_wanted", _("A window is held for you until you pay")
    CONFIRMED = "booking.confirmed", _("A booking is paid and confirmed")
    CANCELED = "booking.canceled", _("A booking is canceled, or was never handed over")
    STARTED = "booking.started", _("Your time has started")
    ACCESS = "booking.access", _("How you get in, and what keeps you from it")
    CHANGED = "booking.changed", _("A booking is extended or ends early")
    TIME_LOST = "booking.time_lost", _("Time could not be used and is made up for")
    ENDED = "booking.ended", _("A booking is over")
    ERASED = "booking.erased", _("The machine is erased, with its certificate")
    MAINTENANCE = "booking.maintenance", _("Maintenance near a booking")

    # My machines.
    BOOKED = "machine.booked", _("A machine is booked")
    BOOKING_CANCELED = "machine.booking_canceled", _("A booking of a machine is canceled, left or never handed over")
    BOOKING_CHANGED = "machine.booking_changed", _("A booking of a machine is extended or ends early")
    ACCESS_WANTED = "machine.access_wanted", _("A buyer is to be let in, or cannot get in")
    LOST_TIME = "machine.lost_time", _("Time of a booking was lost")
    WIPE_WANTED = "machine.wipe_wanted", _("A machine is to be erased, or could not be")
    SILENT = "machine.silent", _("A machine goes offline or comes back")
    OFFERED = "machine.offered", _("A machine is suspended or on offer again")
    BENCHMARKED = "machine.benchmarked", _("A benchmark is decided")
    UPKEEP = "machine.maintenance", _("Maintenance of a machine")

    # Money.
    UNPAID = "money.unpaid", _("A payment did not succeed")
    REFUND_BEGUN = "money.refund_begun", _("A refund was begun")
    REFUNDED = "money.refunded", _("A refund is on its way")
    INVOICE = "money.invoice", _("Invoices and statements, to the address for invoices")
    PLAN = "money.plan", _("Your plan begins or ends")
    PLAN_PAID = "money.plan_paid", _("Your plan is paid after all")
    EARNINGS = "money.earnings", _("Earnings are held, released or given back")
    CHARGEBACK = "money.chargeback", _("A bank disputes a payment")
    PAYOUT = "money.payout", _("A payout is scheduled, or waits for an account")
    PAYOUT_STEP = "money.payout_step", _("How a payout goes on")
    PAYOUT_FAILED = "money.payout_failed", _("A payout failed")

    # Organization.
    MEMBERSHIP = "organization.membership", _("People join, leave or get another role")
    BUDGET = "organization.budget", _("A budget is nearly used up")
    APPROVAL_WANTED = "organization.approval_wanted", _("A booking waits for your approval")
    APPROVAL_DECIDED = "organization.approval_decided", _("A booking of yours is approved or refused")

    # Account and security.
    SECURITY = "account.security", _("Sign-ins, passwords, keys and where money goes")
    VERIFICATION = "account.verification", _("Your verification is decided")
    WEBHOOK = "account.webhook", _("A webhook is switched off")

    # Administration.
    TROUBLE = "platform.trouble", _("Something needs an administrator")
    NOTICE = "platform.notice", _("Something administrators should know")

    @property
    def nature(self) -> Nature:
        return NATURES[self]

    @property
    def group(self) -> EventGroup:
        return self.nature.group

    @property
    def can_wait(self) -> bool:
        """Its mail may be held back until quiet hours end."""
        return not self.nature.urgent

    @property
    def can_be_gathered(self) -> bool:
        """Its mail may be a part of the digest."""
        return not (self.nature.urgent or self.nature.fixed)

    @property
    def can_be_stopped(self) -> bool:
        """Its mail may be switched off."""
        return not self.nature.fixed


BOOKINGS, MACHINES, MONEY, ORGANIZATION, ACCOUNT, PLATFORM = EventGroup

#: Fixed, and not to be held back.
URGENT = {"fixed": True, "urgent": True}

NATURES: dict[EventKind, Nature] = {
    EventKind.PAYMENT_WANTED: Nature(BOOKINGS, page=False, **URGENT),
    EventKind.CONFIRMED: Nature(BOOKINGS, page=False, fixed=True),
    EventKind.CANCELED: Nature(BOOKINGS, page=False, fixed=True),
    EventKind.STARTED: Nature(BOOKINGS, page=False, urgent=True),
    EventKind.ACCESS: Nature(BOOKINGS, **URGENT),
    EventKind.CHANGED: Nature(BOOKINGS),
    EventKind.TIME_LOST: Nature(BOOKINGS),
    EventKind.ENDED: Nature(BOOKINGS, page=False),
    EventKind.ERASED: Nature(BOOKINGS, page=False),
    EventKind.MAINTENANCE: Nature(BOOKINGS),
    EventKind.BOOKED: Nature(MACHINES, page=False),
    EventKind.BOOKING_CANCELED: Nature(MACHINES, page=False),
    EventKind.BOOKING_CHANGED: Nature(MACHINES, page=False),
    EventKind.ACCESS_WANTED: Nature(MACHINES, **URGENT),
    EventKind.LOST_TIME: Nature(MACHINES),
    EventKind.WIPE_WANTED: Nature(MACHINES, **URGENT),
    EventKind.SILENT: Nature(MACHINES, urgent=True),
    EventKind.OFFERED: Nature(MACHINES),
    EventKind.BENCHMARKED: Nature(MACHINES, page=False),
    EventKind.UPKEEP: Nature(MACHINES),
    EventKind.UNPAID: Nature(MONEY, **URGENT),
    EventKind.REFUND_BEGUN: Nature(MONEY, mail=False),
    EventKind.REFUNDED: Nature(MONEY, page=False),
    EventKind.INVOICE: Nature(MONEY, page=False, fixed=True),
    EventKind.PLAN: Nature(MONEY),
    EventKind.PLAN_PAID: Nature(MONEY, mail=False),
    EventKind.EARNINGS: Nature(MONEY, mail=False),
    EventKind.CHARGEBACK: Nature(MONEY, **URGENT),
    EventKind.PAYOUT: Nature(MONEY),
    EventKind.PAYOUT_STEP: Nature(MONEY, mail=False),
    EventKind.PAYOUT_FAILED: Nature(MONEY, **URGENT),
    EventKind.MEMBERSHIP: Nature(ORGANIZATION),
    EventKind.BUDGET: Nature(ORGANIZATION),
    EventKind.APPROVAL_WANTED: Nature(ORGANIZATION, urgent=True),
    EventKind.APPROVAL_DECIDED: Nature(ORGANIZATION, urgent=True),
    EventKind.SECURITY: Nature(ACCOUNT, **URGENT),
    EventKind.VERIFICATION: Nature(ACCOUNT),
    EventKind.WEBHOOK: Nature(ACCOUNT, **URGENT),
    EventKind.TROUBLE: Nature(PLATFORM, **URGENT),
    EventKind.NOTICE: Nature(PLATFORM, mail=False),
}


def kinds_of(group: str) -> list[EventKind]:
    """The events of a group, in the order of the catalogue."""
    return [kind for kind in EventKind if kind.group == group]
