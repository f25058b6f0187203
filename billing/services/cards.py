"""What a person pays with: a card from the form, or one that they let us keep."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from billing import gateway
from billing.errors import PaymentError
from billing.gateway import Card
from billing.models import SavedCard, StripeCustomer


@dataclass(frozen=True)
class Means:
    """A payment method of a customer at the processor, and its name for people."""

    customer: str
    payment_method: str
    label: str


def begin_card(*, user: User) -> str:
    """Begin a card form for this person. Returns the client secret for the browser.

    Raises:
        ProcessorAway: it does not answer.
    """
    return gateway.begin_card(customer=customer_of(user))


def customer_of(user: User) -> str:
    """The person's Customer id at the processor, made at the first use."""
    row = StripeCustomer.objects.filter(user=user).first()
    if row is None:
        stripe_id = gateway.create_customer(email=user.email, name=user.name, key=str(user.pk))
        row, _ = StripeCustomer.objects.get_or_create(user=user, defaults={"stripe_id": stripe_id})
    return row.stripe_id


def from_form(*, user: User, setup_intent: str, keep: bool, now: datetime) -> Means:
    """The card of a finished form; kept for later if the person wants that.

    Raises:
        PaymentError: the form was not finished, or was another person's.
        ProcessorAway: no answer.
    """
    card = _finished(user, setup_intent)
    if keep:
        keep_card(user=user, card=card, now=now)
    return Means(card.customer, card.payment_method, card.label)


def from_saved(*, user: User, card_id: UUID, keep: bool = False) -> Means:
    """A card that is kept; ``keep``: it is charged from now on, as one is that later stages are to be charged to.

    Raises:
        PaymentError: it is not kept any more, or is another person's.
    """
    saved = SavedCard.objects.kept().filter(user=user, pk=card_id).first()
    if saved is None:
        raise PaymentError(gettext("This card is not kept any more. Choose another one."))
    if keep:
        make_default(user=user, card_id=card_id)
    return Means(customer_of(user), saved.stripe_payment_method, saved.label)


def means(*, user: User, setup_intent: str, card_id: UUID | None, keep: bool, now: datetime) -> "partial[Means]":
    """What the pay page was sent, to be looked at once it is wanted."""
    if card_id is not None:
        return partial(from_saved, user=user, card_id=card_id, keep=keep)
    return partial(from_form, user=user, setup_intent=setup_intent, keep=keep, now=now)


def default_card(user: User) -> SavedCard | None:
    """What is charged when the person is not there."""
    return SavedCard.objects.kept().filter(user=user).order_by("-is_default", "-created_at").first()


def add_card(*, user: User, setup_intent: str, now: datetime) -> SavedCard:
    """Keep the card of a finished form.

    Raises:
        PaymentError: the form was not finished, or was another person's.
        ProcessorAway: no answer.
    """
    return keep_card(user=user, card=_finished(user, setup_intent), now=now)


def _finished(user: User, setup_intent: str) -> Card:
    card = gateway.finished_card(setup_intent)
    if card is None or card.customer != customer_of(user):
        raise PaymentError(gettext("The card form was not finished. Enter the card again."))
    return card


@transaction.atomic
def keep_card(*, user: User, card: Card, now: datetime) -> SavedCard:
    """Keep it, as the one that is charged from now on. The same card entered anew takes the place of the former."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    before = SavedCard.objects.kept().filter(user=user)
    known = before.filter(stripe_payment_method=card.payment_method).first()
    if known is not None:
        return known
    same = {"brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year}
    before.filter(**same).update(removed_at=now, is_default=False)
    before.update(is_default=False)
    return SavedCard.objects.create(
        user=user, stripe_payment_method=card.payment_method, is_default=True, created_at=now, **same
    )


@transaction.atomic
def make_default(*, user: User, card_id: UUID) -> None:
    """Charge this one from now on.

    Raises:
        SavedCard.DoesNotExist: it is not theirs, or not kept.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    card = SavedCard.objects.kept().get(user=user, pk=card_id)
    SavedCard.objects.filter(user=user, is_default=True).update(is_default=False)
    card.is_default = True
    card.save(update_fields=["is_default"])


def remove_card(*, user: User, card_id: UUID, now: datetime) -> None:
    """Have the processor forget it, then we do. Doing it twice is quiet.

    Raises:
        SavedCard.DoesNotExist: it is not theirs.
        ProcessorAway: no answer; it is still there.
    """
    card = SavedCard.objects.get(user=user, pk=card_id)
    if card.removed_at is not None:
        return
    gateway.forget_card(card.stripe_payment_method)
    forget(payment_method=card.stripe_payment_method, now=now)


@transaction.atomic
def forget(*, payment_method: str, now: datetime) -> None:
    """It can never be charged again; the newest of the others takes its place."""
    card = SavedCard.objects.kept().filter(stripe_payment_method=payment_method).select_for_update().first()
    if card is None:
        return
    was_default = card.is_default
    card.removed_at, card.is_default = now, False
    card.save(update_fields=["removed_at", "is_default"])
    heir = SavedCard.objects.kept().filter(user=card.user_id).order_by("-created_at").first()
    if was_default and heir is not None:
        heir.is_default = True
        heir.save(update_fields=["is_default"])
