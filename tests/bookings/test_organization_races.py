"""What is done at the same moment to bookings for an organization: its row is locked before a booking's, everywhere
(``bookings.services.locks``). In pairs: without that, and with it."""

import threading
from functools import partial

import pytest
from django.db import OperationalError, connection

from accounts.models import Membership
from accounts.services import memberships
from accounts.services.memberships import remove_member
from accounts.services.organizations import locked_organization
from bookings.models import Booking, Charge
from bookings.services import confirm, extend, purposes
from bookings.services.budgets import OverBudget, uses_of
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.extend import request_extension
from bookings.services.locks import locked
from tests.bookings.test_budgets import budget_of
from tests.organizations import book, make_member
from tests.people import HOUR, make_listing, make_machine, mark_paid
from tests.racing import at_once, until

pytestmark = pytest.mark.django_db(transaction=True)


# Two extensions, of a budget that has room for one ------------------------------------------------------


@pytest.fixture
def two(institute, buyer, administrator, provider, now) -> list[Booking]:
    """Of two members, 8 EUR each, paid. The budget of 18 has room for an hour more of one of them."""
    bookings = []
    for number, user in enumerate((buyer, administrator)):
        offer = make_listing(make_machine(provider, f"m-{number}"), price_hour=2, price_day=None, price_week=None)
        bookings.append(mark_paid(book(offer, make_member(institute, user), now), now=now))
    budget_of(institute, now, "18")
    return bookings


def extend_both(two: list[Booking], now) -> list[object]:
    return at_once(
        partial(request_extension, booking_id=one.pk, by=one.buyer, new_end=one.end + HOUR, now=now) for one in two
    )


def test_without_the_organizations_row_both_are_held_and_the_budget_is_overdrawn(two, institute, now, monkeypatch):
    together, checked = threading.Barrier(2), purposes.check_budgets

    def when_both_are_there(**about):
        uses = checked(**about)
        together.wait(30)
        return uses

    monkeypatch.setattr(extend, "locked_with_organization", locked)
    monkeypatch.setattr(purposes, "check_budgets", when_both_are_there)
    assert all(isinstance(result, Charge) for result in extend_both(two, now))
    assert [use.used for use in uses_of(institute, now=now)] == [20]


def test_with_it_one_is_refused(two, institute, now):
    results = extend_both(two, now)
    assert sorted(type(result).__name__ for result in results) == [Charge.__name__, OverBudget.__name__]
    assert [use.used for use in uses_of(institute, now=now)] == [18]


# A payment that arrives while the buyer is removed ------------------------------------------------------


@pytest.fixture
def removing(institute, colleague, offer, now, monkeypatch):
    """Removes the buyer and has the organization's row, when a payment of theirs arrives that waits for a row, too."""
    charge, has_it = book(offer, colleague, now).charges.get(), threading.Event()

    def somebody_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return cursor.fetchone() is not None

    def slowly(pk):
        row = locked_organization(pk)
        has_it.set()
        until(somebody_waits, "the payment to wait for the organization's row")
        return row

    def arrive():
        assert has_it.wait(30)
        return confirm_charge(charge_id=charge.pk, now=now)

    monkeypatch.setattr(memberships, "locked_organization", slowly)
    return lambda: at_once([partial(remove_member, membership=colleague, by=institute.owner, now=now), arrive])


def test_with_the_booking_locked_first_they_wait_for_each_other(removing, monkeypatch):
    def the_other_way_round(pk):
        booking = locked(pk)
        booking.organization = locked_organization(booking.organization_id)
        return booking

    monkeypatch.setattr(confirm, "locked_with_organization", the_other_way_round)
    (failed,) = [result for result in removing() if isinstance(result, Exception)]
    assert isinstance(failed, OperationalError)
    assert "deadlock detected" in str(failed)


def test_with_the_organization_locked_first_one_comes_after_the_other(removing):
    removed, arrived = removing()
    assert isinstance(removed, Membership)
    assert arrived == Confirmation.TOO_LATE, "the buyer did not book for it any more"
