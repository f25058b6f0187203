"""Where providers are paid to.

Euros go to the provider's IBAN if there is one, else, as every other currency does, through Stripe: a provider who
wants euros through Stripe as well enters no IBAN.
"""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.telling import tell
from billing.errors import PaymentError, ProcessorRefused
from billing.gateway import connect as gateway
from billing.models import Payout, PayoutAccount, PayoutMethod, PayoutStatus
from billing.payouts import strategy_for
from common.money import Currency

log = logging.getLogger(__name__)

PAGE = "/billing/payout-accounts/"


def accounts_of(user: User) -> list[PayoutAccount]:
    """The provider's accounts of today, in the order in which they are preferred."""
    found = PayoutAccount.objects.current().filter(user=user)
    if not settings.STRIPE_CONNECT:
        found = found.exclude(method=PayoutMethod.CONNECT)
    return sorted(found, key=lambda account: not account.is_sepa)


def account_for(user: User, currency: str) -> PayoutAccount | None:
    """Where this provider is paid this currency, or ``None`` while nothing is ready for it."""
    for account in accounts_of(user):
        if currency in strategy_for(account.method).currencies(account):
            return account
    return None


def can_be_paid(currency: str) -> bool:
    """Whether there is a way to pay this currency here, to whatever account."""
    return settings.STRIPE_CONNECT or currency == Currency.EUR


@transaction.atomic
def enter_iban(*, user: User, holder: str, iban: str, bic: str, now: datetime) -> PayoutAccount:
    """Have SEPA payouts go to this account from now on, also those that are scheduled and not sent."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    PayoutAccount.objects.current().filter(user=user, method=PayoutMethod.SEPA).update(replaced_at=now)
    account = PayoutAccount.objects.create(
        user=user, method=PayoutMethod.SEPA, holder=holder, iban=iban, bic=bic, created_at=now
    )
    waiting = Payout.objects.for_the_bank().filter(provider=user).order_by()
    waiting.update(account=account)
    with written_for(user):
        _tell_of_change(
            user, account, "entered", _("%(account)s is where your euros go from now on.") % _named(account)
        )
    return account


@transaction.atomic
def remove_account(*, account: PayoutAccount, now: datetime) -> None:
    """Pay nothing to it any more. What was paid to it is still told.

    Raises:
        PaymentError: a payout to it is scheduled.
    """
    User.objects.select_for_update(no_key=True).get(pk=account.user_id)
    if Payout.objects.filter(account=account, status=PayoutStatus.SCHEDULED).exists():
        raise PaymentError(_("A payout to this account is scheduled. Enter another account in its place."))
    if PayoutAccount.objects.current().filter(pk=account.pk).update(replaced_at=now):
        with written_for(account.user):
            said = _("%(account)s was removed. Nothing is paid to it any more.") % _named(account)
            _tell_of_change(account.user, account, "removed", said)


def _named(account: PayoutAccount) -> dict[str, str]:
    return {"account": account.label}


def _tell_of_change(user: User, account: PayoutAccount, what: str, said: str) -> None:
    """Whoever did it: the account may be in the wrong hands."""
    tell(
        user=user,
        event=EventKind.SECURITY,
        key=f"payout-account:{account.pk}:{what}",
        subject=_("Where your earnings go was changed"),
        paragraphs=[said, _("If it was not you: change your password, enter the right account, and write to us.")],
        action=(_("Look at it"), PAGE),
    )


def begin_stripe(*, user: User, country: str, now: datetime) -> PayoutAccount:
    """The provider's account at Stripe, made if there is none.

    Raises:
        PaymentError: Stripe is not used here, or it refuses.
        ProcessorAway: no answer; asking again makes no second account.
    """
    if not settings.STRIPE_CONNECT:
        raise PaymentError(_("Payouts through Stripe are not offered here."))
    ours = PayoutAccount.objects.filter(user=user, method=PayoutMethod.CONNECT)
    current = ours.current().first()
    if current is not None:
        return current
    made = gateway.create_account(email=user.email, country=country, key=f"{user.pk}-{ours.count()}-{country}")
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        account = ours.current().first()
        if account is None:
            account = PayoutAccount.objects.create(
                user=user, method=PayoutMethod.CONNECT, stripe_account=made.id, created_at=now
            )
            with written_for(user):
                _tell_of_change(user, account, "entered", _("An account at Stripe was made for your earnings."))
    return synchronise_account(stripe_account=account.stripe_account or "", now=now) or account


def onboarding_link(account: PayoutAccount) -> str:
    """Where the provider tells Stripe who they are.

    Raises:
        ProcessorAway: no answer.
    """
    there = f"{settings.SITE_URL}{PAGE}stripe/"
    return gateway.onboarding_link(
        account.stripe_account or "", return_url=f"{there}return/", refresh_url=f"{there}continue/"
    )


def dashboard_link(account: PayoutAccount) -> str:
    """Where the provider sees and changes their account at Stripe.

    Raises:
        ProcessorAway: no answer.
    """
    return gateway.dashboard_link(account.stripe_account or "")


def synchronise_account(*, stripe_account: str, now: datetime) -> PayoutAccount | None:
    """Ask Stripe about a provider's account and write down what it says. ``None``: it is nobody's here.

    Raises:
        ProcessorAway: no answer.
    """
    if not PayoutAccount.objects.filter(stripe_account=stripe_account).exists():
        return None
    try:
        there = gateway.get_account(stripe_account)
    except ProcessorRefused as refused:
        # The provider has cut the connection, or the account is gone.
        log.warning("the account %s is not ours any more: %s", stripe_account, refused.code)
        there = gateway.ConnectedAccount(stripe_account, False, False, "Stripe does not know it any more.", ())
    return _write_down(there, now=now)


@transaction.atomic
def _write_down(there: gateway.ConnectedAccount, *, now: datetime) -> PayoutAccount:
    account = PayoutAccount.objects.select_for_update(of=("self",)).select_related("user").get(stripe_account=there.id)
    was_enabled = account.payouts_enabled
    account.details_submitted, account.payouts_enabled = there.details_submitted, there.payouts_enabled
    account.requirements, account.currencies = there.requirements[:500], list(there.currencies)
    account.save(update_fields=["details_submitted", "payouts_enabled", "requirements", "currencies"])
    if account.payouts_enabled != was_enabled and account.replaced_at is None:
        with written_for(account.user):
            _tell_of_readiness(account, now=now)
    return account


def _tell_of_readiness(account: PayoutAccount, *, now: datetime) -> None:
    is_ready = account.payouts_enabled
    tell(
        user=account.user,
        event=EventKind.PAYOUT_STEP,
        key=f"payout-account:{account.pk}:{now:%Y%m%d%H%M%S}",
        subject=_("Stripe can pay you now") if is_ready else _("Stripe has stopped paying you"),
        paragraphs=[] if is_ready else [_("It wants to know something first. Your earnings wait meanwhile.")],
        action=(_("Where you are paid to"), PAGE),
        tone=Notification.Tone.GOOD if is_ready else Notification.Tone.BAD,
        now=now,
    )
