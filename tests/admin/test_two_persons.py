"""What is dangerous takes two administrators: one asks, with a reason, and another one confirms or declines."""

import re
import threading
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.urls import reverse

from accounts.decisions import (
    OVERRIDE_VERIFICATION,
    SET_ADMINISTRATOR,
    administrator_arguments,
    override_arguments,
)
from accounts.models import Decision, DecisionState, OutgoingMail, Role, User, Verification
from accounts.services import decisions
from accounts.services.decisions import DecisionError, TakesTwo, ask, confirm, decline
from accounts.services.overrides import override_verification, set_administrator
from accounts.services.roles import NotAnAdministrator
from accounts.services.verifications import VerificationError
from billing.decisions import RELEASE_HOLD, release_arguments
from billing.errors import PaymentError
from billing.models import PayoutHold, Refund
from billing.services.payout_holds import place_hold, release_hold
from billing.services.refunds import give_back
from common.history.reading import History, scope_of
from tests.people import DAY, another_administrator, make_user, verify
from tests.racing import at_once

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def second(db) -> User:
    return another_administrator()


@pytest.fixture
def held_back(completed, administrator, now) -> PayoutHold:
    return place_hold(booking=completed, amount=None, reason="Looked into.", by=administrator, now=now)


@pytest.fixture
def wanted(held_back, administrator, second, now) -> Decision:
    """The first administrator asks that the hold is released."""
    return ask_for(held_back, administrator, now=now)


def ask_for(hold, by, *, now, reason="It was a mistake."):
    return ask(action=RELEASE_HOLD, arguments=release_arguments(hold), reason=reason, by=by, now=now)


# Asking, confirming, declining ---------------------------------------------------------------------------


def test_nothing_happens_until_another_administrator_confirms(wanted, held_back, administrator, second, now):
    held_back.refresh_from_db()
    assert held_back.released_at is None
    confirm(decision=wanted, by=second, now=now + HOUR)
    held_back.refresh_from_db()
    assert (held_back.released_at, held_back.released_by) == (now + HOUR, administrator)
    wanted.refresh_from_db()
    assert (wanted.state, wanted.decided_by) == (DecisionState.DONE, second)


def test_the_others_are_told_exactly_what_is_asked_for(wanted, administrator, second, completed):
    mail = OutgoingMail.objects.get(user=second, key=f"decision:{wanted.pk}")
    assert "Release a held payout" in mail.subject
    for words in (completed.reference, "It was a mistake.", administrator.email, "All that it earned"):
        assert words in mail.text
    assert not OutgoingMail.objects.filter(user=administrator, key=f"decision:{wanted.pk}").exists()


def test_history_names_both_and_the_reason(wanted, held_back, second, now):
    confirm(decision=wanted, by=second, now=now)
    change = next(iter(History([scope_of(held_back)], second)))
    assert change.why == "It was a mistake."
    assert {step.name for step in change.steps} == {"released_at", "released_by", "released_because"}


def test_whoever_asked_cannot_confirm(wanted, administrator, now):
    with pytest.raises(TakesTwo, match="cannot confirm"):
        confirm(decision=wanted, by=administrator, now=now)


def test_somebody_else_cannot_either(wanted, provider, now):
    with pytest.raises(NotAnAdministrator):
        confirm(decision=wanted, by=provider, now=now)


def test_whoever_asked_must_still_be_an_administrator(wanted, administrator, second, held_back, now):
    User.objects.filter(pk=administrator.pk).update(roles=[])
    with pytest.raises(NotAnAdministrator):
        confirm(decision=wanted, by=second, now=now)
    held_back.refresh_from_db()
    assert held_back.released_at is None


def test_it_expires(wanted, administrator, second, held_back, settings, now):
    late = now + settings.MARKETPLACE_SECOND_PERSON
    with pytest.raises(DecisionError, match="in time"):
        confirm(decision=wanted, by=second, now=late)
    again = ask_for(held_back, administrator, now=late)
    wanted.refresh_from_db()
    assert wanted.state == DecisionState.EXPIRED
    assert again.is_waiting(now=late)


def test_the_same_waits_once(wanted, held_back, second, now):
    with pytest.raises(DecisionError, match="asked for already"):
        ask_for(held_back, second, now=now)


def test_declining_says_why_and_taking_back_needs_no_reason(wanted, held_back, administrator, second, now):
    with pytest.raises(DecisionError, match="why not"):
        decline(decision=wanted, by=second, reason=" ", now=now)
    decline(decision=wanted, by=second, reason="Not proven.", now=now)
    again = ask_for(held_back, administrator, now=now)
    assert decline(decision=again, by=administrator, reason="", now=now).state == DecisionState.WITHDRAWN
    with pytest.raises(DecisionError, match="does not wait"):
        confirm(decision=again, by=second, now=now)
    assert administrator.notifications.filter(key=f"decided:{wanted.pk}").get().text.endswith("Not proven.")


def test_what_cannot_be_done_any_more_stays_undecided(wanted, held_back, administrator, second, now):
    release_hold(hold=held_back, reason="Otherwise.", by=second, second=administrator, now=now)
    with pytest.raises(PaymentError, match="already"):
        confirm(decision=wanted, by=second, now=now)
    wanted.refresh_from_db()
    assert wanted.state == DecisionState.WAITING


@pytest.mark.parametrize("reason", ["", "   "])
def test_asking_needs_a_reason(held_back, administrator, second, reason, now):
    with pytest.raises(DecisionError) as refused:
        ask_for(held_back, administrator, now=now, reason=reason)
    assert refused.value.field == "reason"


def test_with_one_administrator_nobody_could_confirm(held_back, administrator, now):
    with pytest.raises(DecisionError, match="no other administrator"):
        ask_for(held_back, administrator, now=now)


# What takes two -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["alone", "with oneself", "with somebody"])
def test_no_service_does_it_for_one(how, held_back, administrator, second, provider, buyer, now):
    other = {"alone": None, "with oneself": administrator, "with somebody": provider}[how]
    row = verify(provider, by=administrator, now=now)
    for dangerous in (
        partial(release_hold, hold=held_back),
        partial(override_verification, verification=row, approve=False),
        partial(set_administrator, user=buyer, holds=True),
    ):
        with pytest.raises((TakesTwo, NotAnAdministrator)):
            dangerous(by=administrator, second=other, reason="I want to.", now=now)


def test_giving_back_takes_two_above_the_limit_also_in_parts(completed, administrator, second, settings, now):
    settings.MARKETPLACE_REFUND_ALONE = Decimal(3)
    payment = completed.payments.get()
    how = {"payment": payment, "reason": "goodwill", "by": administrator, "now": now}
    give_back(**how, amount=Decimal(2), why="Slow disk")
    with pytest.raises(TakesTwo):
        give_back(**how, amount=Decimal("1.01"), why="Slow network")
    give_back(**how, amount=Decimal(1), why="Slow network")
    give_back(**how, amount=Decimal(2), why="All of it", second=second)
    assert Refund.objects.filter(payment=payment).count() == 3


def test_a_verification_is_turned_around(provider, administrator, second, now):
    row = provider.verifications.get()
    arguments = override_arguments(row, approve=False)
    wanted = ask(
        action=OVERRIDE_VERIFICATION, arguments=arguments, reason="The papers are forged.", by=administrator, now=now
    )
    confirm(decision=wanted, by=second, now=now)
    row.refresh_from_db()
    assert (row.status, row.reason, row.valid_until) == ("rejected", "The papers are forged.", None)
    back = ask(
        action=OVERRIDE_VERIFICATION,
        arguments=override_arguments(row, approve=True),
        reason="They are not.",
        by=second,
        now=now,
    )
    confirm(decision=back, by=administrator, now=now)
    row.refresh_from_db()
    assert row.status == Verification.Status.APPROVED
    assert row.valid_until > now


def test_only_what_was_decided_is_turned_around(provider, administrator, second, now):
    row = verify(provider, by=administrator, now=now)
    with pytest.raises(DecisionError.__mro__[1], match="decided the other way"):
        ask(
            action=OVERRIDE_VERIFICATION,
            arguments=override_arguments(row, approve=True),
            reason="Twice",
            by=administrator,
            now=now,
        )


def test_what_was_rejected_is_not_approved_beside_another_or_after_a_newer_decision(buyer, administrator, second, now):
    turn = partial(override_verification, by=administrator, second=second, reason="Looked again.", now=now)
    former, newer = (verify(buyer, by=administrator, now=now + days * DAY) for days in (-30, -20))
    for row in (former, newer):
        turn(verification=row, approve=False)
    with pytest.raises(VerificationError, match="newer request of this person has been decided"):
        turn(verification=former, approve=True)
    turn(verification=newer, approve=True)
    with pytest.raises(VerificationError, match="Another request of this person is approved"):
        turn(verification=former, approve=True)


def test_the_administrators_role_is_given_and_taken_by_two(buyer, administrator, second, now):
    for holds in (True, False):
        wanted = ask(
            action=SET_ADMINISTRATOR,
            arguments=administrator_arguments(buyer, holds=holds),
            reason="New here.",
            by=administrator,
            now=now,
        )
        confirm(decision=wanted, by=second, now=now)
        buyer.refresh_from_db()
        assert (buyer.is_platform_administrator, buyer.is_staff, buyer.is_superuser) == (holds, holds, holds)
        assert Role.BUYER in buyer.roles


def test_two_administrators_have_to_be_left(administrator, second, now):
    with pytest.raises(DecisionError, match="have to be left"):
        set_administrator(user=second, holds=False, by=administrator, second=second, reason="Gone", now=now)


# In the administration ------------------------------------------------------------------------------------


def act(client, page, action, *rows, **data):
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], "decided": "yes"}
    return client.post(reverse(page), chosen | data, follow=True)


def test_from_the_list_to_done_by_two_administrators(client, held_back, administrator, second):
    client.force_login(administrator)
    page = act(client, "admin:billing_payouthold_changelist", "release", held_back, reason="A mistake.").text
    assert "1 asked for: a second administrator confirms it." in page
    wanted = Decision.objects.get()
    page = act(client, "admin:accounts_decision_changelist", "confirm", wanted, reason="").text
    assert "cannot confirm it" in page
    assert "To confirm as a second administrator" in client.get(reverse("admin:index")).text
    client.force_login(second)
    page = client.get(reverse("admin:accounts_decision_change", args=[wanted.pk])).text
    assert "All that it earned" in page
    assert "A mistake." in page
    page = act(client, "admin:accounts_decision_changelist", "confirm", wanted, reason="").text
    assert "1 confirmed and done." in page
    held_back.refresh_from_db()
    assert held_back.released_at is not None


def test_a_large_refund_is_asked_for_and_a_small_one_made(client, completed, administrator, second, settings):
    settings.MARKETPLACE_REFUND_ALONE = Decimal(3)
    payment = completed.payments.get()
    client.force_login(administrator)
    form = {"payment": str(payment.pk), "amount": "4", "reason": "goodwill", "why": "Slow disk"}
    answer = client.post(reverse("admin:billing_refund_add"), form)
    wanted = Decision.objects.get()
    assert answer["Location"] == reverse("admin:accounts_decision_change", args=[wanted.pk])
    assert not payment.refunds.exists()
    client.post(reverse("admin:billing_refund_add"), form | {"amount": "2"})
    assert payment.refunds.count() == 1
    page = client.get(reverse("admin:billing_refund_add"), {"payment": payment.pk})
    assert re.findall(r"<td>€([\d.]+)</td>", page.text) == [str(payment.amount_total), "2.00", str(payment.refundable)]
    assert "can go back" not in client.get(reverse("admin:billing_refund_add"), {"payment": "none"}).text.lower()


def test_no_form_makes_anybody_an_administrator(client, buyer, administrator):
    client.force_login(administrator)
    address = reverse("admin:accounts_user_change", args=[buyer.pk])
    form = client.get(address).context["adminform"].form
    assert "is_superuser" not in form.fields
    data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    answer = client.post(address, data | {"roles": [Role.PLATFORM_ADMINISTRATOR], "is_superuser": "on"})
    assert answer.status_code == 200
    buyer.refresh_from_db()
    assert not buyer.is_platform_administrator
    assert not buyer.is_superuser


# Two at the same moment -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_confirmations_do_it_twice(buyer, administrator, second, now, monkeypatch):
    third, wanted, done = _asked(buyer, administrator, now, monkeypatch)
    together = threading.Barrier(2)

    def unlocked(decision, *, now):
        row = Decision.objects.select_related("asked_by").get(pk=decision.pk)
        together.wait(30)
        return row

    monkeypatch.setattr(decisions, "_waiting", unlocked)
    at_once([partial(confirm, decision=wanted, by=person, now=now) for person in (second, third)])
    assert len(done) == 2, "and each was told that it was them"


@pytest.mark.django_db(transaction=True)
def test_with_it_one_confirms_and_the_other_finds_it_done(buyer, administrator, second, now, monkeypatch):
    third, wanted, done = _asked(buyer, administrator, now, monkeypatch)
    results = at_once([partial(confirm, decision=wanted, by=person, now=now) for person in (second, third)])
    assert len(done) == 1
    assert sorted(type(result).__name__ for result in results) == ["Decision", "DecisionError"]


def _asked(buyer, administrator, now, monkeypatch):
    """Something harmless to do twice, so that it shows: a list of who did it."""
    third = make_user("third@example.com", Role.PLATFORM_ADMINISTRATOR)
    arguments = administrator_arguments(buyer, holds=True)
    wanted = ask(action=SET_ADMINISTRATOR, arguments=arguments, reason="New here.", by=administrator, now=now)
    done: list[object] = []
    harmless = type("Harmless", (), {"do": staticmethod(lambda arguments, **how: done.append(how["second"]))})
    monkeypatch.setattr(decisions, "named", lambda name: harmless)
    return third, wanted, done


@pytest.mark.django_db(transaction=True)
def test_of_two_who_ask_at_once_one_is_told_that_it_waits(buyer, administrator, second, now):
    arguments = administrator_arguments(buyer, holds=True)
    asking = partial(ask, action=SET_ADMINISTRATOR, arguments=arguments, reason="New here.", now=now)
    results = at_once([partial(asking, by=person) for person in (administrator, second)])
    assert sorted(type(result).__name__ for result in results) == ["Decision", "DecisionError"]
    assert Decision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_administrators_who_remove_each_other_at_once_leave_two(administrator, second, now):
    third = make_user("third@example.com", Role.PLATFORM_ADMINISTRATOR)
    remove = partial(set_administrator, holds=False, reason="Gone", now=now)
    results = at_once(
        [
            partial(remove, user=second, by=administrator, second=third),
            partial(remove, user=third, by=administrator, second=second),
        ]
    )
    assert sum(isinstance(result, User) for result in results) == 1
    assert User.objects.filter(roles__contains=[Role.PLATFORM_ADMINISTRATOR]).count() == 2
