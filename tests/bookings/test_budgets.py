"""Budgets of organizations: what fits is booked, what does not is refused, also when two ask at once."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Notification, Organization, OutgoingMail, Project
from accounts.permissions import NotAllowed
from billing.errors import PaymentError
from billing.gateway import Intent
from billing.models import Refund, RefundReason
from billing.services import payments
from billing.services.cards import Means
from bookings import spend
from bookings.errors import BookingError
from bookings.models import Booking, Budget, BudgetWarning, Charge
from bookings.services import request
from bookings.services.budgets import OverBudget, Use, end_budget, set_budget, used_of, uses_of
from bookings.services.cancel import cancel_booking, cancel_lapsed_hold
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.extend import lapse_extension, request_extension
from bookings.services.references import set_references
from bookings.stretches import Stretch
from tests.organizations import (
    book,
    leave,
    make_cost_centre,
    make_member,
    make_organization,
    make_project,
)
from tests.people import DAY, HOUR, make_listing, make_machine, mark_charge_paid, mark_paid
from tests.racing import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def now(now):
    """Never in the last hours of a month: a budget's period would end in the middle of a test."""
    return now - 2 * HOUR if (now + 2 * HOUR).month != now.month else now


def budget_of(institute, now, amount="20", **fields) -> Budget:
    given = {"currency": "EUR", "period": "month"} | fields
    return set_budget(organization=institute, by=institute.owner, amount=Decimal(amount), now=now, **given)


def use_of(budget: Budget, now) -> Use:
    (use,) = used_of([budget], now=now)
    return use


# What the policy asks for -----------------------------------------------------------------------------------


def test_a_member_books_for_the_organization_and_it_is_billed(offer, colleague, institute, now):
    booking = book(offer, colleague, now, purchase_order="PO-7", cost_centre="4711")
    assert (booking.organization, booking.buyer) == (institute, colleague.user)
    assert booking.billed_to["name"] == institute.name
    assert (booking.purchase_order, booking.cost_centre) == ("PO-7", "4711")


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_whoever_may_not_book_does_not(offer, institute, buyer, now, role):
    with pytest.raises(BookingError, match="This needs another"):
        book(offer, make_member(institute, buyer, role), now)


def test_whoever_has_left_does_not(offer, colleague, now):
    leave(colleague, at=now)
    with pytest.raises(BookingError, match="not belong"):
        book(offer, colleague, now)
    assert not Booking.objects.exists()


def test_without_billing_details_nobody_books(offer, colleague, institute, now):
    institute.billing_details.delete()
    with pytest.raises(BookingError, match="whom its invoices name"):
        book(offer, colleague, now)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ("needs_project", "project"),
        ("needs_grant", "project"),
        ("needs_purchase_order", "purchase_order"),
        ("needs_cost_centre", "cost_centre"),
    ],
)
def test_what_the_policy_asks_for_has_to_be_given(offer, colleague, institute, now, policy, field):
    setattr(institute, policy, True)
    institute.save(update_fields=[policy])
    with pytest.raises(BookingError) as refused:
        book(offer, colleague, now)
    assert refused.value.field == field


def test_a_cost_centre_is_one_of_the_organizations_own(offer, colleague, institute, now):
    make_cost_centre(institute, "4711")
    with pytest.raises(BookingError, match="one of its own"):
        book(offer, colleague, now, cost_centre="9999")
    assert book(offer, colleague, now, cost_centre="4711").cost_centre == "4711"


def test_a_project_of_another_organization_is_none(offer, colleague, administrator, now):
    other = make_project(make_organization(administrator, "Elsewhere"))
    with pytest.raises(BookingError, match="not open"):
        book(offer, colleague, now, project=other)


@pytest.mark.parametrize(("days", "fits"), [(0, False), (1, True)])
def test_no_booking_ends_after_the_grant(offer, colleague, institute, now, days, fits):
    start = datetime(now.year, now.month, now.day, 20, tzinfo=UTC) + 2 * DAY
    project = make_project(institute, grant_ends_on=start.date() + timedelta(days=days))
    wanted = partial(book, offer, colleague, now, start=start, hours=6, project=project)
    if fits:
        assert wanted().project == project
    else:
        with pytest.raises(BookingError, match="grant") as refused:
            wanted()
        assert refused.value.field == "end"


def test_the_last_moment_of_the_grants_last_day_still_counts(offer, colleague, institute, now):
    start = datetime(now.year, now.month, now.day, 20, tzinfo=UTC) + 2 * DAY
    project = make_project(institute, grant_ends_on=start.date())
    assert book(offer, colleague, now, start=start, hours=4, project=project)


# Budgets ----------------------------------------------------------------------------------------------------


def test_what_fits_is_booked_and_what_does_not_is_refused(offer, colleague, institute, now):
    budget = budget_of(institute, now, "10")
    book(offer, colleague, now, hours=4)
    with pytest.raises(OverBudget, match="is left"):
        book(offer, colleague, now, hours=2, start=now + 3 * DAY)
    book(offer, colleague, now, hours=1, start=now + 4 * DAY)
    assert use_of(budget, now).left == 0
    assert Booking.objects.count() == 2


@pytest.mark.parametrize("whose", ["project", "member"])
def test_it_has_to_fit_into_every_budget_that_it_concerns(offer, colleague, institute, now, whose):
    project = make_project(institute)
    budget_of(institute, now, "1000")
    budget_of(institute, now, "6", **{whose: project if whose == "project" else colleague.user})
    with pytest.raises(OverBudget):
        book(offer, colleague, now, hours=4, project=project)
    assert book(offer, colleague, now, hours=3, project=project)


def test_others_projects_and_members_do_not_count(offer, colleague, institute, other_buyer, now):
    budget_of(institute, now, "1", project=make_project(institute, "Another"))
    budget_of(institute, now, "1", member=other_buyer)
    assert book(offer, colleague, now)


def test_a_hold_that_lapses_or_is_canceled_is_free_again(offer, colleague, institute, now):
    budget = budget_of(institute, now, "8")
    first = book(offer, colleague, now)
    assert use_of(budget, now).left == 0
    assert use_of(budget, now + HOUR).left == 8, "lapsed, and the sweep has not been there"
    cancel_lapsed_hold(booking_id=first.pk, now=now + HOUR)
    second = book(offer, colleague, now + HOUR)
    cancel_booking(booking_id=second.pk, by=colleague.user, now=now + HOUR)
    assert use_of(budget, now + HOUR).used == 0


@pytest.mark.parametrize("is_used_meanwhile", [False, True])
def test_a_lapsed_hold_that_is_paid_after_all_has_to_fit_still(offer, colleague, institute, now, is_used_meanwhile):
    """Its payment was under way when it lapsed, and the sweep has not been there: it has its window, and no budget."""
    budget = budget_of(institute, now, "8")
    first, later = book(offer, colleague, now), now + HOUR
    if is_used_meanwhile:
        book(offer, colleague, later, start=now + 3 * DAY)
    outcome = confirm_charge(charge_id=first.charges.get(number=1).pk, now=later)
    assert outcome == (Confirmation.TOO_LATE if is_used_meanwhile else Confirmation.CONFIRMED)
    assert use_of(budget, later).used == 8


def test_what_the_policy_asks_for_is_not_taken_out_again_where_one_pays(client, offer, colleague, institute, now):
    institute.needs_purchase_order = institute.needs_cost_centre = True
    institute.save(update_fields=["needs_purchase_order", "needs_cost_centre"])
    make_cost_centre(institute, "4711")
    booking = book(offer, colleague, now, purchase_order="PO-1", cost_centre="4711")
    for wrong in ({"purchase_order": " "}, {"cost_centre": ""}, {"cost_centre": "9999"}):
        with pytest.raises(BookingError, match="Your organization"):
            set_references(booking_id=booking.pk, by=colleague.user, **wrong)
    client.force_login(colleague.user)
    form = {"setup_intent": "seti_1", "purchase_order": "", "cost_centre": "4711"}
    answer = client.post(f"/bookings/{booking.pk}/pay/", form)
    assert answer.status_code == 422
    assert "asks for a purchase-order number" in answer.text
    booking.refresh_from_db()
    assert (booking.purchase_order, booking.cost_centre) == ("PO-1", "4711")
    set_references(booking_id=booking.pk, by=colleague.user, purchase_order="PO-2")
    booking.refresh_from_db()
    assert booking.purchase_order == "PO-2"


def test_a_period_that_is_over_does_not_count(offer, colleague, institute, now):
    budget = budget_of(institute, now, "8")
    booking = book(offer, colleague, now)
    mark_paid(booking, now=now)
    long_ago = now - 40 * DAY
    Booking.objects.filter(pk=booking.pk).update(created_at=long_ago)
    assert use_of(budget, now).used == 0
    budget.period = "once"
    assert use_of(budget, now).used == 8


@pytest.mark.parametrize(
    ("period", "since"),
    [("month", (2026, 11, 1)), ("quarter", (2026, 10, 1)), ("year", (2026, 1, 1)), ("once", None)],
)
def test_periods_are_those_of_the_calendar(period, since):
    now = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    began = Budget(period=period).since(now=now)
    assert began == (datetime(*since, tzinfo=UTC) if since else None)


def test_another_currency_than_the_budgets_is_refused(machine, colleague, institute, now):
    budget_of(institute, now, "1000", currency="USD")
    offer = make_listing(machine, price_hour=2, price_day=None, price_week=None, currency="EUR")
    with pytest.raises(OverBudget, match="none in EUR"):
        book(offer, colleague, now)


def test_a_member_without_a_budget_where_the_policy_wants_one(offer, colleague, institute, now):
    institute.needs_member_budget = True
    institute.save(update_fields=["needs_member_budget"])
    with pytest.raises(OverBudget, match="An administrator of Institute of Computing can give you one"):
        book(offer, colleague, now)
    budget_of(institute, now, "8", member=colleague.user)
    assert book(offer, colleague, now)


def test_an_extension_counts_too(offer, colleague, institute, now):
    budget_of(institute, now, "10")
    booking = mark_paid(book(offer, colleague, now, hours=4), now=now)
    with pytest.raises(OverBudget):
        request_extension(booking_id=booking.pk, by=colleague.user, new_end=booking.end + 2 * HOUR, now=now)
    request_extension(booking_id=booking.pk, by=colleague.user, new_end=booking.end + HOUR, now=now)
    with pytest.raises(OverBudget):  # it is not paid yet, and held
        book(offer, colleague, now, hours=1, start=now + 5 * DAY)


@pytest.fixture
def over_a_months_end(offer, colleague) -> Booking:
    """Asked for on the last evening of November, for 8 EUR; runs into December."""
    asked = datetime(2026, 11, 30, 20, tzinfo=UTC)
    return mark_paid(book(offer, colleague, asked, start=asked + 12 * HOUR), now=asked)


NOVEMBER, DECEMBER = datetime(2026, 11, 30, 21, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)


def extend(booking: Booking, hours: int, *, now, pays=True) -> Charge:
    booking.refresh_from_db()
    charge = request_extension(booking_id=booking.pk, by=booking.buyer, new_end=booking.end + hours * HOUR, now=now)
    if pays:
        mark_charge_paid(charge, now=now)
    return charge


def test_an_extension_counts_in_the_period_in_which_it_is_asked_for(over_a_months_end, institute):
    budget = budget_of(institute, NOVEMBER, "10")
    extend(over_a_months_end, 1, now=NOVEMBER)
    extend(over_a_months_end, 4, now=DECEMBER)
    with pytest.raises(OverBudget, match="is left"):
        extend(over_a_months_end, 2, now=DECEMBER)
    extend(over_a_months_end, 1, now=DECEMBER, pays=False)
    assert [use_of(budget, at).used for at in (DECEMBER, DECEMBER + 31 * DAY)] == [10, 0]
    assert used_of([budget], now=DECEMBER, at=NOVEMBER)[0].used == 10
    budget.period = "once"
    assert use_of(budget, DECEMBER).used == 20
    assert use_of(budget, DECEMBER + HOUR).used == 18, "the last one has lapsed"
    assert set(BudgetWarning.objects.values_list("since__month", "step")) == {
        (11, 90), (11, 75), (11, 50), (12, 50), (12, 75), (12, 90)
    }  # fmt: skip


@pytest.mark.parametrize(("back", "left"), [(3, (10, 5)), (9, (9, 0)), (18, (0, 0))])
def test_what_comes_back_was_for_the_newest_and_the_spend_says_the_same(over_a_months_end, institute, back, left):
    budget = budget_of(institute, NOVEMBER, "100")
    extend(over_a_months_end, 1, now=NOVEMBER)
    extend(over_a_months_end, 4, now=DECEMBER)
    Booking.objects.update(given_back=back)
    assert tuple(used_of([budget], now=DECEMBER, at=at)[0].used for at in (NOVEMBER, DECEMBER)) == left
    bookings = spend.bookings_of(institute, member=None, now=DECEMBER)
    for day, cost in zip((NOVEMBER.date(), DECEMBER.date()), left, strict=True):
        told = spend.spend(bookings, Stretch(day, day), by_member=True, now=DECEMBER)
        assert (told.totals[0].bookings, told.totals[0].cost) == (1, cost)
        assert [figure for _, figure in told.charts[0].rows] == [f"€{cost}.00"]
        (row,) = spend.rows_of(spend.within(bookings, Stretch(day, day), now=DECEMBER))
        assert row[spend.columns().index("Cost")] == cost


def pay_late(charge: Charge, *, now, meanwhile) -> Booking:
    """Its payment is begun in time and arrives at ``now``, when ``meanwhile`` has happened."""
    means = Means("cus_nobody", "pm_nobody", "Visa 4242")
    payment = payments.begin(charge_id=charge.pk, payer=charge.booking.buyer, means=means, now=charge.created_at)
    meanwhile()
    amount = int(payment.amount_total * 100)
    intent = Intent(f"pi_{payment.pk.hex}", "succeeded", amount, payment.currency, "", str(payment.pk), "")
    payments.apply(intent, now=now)
    return Booking.objects.get(pk=charge.booking_id)


@pytest.mark.parametrize("is_swept", [False, True])
@pytest.mark.parametrize("is_used_meanwhile", [False, True])
def test_a_lapsed_extension_that_is_paid_after_all_has_to_fit_still(
    offer, colleague, institute, now, is_swept, is_used_meanwhile
):
    budget = budget_of(institute, now, "12")
    booking = mark_paid(book(offer, colleague, now), now=now)
    charge, later = extend(booking, 2, now=now, pays=False), now + HOUR

    def meanwhile():
        if is_swept:
            assert lapse_extension(charge_id=charge.pk, now=later)
        if is_used_meanwhile:
            book(offer, colleague, later, start=now + 5 * DAY, hours=1)

    after = pay_late(charge, now=later, meanwhile=meanwhile)
    assert after.end == booking.end + (0 if is_used_meanwhile else 2) * HOUR
    assert use_of(budget, later).used == (10 if is_used_meanwhile else 12)
    reasons = list(Refund.objects.values_list("reason", flat=True))
    assert reasons == ([RefundReason.PAID_TOO_LATE] if is_used_meanwhile else [])


@pytest.mark.parametrize("what", ["booking", "extension"])
def test_what_is_paid_when_its_member_has_gone_does_not_become_the_organizations(offer, colleague, now, what):
    booking = book(offer, colleague, now)
    charge = booking.charges.get()
    if what == "extension":
        mark_paid(booking, now=now)
        charge = extend(booking, 2, now=now, pays=False)
    after = pay_late(charge, now=now, meanwhile=partial(leave, colleague, at=now))
    assert (after.is_paid, after.end) == (what == "extension", booking.end)
    refund = Refund.objects.get()
    assert (refund.amount, refund.reason) == (charge.amount, RefundReason.PAID_TOO_LATE)


def test_an_extension_is_not_begun_to_be_paid_by_one_who_has_gone_and_a_later_stage_is(
    machine, colleague, institute, now
):
    long = make_listing(machine, price_hour=Decimal("0.25"), price_day=None, price_week=None, max_hours=960)
    booking = mark_paid(book(long, colleague, now, hours=24 * 30), now=now)
    charge = extend(booking, 2, now=now, pays=False)
    leave(colleague, at=now)
    with pytest.raises(PaymentError, match="does not book for Institute of Computing any more"):
        mark_charge_paid(charge, now=now)
    assert mark_charge_paid(booking.charges.get(number=2), now=now)


def test_a_payment_that_arrives_locks_the_organization_before_the_booking(offer, colleague, now):
    charge = book(offer, colleague, now).charges.get()
    with CaptureQueriesContext(connection) as queries:
        assert confirm_charge(charge_id=charge.pk, now=now) == Confirmation.CONFIRMED
    locks = [query["sql"].split('FROM "', 1)[1].split('"')[0] for query in queries if "FOR " in query["sql"][-60:]]
    assert locks[:3] == ["organizations", "bookings", "charges"]


def test_an_extension_does_not_outlive_the_grant(offer, colleague, institute, now):
    start = datetime(now.year, now.month, now.day, 18, tzinfo=UTC) + 2 * DAY
    project = make_project(institute, grant_ends_on=start.date())
    booking = mark_paid(book(offer, colleague, now, start=start, project=project), now=now)
    with pytest.raises(BookingError, match="grant"):
        request_extension(booking_id=booking.pk, by=colleague.user, new_end=booking.end + 3 * HOUR, now=now)


@pytest.mark.parametrize(
    ("policy", "archived", "why"),
    [
        ({}, True, "This project is not open any more"),
        ({"needs_grant": True}, False, "asks for a project whose grant has an end"),
        ({"needs_project": True}, None, "asks for a project"),
    ],
)
def test_an_extension_is_held_against_the_policy_of_now(
    client, offer, colleague, institute, now, policy, archived, why
):
    """``archived``: whether its project is by now; ``None``: it has none."""
    project = make_project(institute) if archived is not None else None
    booking = mark_paid(book(offer, colleague, now, project=project), now=now)
    Organization.objects.filter(pk=institute.pk).update(**policy)
    if archived:
        Project.objects.update(archived_at=now)
    with pytest.raises(BookingError, match=f"{why}.* Ask for a booking of its own"):
        extend(booking, 1, now=now)
    client.force_login(colleague.user)
    answer = client.post(f"/bookings/{booking.pk}/extend/", {"end": (booking.end + HOUR).isoformat()})
    assert answer.status_code == 422
    assert why in answer.text
    assert not Charge.objects.filter(kind="extension").exists()


def test_each_step_is_told_once_a_period(offer, colleague, institute, now):
    budget_of(institute, now, "20")
    for day, told in ((1, 0), (3, 1), (5, 2)):  # 40, 80, 90 %: 50 and 75 are passed at once
        book(offer, colleague, now, hours=4 if day < 5 else 1, start=now + day * DAY)
        keys = Notification.objects.filter(user=institute.owner, key__startswith="budget-")
        assert keys.count() == told, day
    assert set(BudgetWarning.objects.values_list("step", flat=True)) == {50, 75, 90}
    assert OutgoingMail.objects.filter(user=institute.owner, key__startswith="budget-").count() == 2
    assert not Notification.objects.filter(user=colleague.user, key__startswith="budget-").exists()


def test_a_member_is_told_of_their_own_budget(offer, colleague, institute, now):
    budget_of(institute, now, "10", member=colleague.user)
    book(offer, colleague, now)
    assert Notification.objects.get(user=colleague.user, key__startswith="budget-").title.startswith("75 %")


# Setting them ------------------------------------------------------------------------------------------------


def test_a_new_one_takes_the_place_of_the_old(institute, now):
    first, second = budget_of(institute, now, "10"), budget_of(institute, now, "20")
    first.refresh_from_db()
    assert first.ended_at == now
    assert [use.budget for use in uses_of(institute, now=now)] == [second]
    end_budget(budget=second, by=institute.owner, now=now)
    assert uses_of(institute, now=now) == []


def test_only_administrators_set_and_end_them(institute, colleague, now):
    budget = budget_of(institute, now)
    with pytest.raises(NotAllowed):
        set_budget(
            organization=institute, by=colleague.user, amount=Decimal(1), currency="EUR", period="month", now=now
        )
    with pytest.raises(NotAllowed):
        end_budget(budget=budget, by=colleague.user, now=now)


def test_a_budget_for_a_stranger_is_refused(institute, provider, now):
    with pytest.raises(BookingError, match="does not belong"):
        budget_of(institute, now, member=provider)


@pytest.mark.parametrize(("amount", "currency"), [("-1", "EUR"), ("1.001", "EUR"), ("1.5", "JPY")])
def test_an_amount_that_is_none_is_refused(institute, now, amount, currency):
    with pytest.raises(BookingError, match="amount"):
        budget_of(institute, now, amount, currency=currency)


# Two at once -------------------------------------------------------------------------------------------------


def two_at_once(institute, buyer, other_member, provider, now) -> list[object]:
    """Two members book another machine each, for 8 EUR, of a budget of 10."""
    budget_of(institute, now, "10")
    calls = []
    for number, user in enumerate((buyer, other_member)):
        offer = make_listing(make_machine(provider, f"m-{number}"), price_hour=2, price_day=None, price_week=None)
        calls.append(partial(book, offer, make_member(institute, user), now))
    return at_once(calls)


@pytest.mark.django_db(transaction=True)
def test_of_two_bookings_that_together_are_too_dear_exactly_one_is_made(institute, buyer, provider, administrator, now):
    results = two_at_once(institute, buyer, administrator, provider, now)
    assert sorted(type(result).__name__ for result in results) == ["Booking", "OverBudget"]
    assert Booking.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_organizations_lock_both_are_made(institute, buyer, provider, administrator, now, monkeypatch):
    together, checked = threading.Barrier(2), request.check_budgets

    def when_both_are_there(**about):
        uses = checked(**about)
        together.wait(30)
        return uses

    monkeypatch.setattr(request, "locked_organization", lambda pk: Organization.objects.get(pk=pk))
    monkeypatch.setattr(request, "check_budgets", when_both_are_there)
    results = two_at_once(institute, buyer, administrator, provider, now)
    assert all(isinstance(result, Booking) for result in results), results
