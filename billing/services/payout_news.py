"""What providers and administrators are told of payouts, in the transaction in which it happens."""

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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
    with written_for(payout.provider):
        tell(
            user=payout.provider,
            event=EventKind.PAYOUT,
            key=f"payout-scheduled:{payout.pk}",
            subject=_("Your payout of %(amount)s") % _words(payout),
            paragraphs=[
                _goes_to(payout),
                _("The page of the payout has each booking, and the invoice that we made out for you."),
                _("Its reference is %(reference)s.") % {"reference": payout.reference},
            ],
            action=(_("Open the payout"), link_of(payout)),
            title=_("A payout of %(amount)s is scheduled") % _words(payout),
            text=_("It goes by our next file to the bank.")
            if payout.method == PayoutMethod.SEPA
            else _("It goes by Stripe."),
            about=_about(payout),
            now=now,
        )


def _words(payout: Payout) -> dict[str, str]:
    return {"amount": money(payout.amount, payout.currency), "account": payout.account.label}


def _goes_to(payout: Payout) -> str:
    count = payout.lines.count()
    if payout.method == PayoutMethod.SEPA:
        said = ngettext(
            "%(amount)s for %(count)d booking goes to %(account)s by our next file to the bank.",
            "%(amount)s for %(count)d bookings goes to %(account)s by our next file to the bank.",
            count,
        )
    else:
        said = ngettext(
            "%(amount)s for %(count)d booking goes to %(account)s by Stripe.",
            "%(amount)s for %(count)d bookings goes to %(account)s by Stripe.",
            count,
        )
    return said % {**_words(payout), "count": count}


def again(payout: Payout, *, now: datetime) -> None:
    with written_for(payout.provider):
        title = _("The payout of %(amount)s is tried again") % _words(payout)
        _step(payout, "again", title, _("It goes to %(account)s this time.") % _words(payout), now=now)


def sent(payout: Payout, *, now: datetime) -> None:
    with written_for(payout.provider):
        title = _("%(amount)s is on its way to you") % _words(payout)
        text = _("To %(account)s. Banks take a few days to show it.") % _words(payout)
        _step(payout, "sent", title, text, now=now)


def received(payout: Payout, *, now: datetime) -> None:
    with written_for(payout.provider):
        title = _("%(amount)s has arrived") % _words(payout)
        text = _("At %(account)s.") % _words(payout)
        _step(payout, "received", title, text, Notification.Tone.GOOD, now=now)


def failed(payout: Payout, *, now: datetime) -> None:
    """To the provider, who can mend the account, and to administrators, who try again."""
    with written_for(payout.provider):
        what_to_do = _("Look whether the account is right, or enter another one. Nothing is lost: we pay it again.")
        could_not = _("%(amount)s could not be paid to %(account)s.") % _words(payout)
        tell(
            user=payout.provider,
            event=EventKind.PAYOUT_FAILED,
            key=f"payout-failed:{payout.pk}",
            subject=_("Your payout of %(amount)s failed") % _words(payout),
            paragraphs=[f"{could_not} {_(payout.failure)}", what_to_do],
            action=(_("Where you are paid to"), ACCOUNTS),
            title=_("A payout of %(amount)s failed") % _words(payout),
            text=f"{_(payout.failure)} {what_to_do}",
            link=link_of(payout),
            tone=Notification.Tone.BAD,
            about=_about(payout),
            now=now,
        )
    for person in administrators().exclude(pk=payout.provider_id):
        with written_for(person):
            to = {"provider": payout.provider.public_name, "account": payout.account.label, "why": _(payout.failure)}
            tell(
                user=person,
                event=EventKind.NOTICE,
                key=f"payout-failed:{payout.pk}",
                subject=_("A payout of %(amount)s failed") % _words(payout),
                paragraphs=[_("To %(provider)s, %(account)s: %(why)s") % to],
                action=(_("Open the payout"), f"/admin/billing/payout/{payout.pk}/change/"),
                tone=Notification.Tone.BAD,
                now=now,
            )


def account_wanted(provider: User, currency: str, amount: Decimal, *, now: datetime) -> None:
    """Once a month: earnings wait for an account that they could be paid to, or for a way to pay their currency."""
    with written_for(provider):
        words = {"amount": money(amount, currency), "currency": currency}
        if not can_be_paid(currency):
            _tell_of_waiting(provider, words, now=now)
            return
        text = _("Say where your earnings in %(currency)s are to be paid to.") % words
        due = _("You have earned %(amount)s that is due, and there is no account that it could be paid to.") % words
        tell(
            user=provider,
            event=EventKind.PAYOUT,
            key=f"payout-account-wanted:{currency}:{now:%Y-%m}",
            subject=_("%(amount)s waits for an account") % words,
            paragraphs=[due, text],
            action=(_("Enter an account"), ACCOUNTS),
            text=text,
            tone=Notification.Tone.WARN,
            now=now,
        )


def _tell_of_waiting(provider: User, words: dict[str, str], *, now: datetime) -> None:
    tell(
        user=provider,
        event=EventKind.PAYOUT_STEP,
        key=f"payout-not-offered:{words['currency']}:{now:%Y-%m}",
        subject=_("%(amount)s waits: %(currency)s cannot be paid here yet") % words,
        paragraphs=[_("It stays yours and is paid once that is possible. Nothing is ever converted.")],
        action=(_("Your earnings"), EARNINGS),
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
        action=(_("Open the payout"), link_of(payout)),
        tone=tone,
        about=_about(payout),
        now=now,
    )


def _about(payout: Payout) -> dict[str, str]:
    return {"payout": str(payout.pk), "reference": payout.reference}
