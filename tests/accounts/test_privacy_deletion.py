"""Letting an account go: what has to be settled first, the time to reconsider, and that it is done once and whole."""

from functools import partial

import pytest
from django.urls import reverse

from accounts import outbox
from accounts.models import DeletionRequest, OutgoingMail, User
from accounts.services import deletions
from accounts.services.deletions import CannotGo, ask_for_deletion, delete_due, take_back
from accounts.services.invitations import accept_invitation, invite
from accounts.services.organizations import OrganizationError, locked_organization
from billing.models import StripeCustomer
from billing.services.forgetting import forget_customers
from common.errors import MarketplaceError
from tests.deletion import gone
from tests.organizations import confirm_address, make_member, make_organization
from tests.people import DAY, HOUR, PASSWORD, make_user
from tests.racing import twice_at_once
from tests.signing_in import step_up

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]

PAGE = "/accounts/privacy/delete/"


# What keeps it from going -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["held", "paid", "running", "over"])
def test_a_booking_that_is_not_over_keeps_both_sides(request, state, buyer, provider, now):
    booking = request.getfixturevalue(state)
    for person in (buyer, provider):
        with pytest.raises(CannotGo, match=booking.reference) as refusal:
            ask_for_deletion(user=person, by=person, now=now)
        assert refusal.value.obstacles[0].link == reverse("booking_detail", args=[booking.pk])
    assert not DeletionRequest.objects.exists()


def test_a_provider_who_is_still_owed_money_stays(provider, buyer, completed, now):
    with pytest.raises(CannotGo, match="We owe you money"):
        ask_for_deletion(user=provider, by=provider, now=now)
    assert ask_for_deletion(user=buyer, by=buyer, now=now)


def test_a_refund_on_its_way_keeps_its_buyer(buyer, completed, now):
    completed.payments.get().refunds.create(amount="1.00", currency="EUR", reason="goodwill")
    with pytest.raises(CannotGo, match="refund"):
        ask_for_deletion(user=buyer, by=buyer, now=now)


def test_the_last_administrator_and_the_owner_of_an_organization_stay(buyer, other_buyer, now):
    organization = make_organization(buyer)
    with pytest.raises(CannotGo, match="only administrator"):
        ask_for_deletion(user=buyer, by=buyer, now=now)
    make_member(organization, other_buyer, "administrator")
    with pytest.raises(CannotGo, match="You own this organization"):
        ask_for_deletion(user=buyer, by=buyer, now=now)
    assert ask_for_deletion(user=other_buyer, by=other_buyer, now=now)


def test_who_administers_the_marketplace_lays_that_down_first(administrator, now):
    with pytest.raises(CannotGo, match="administer the marketplace"):
        ask_for_deletion(user=administrator, by=administrator, now=now)


def test_what_came_up_meanwhile_holds_it_up_and_is_told_once(buyer, listing, now, settings, monkeypatch):
    request = ask_for_deletion(user=buyer, by=buyer, now=now)
    make_organization(buyer)
    for days in (14, 15, 16):
        assert delete_due(now=now + days * DAY) == 0
    request.refresh_from_db()
    assert request.is_open
    assert request.state == "held up"
    assert buyer.notifications.filter(key__startswith="deletion-held-up:").count() == 1
    buyer.refresh_from_db()
    assert buyer.email == "buyer@example.com"


# The time to reconsider -------------------------------------------------------------------------------


def test_nothing_happens_before_its_time_and_it_can_be_taken_back(buyer, now, mailoutbox):
    request = ask_for_deletion(user=buyer, by=buyer, now=now)
    assert ask_for_deletion(user=buyer, by=buyer, now=now) == request
    assert delete_due(now=now + 13 * DAY) == 0
    assert take_back(user=buyer, by=buyer, now=now + 13 * DAY)
    assert not take_back(user=buyer, by=buyer, now=now + 13 * DAY)
    assert delete_due(now=now + 15 * DAY) == 0
    outbox.send_due(now=now + HOUR)
    assert [mail.subject for mail in mailoutbox] == ["Your account will be deleted", "Your account stays"]
    assert ask_for_deletion(user=buyer, by=buyer, now=now + 15 * DAY) != request


def test_the_page_says_what_goes_and_what_stays(client, buyer, now):
    client.force_login(buyer)
    page = client.get(PAGE).text
    assert "tax law" in page.lower()
    assert "14 days" in page
    assert "reauthenticate" in client.post(PAGE).headers["Location"]
    step_up(client)
    assert client.post(PAGE).status_code == 302
    assert "Keep my account" in client.get(PAGE).text
    assert "Your account is to be deleted" in client.get("/accounts/privacy/").text
    client.logout()
    assert client.login(email=buyer.email, password=PASSWORD), "sign-in is possible to take it back"
    assert client.post(f"{PAGE}take-back/").status_code == 302
    assert not DeletionRequest.objects.open().exists()


def test_the_page_says_what_to_settle_first(client, buyer, paid):
    client.force_login(buyer)
    step_up(client)
    page = client.get(PAGE).text
    assert paid.reference in page
    assert "Delete my account" not in page
    assert client.post(PAGE).status_code == 422
    assert not DeletionRequest.objects.exists()


def test_an_administrator_begins_it_at_a_persons_request(client, administrator, buyer, now):
    client.force_login(administrator)
    step_up(client)
    action = {"action": "delete_on_request", "_selected_action": [str(buyer.pk)]}
    address = reverse("admin:accounts_user_changelist")
    assert "reason" in client.post(address, action).text
    client.post(address, action | {"decided": "1", "reason": "Wrote from the address of the account."})
    request = DeletionRequest.objects.get()
    assert (request.user, request.asked_by) == (buyer, administrator)
    assert "Wrote from the address" in OutgoingMail.objects.get(user=buyer).text
    assert delete_due(now=request.due_at) == 1
    request.refresh_from_db()
    assert request.reason == ""


def test_nobody_else_can_ask_for_it_or_take_it_back(buyer, other_buyer, now):
    for act in (ask_for_deletion, take_back):
        with pytest.raises(MarketplaceError):
            act(user=buyer, by=other_buyer, now=now)


# That it is done ----------------------------------------------------------------------------------------


def test_a_deleted_account_lets_nobody_in_and_its_address_is_free(client, ada, now):
    client.force_login(ada)
    gone(ada, now)
    assert not ada.is_active
    assert not ada.has_usable_password()
    assert client.get("/accounts/privacy/").status_code == 302
    assert not client.login(email="ada@example.org", password=PASSWORD)
    assert make_user("ada@example.org")
    assert f"Member {ada.pk.hex[-6:]}" == ada.public_name


def test_what_is_killed_on_the_way_is_done_by_the_next_sweep(ada, administrator, now, monkeypatch):
    lived_before = ada.email
    request = ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)

    def broken(*_args):
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(deletions, "scrub_history", broken)
        for _sweep in range(2):
            assert delete_due(now=now) == 0
    assert administrator.notifications.get().title == "An account could not be deleted"
    ada.refresh_from_db()
    assert ada.email == lived_before, "all of it, or nothing"
    assert delete_due(now=now) == 1
    assert delete_due(now=now) == 0
    request.refresh_from_db()
    assert request.done_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_delete_it_once(now):
    ada = make_user("ada@example.org", name="Ada Lovelace")
    ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)
    assert sorted(twice_at_once(partial(delete_due, now=now))) == [0, 0, 1]
    assert OutgoingMail.objects.filter(user=None).count() == 1


def test_who_joins_an_organization_meanwhile_is_met_by_the_next_sweep(ada, buyer, other_buyer, now, monkeypatch):
    make_member(make_organization(buyer), ada)
    other = make_organization(other_buyer, "Institute of Mills")
    ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)

    def joins_another(pk):
        make_member(other, ada)
        return locked_organization(pk)

    with monkeypatch.context() as patch:
        patch.setattr(deletions, "locked_organization", joins_another)
        assert delete_due(now=now) == 0
    assert delete_due(now=now) == 1
    assert not ada.memberships.current().exists()


def test_nobody_joins_with_an_account_that_was_closed_meanwhile(ada, buyer, now):
    confirm_address(ada)
    (invitation,) = invite(organization=make_organization(buyer), by=buyer, emails=[ada.email], role="member", now=now)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(OrganizationError, match="account is closed"):
        accept_invitation(invitation=invitation, user=ada, now=now)


def test_erasing_twice_is_quiet(ada, now):
    gone(ada, now)
    deletions.erase(ada, now=now)
    assert ada.email.endswith("@deleted.invalid")


def test_the_processor_forgets_its_customer(processor, buyer, now):
    from billing.services.cards import customer_of

    customer_of(buyer)
    gone(buyer, now)
    assert forget_customers() == 1
    assert not StripeCustomer.objects.exists()
    assert forget_customers() == 0
