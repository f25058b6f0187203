"""What providers and administrators are told of payouts, in the transaction in which it happens."""

from datetime import datetime

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from billing.models import Payout, PayoutMethod
from billing.services.payout_accounts import can_be_paid
from common.formats import money

ACCOUNTS = "/billing/payout-accounts/"
EARNINGS = "/machines/earnings/"


def link_of(payout: Payout) -> str:
    return f"/billing/payouts/{payout.pk}/"


def scheduled(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    count = payout.lines.count()
    how = "our next file to the bank" if payout.method == PayoutMethod.SEPA else "Stripe"
    with written_for(payout.provider):
        tell(
            user=payout.provider,
            event=EventKind.PAYOUT,
            key=f"payout-scheduled:{payout.pk}",
            subject=f"Your payout of {much}",
            paragraphs=[
                f"{much} for {count} {'booking' if count == 1 else 'bookings'} goes to {payout.account.label} by {how}.",
                "The page of the payout has each booking, and the invoice that we made out for you.",
                f"Its reference is {payout.reference}.",
            ],
            action=("Open the payout", link_of(payout)),
            title=f"A payout of {much} is scheduled",
            text=f"It goes by {how}.",
            about=_about(payout),
            now=now,
        )


def again(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    text = f"It goes to {payout.account.label} this time."
    _step(payout, "again", f"The payout of {much} is tried again", text, now=now)


def sent(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    text = f"To {payout.account.label}. Banks take a few days to show it."
    _step(payout, "sent", f"{much} is on its way to you", text, now=now)


def received(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    _step(payout, "received", f"{much} has arrived", f"At {payout.account.label}.", Notification.Tone.GOOD, now=now)


def failed(payout: Payout, *, now: datetime) -> None:
    """To the provider, who can mend the account, and to administrators, who try again."""
    much = money(payout.amount, payout.currency)
    title = f"A payout of {much} failed"
    what_to_do = "Look whether the account is right, or enter another one. Nothing is lost: we pay it again."
    tell(
        user=payout.provider,
        event=EventKind.PAYOUT_FAILED,
        key=f"payout-failed:{payout.pk}",
        subject=f"Your payout of {much} failed",
        paragraphs=[f"{much} could not be paid to {payout.account.label}. {payout.failure}", what_to_do],
        action=("Where you are paid to", ACCOUNTS),
        title=title,
        text=f"{payout.failure} {what_to_do}",
        link=link_of(payout),
        tone=Notification.Tone.BAD,
        about=_about(payout),
        now=now,
    )
    for person in administrators().exclude(pk=payout.provider_id):
        tell(
            user=person,
            event=EventKind.NOTICE,
            key=f"payout-failed:{payout.pk}",
            subject=title,
            paragraphs=[f"To {payout.provider.public_name}, {payout.account.label}: {payout.failure}"],
            action=("Open the payout", f"/admin/billing/payout/{payout.pk}/change/"),
            tone=Notification.Tone.BAD,
            now=now,
        )


def account_wanted(provider: User, currency: str, much: str, *, now: datetime) -> None:
    """Once a month: earnings wait for an account that they could be paid to, or for a way to pay their currency."""
    if not can_be_paid(currency):
        _tell_of_waiting(provider, currency, much, now=now)
        return
    key = f"payout-account-wanted:{currency}:{now:%Y-%m}"
    title = f"{much} waits for an account"
    text = f"Say where your earnings in {currency} are to be paid to."
    tell(
        user=provider,
        event=EventKind.PAYOUT,
        key=key,
        subject=title,
        paragraphs=[f"You have earned {much} that is due, and there is no account that it could be paid to.", text],
        action=("Enter an account", ACCOUNTS),
        text=text,
        tone=Notification.Tone.WARN,
        now=now,
    )


def _tell_of_waiting(provider: User, currency: str, much: str, *, now: datetime) -> None:
    key = f"payout-not-offered:{currency}:{now:%Y-%m}"
    title = f"{much} waits: {currency} cannot be paid here yet"
    text = "It stays yours and is paid once that is possible. Nothing is ever converted."
    tell(
        user=provider,
        event=EventKind.PAYOUT_STEP,
        key=key,
        subject=title,
        paragraphs=[text],
        action=("Your earnings", EARNINGS),
        now=now,
    )


def _step(
    payout: Payout, what: str, title: str, text: str, tone: str = Notification.Tone.INFO, *, now: datetime
) -> None:
    tell(
        user=payout.provider,
        event=EventKind.PAYOUT_STEP,
        key=f"payout-{what}:{payout.pk}",
        subject=title,
        paragraphs=[text],
        action=("Open the payout", link_of(payout)),
        tone=tone,
        about=_about(payout),
        now=now,
    )


def _about(payout: Payout) -> dict[str, str]:
    return {"payout": str(payout.pk), "reference": payout.reference}
