"""What providers and administrators are told of payouts, in the transaction in which it happens."""

from datetime import datetime

from accounts.models import Notification, User
from accounts.outbox import write_mail, written_for
from accounts.services.notifications import notify
from accounts.services.roles import administrators
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
    _notify(payout, "scheduled", f"A payout of {much} is scheduled", f"It goes by {how}.", now=now)
    with written_for(payout.provider):
        write_mail(
            user=payout.provider,
            key=f"payout-scheduled:{payout.pk}",
            subject=f"Your payout of {much}",
            paragraphs=[
                f"{much} for {count} {'booking' if count == 1 else 'bookings'} goes to {payout.account.label} by {how}.",
                "The page of the payout has each booking, and the invoice that we made out for you.",
                f"Its reference is {payout.reference}.",
            ],
            action=("Open the payout", link_of(payout)),
        )


def again(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    text = f"It goes to {payout.account.label} this time."
    _notify(payout, "again", f"The payout of {much} is tried again", text, now=now)


def sent(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    text = f"To {payout.account.label}. Banks take a few days to show it."
    _notify(payout, "sent", f"{much} is on its way to you", text, now=now)


def received(payout: Payout, *, now: datetime) -> None:
    much = money(payout.amount, payout.currency)
    _notify(payout, "received", f"{much} has arrived", f"At {payout.account.label}.", Notification.Tone.GOOD, now=now)


def failed(payout: Payout, *, now: datetime) -> None:
    """To the provider, who can mend the account, and to administrators, who try again."""
    much = money(payout.amount, payout.currency)
    title = f"A payout of {much} failed"
    what_to_do = "Look whether the account is right, or enter another one. Nothing is lost: we pay it again."
    _notify(payout, "failed", title, f"{payout.failure} {what_to_do}", Notification.Tone.BAD, now=now)
    write_mail(
        user=payout.provider,
        key=f"payout-failed:{payout.pk}",
        subject=f"Your payout of {much} failed",
        paragraphs=[f"{much} could not be paid to {payout.account.label}. {payout.failure}", what_to_do],
        action=("Where you are paid to", ACCOUNTS),
    )
    for person in administrators().exclude(pk=payout.provider_id):
        notify(
            user=person,
            key=f"payout-failed:{payout.pk}",
            title=title,
            text=f"To {payout.provider.public_name}, {payout.account.label}: {payout.failure}",
            link=f"/admin/billing/payout/{payout.pk}/change/",
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
    notify(user=provider, key=key, title=title, text=text, link=ACCOUNTS, tone=Notification.Tone.WARN, now=now)
    write_mail(
        user=provider,
        key=key,
        subject=title,
        paragraphs=[f"You have earned {much} that is due, and there is no account that it could be paid to.", text],
        action=("Enter an account", ACCOUNTS),
    )


def _tell_of_waiting(provider: User, currency: str, much: str, *, now: datetime) -> None:
    key = f"payout-not-offered:{currency}:{now:%Y-%m}"
    title = f"{much} waits: {currency} cannot be paid here yet"
    text = "It stays yours and is paid once that is possible. Nothing is ever converted."
    notify(user=provider, key=key, title=title, text=text, link=EARNINGS, tone=Notification.Tone.INFO, now=now)


def _notify(
    payout: Payout, what: str, title: str, text: str, tone: str = Notification.Tone.INFO, *, now: datetime
) -> None:
    notify(
        user=payout.provider,
        key=f"payout-{what}:{payout.pk}",
        title=title,
        text=text,
        link=link_of(payout),
        tone=tone,
        now=now,
    )
