"""The one table of transitions, alone."""

from itertools import product

import pytest

from bookings.lifecycle import HOLDS_MACHINE, TRANSITIONS, BookingStatus, IllegalTransition, check_transition
from bookings.models import BookingEvent
from bookings.services.history import move

LEGAL = {
    ("pending", "active"),
    ("pending", "canceled"),
    ("active", "completed"),
    ("active", "disputed"),
    ("completed", "disputed"),
    ("disputed", "completed"),
}
EVERY_PAIR = list(product(BookingStatus.values, repeat=2))


def test_the_states_are_the_logical_models():
    assert set(BookingStatus.values) == {"pending", "active", "completed", "canceled", "disputed"}
    assert set(TRANSITIONS) == set(BookingStatus)


@pytest.mark.parametrize(("before", "after"), EVERY_PAIR, ids="-".join)
def test_every_step_is_in_the_table_or_refused(before, after):
    if (before, after) in LEGAL:
        check_transition(before, after)
    else:
        with pytest.raises(IllegalTransition):
            check_transition(before, after)


def test_the_refusal_reads_as_a_sentence():
    with pytest.raises(IllegalTransition, match=r"^A booking that is canceled cannot become active\.$"):
        check_transition("canceled", "active")


def test_a_state_that_holds_the_machine_is_left_or_led_to_an_end():
    """From every state but the ends there is a way on, and each way comes to an end."""
    for status in HOLDS_MACHINE:
        reached, seen = {status}, set()
        while reached - seen:
            seen |= reached
            reached = {after for before in reached for after in TRANSITIONS[before]}
        assert seen & {BookingStatus.COMPLETED, BookingStatus.CANCELED}


@pytest.mark.django_db
def test_an_illegal_step_changes_nothing_and_leaves_no_trace(held, now):
    with pytest.raises(IllegalTransition):
        move(held, BookingStatus.COMPLETED, "Never", now=now)
    held.refresh_from_db()
    assert held.status == BookingStatus.PENDING
    assert not BookingEvent.objects.filter(what="Never").exists()


@pytest.mark.django_db
def test_a_step_is_written_into_the_history_with_who_when_from_to_and_why(held, now):
    held.canceled_at = now
    move(held, BookingStatus.CANCELED, "Canceled", now=now, by=held.buyer, detail="Why", also=("canceled_at",))
    event = BookingEvent.objects.get(what="Canceled")
    assert (event.actor, event.at, event.detail) == (held.buyer, now, "Why")
    assert (event.status_before, event.status_after) == ("pending", "canceled")
