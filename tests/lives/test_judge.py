"""The judge of the random lives sees what it is there for: with a protection off, the same lives are found guilty."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.gateway import refunds as gateway_refunds
from billing.services import postings
from bookings.services import run
from common.money import to_minor
from tests.lives import judge, world
from tests.lives.life import Life
from tests.lives.world import World

LIVES = 24


def refunds_without_a_key(patch: pytest.MonkeyPatch) -> str:
    """Nobody asks whether a refund was made before, and the processor cannot know either."""

    def make(refund):
        with gateway_refunds.translated():
            made = gateway_refunds.client().v1.refunds.create(
                {
                    "payment_intent": refund.payment.stripe_payment_intent,
                    "amount": to_minor(refund.amount, refund.currency),
                    "metadata": {"refund_id": str(refund.pk)},
                }
            )
        return gateway_refunds.made_refund(made)

    patch.setattr("billing.gateway.make_refund", make)
    return "as kept, the processor has"


def lost_time_is_kept(patch: pytest.MonkeyPatch) -> str:
    patch.setattr(run, "settle", lambda booking, *, now: False)
    return "for what was worth"


def nobody_asks_what_was_never_told(patch: pytest.MonkeyPatch) -> str:
    patch.setattr(world, "catch_up", lambda *, now: 0)
    return "is known to nobody here"


def the_commission_is_never_given_back(patch: pytest.MonkeyPatch) -> str:
    def less(shares, other):
        tax, provider = shares.tax - other.tax, shares.provider - other.provider
        return postings.Shares(provider + shares.commission - other.commission, type(tax)(0), tax)

    patch.setattr(postings.Shares, "less", less)
    return "its share of the"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sabotage",
    [refunds_without_a_key, lost_time_is_kept, nobody_asks_what_was_never_told, the_commission_is_never_given_back],
    ids=lambda sabotage: sabotage.__name__,
)
def test_without_a_protection_the_lives_are_found_guilty(
    sabotage: Callable[[pytest.MonkeyPatch], str], processor, settings, monkeypatch
):
    settings.STRIPE_CONNECT = True
    begin = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=2)
    there = World(processor, 4711, begin=begin, fault_rate=0.12)
    for _ in range(LIVES):
        there.join(Life(there).live())
    words = sabotage(monkeypatch)

    there.run(until=begin + timedelta(days=40))
    there.come_to_rest()

    found = list(judge.faults(there))
    assert any(words in fault for fault in found), found
