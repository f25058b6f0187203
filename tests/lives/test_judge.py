"""The judge of the random lives sees what it is there for: with a protection off, the same lives are found guilty."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.services import postings
from tests.lives import judge, world
from tests.lives.life import Life
from tests.lives.world import World

LIVES = 24


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
    [nobody_asks_what_was_never_told, the_commission_is_never_given_back],
    ids=lambda sabotage: sabotage.__name__,
)
def test_without_a_protection_the_lives_are_found_guilty(
    sabotage: Callable[[pytest.MonkeyPatch], str], processor, settings, monkeypatch
):
    settings.STRIPE_CONNECT = True
    begin = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=2)
    there = World(processor, 4711, begin=begin, fault_rate=0.3)
    there.line.losing = 1.0  # no webhook ever comes
    for _ in range(LIVES):
        there.join(Life(there).live())
    words = sabotage(monkeypatch)

    there.run(until=begin + timedelta(days=40))
    there.come_to_rest()

    found = list(judge.faults(there))
    assert any(words in fault for fault in found), found
