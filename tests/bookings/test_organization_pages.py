"""Booking for an organization in the browser's terms: the panel, the approvals, the budgets."""

from decimal import Decimal

import pytest

from accounts.middleware import ACTING_FOR
from accounts.models import User
from bookings.models import Approval, Booking, Budget
from tests.organizations import book, leave, make_cost_centre, make_member, make_organization, make_project
from tests.people import DAY, HOUR, minute

pytestmark = pytest.mark.django_db


@pytest.fixture
def acting(client, colleague):
    """The colleague, acting for the institute."""
    return act(client, colleague)


def act(client, membership):
    client.force_login(membership.user)
    session = client.session
    session[ACTING_FOR] = str(membership.organization_id)
    session.save()
    return client


def window(now, hours=4):
    start = minute(now + DAY)
    return {"start": start.isoformat(), "end": (start + hours * HOUR).isoformat()}


def ask(client, offer, now, *, hours=4, organization=None, **more):
    about = {"acting_for": str(organization.pk)} if organization else {}
    return client.post(f"/listings/{offer.pk}/book/", {**window(now, hours), **about, **more})


# The panel ---------------------------------------------------------------------------------------------------


def test_the_panel_asks_what_the_policy_wants_and_says_what_budgets_leave(acting, offer, institute, now):
    make_project(institute)
    make_cost_centre(institute, "4711", name="Biology")
    Budget.objects.create(organization=institute, amount=20, currency="EUR", created_by=institute.owner)
    page = acting.get(f"/listings/{offer.pk}/", window(now)).text
    for words in ("For Institute of Computing", "Protein folding", "4711 Biology", "left of"):
        assert words in page


def test_for_themselves_nothing_of_it_is_asked(client, offer, buyer, now):
    client.force_login(buyer)
    assert "acting_for" not in client.get(f"/listings/{offer.pk}/", window(now)).text


def test_it_is_booked_for_the_organization(acting, offer, institute, now):
    project = make_project(institute)
    answer = ask(acting, offer, now, organization=institute, project=str(project.pk), purchase_order="PO-7")
    booking = Booking.objects.get()
    assert answer.url == f"/bookings/{booking.pk}/pay/"
    assert (booking.organization, booking.project, booking.purchase_order) == (institute, project, "PO-7")
    page = acting.get(f"/bookings/{booking.pk}/").text
    assert "For Institute of Computing" in page
    assert "PO-7" in page


def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(acting, offer, institute, now):
    institute.needs_purchase_order = institute.needs_project = True
    institute.save(update_fields=["needs_purchase_order", "needs_project"])
    project = make_project(institute)
    answer = ask(acting, offer, now, organization=institute, project=str(project.pk), cost_centre="4711")
    assert answer.status_code == 422
    assert "asks for a purchase-order number" in answer.text
    assert 'value="4711"' in answer.text
    assert f'value="{project.pk}" selected' in answer.text
    assert not Booking.objects.exists()


def test_switched_in_another_tab_nothing_is_booked_for_the_wrong_one(acting, offer, institute, now):
    for given in ({}, {"organization": make_other(institute)}):
        answer = ask(acting, offer, now, **given)
        assert answer.status_code == 422
        assert "act for somebody else by now" in answer.text
    assert not Booking.objects.exists()


def make_other(institute):
    return make_organization(institute.owner, "Elsewhere")


def test_an_organization_that_one_does_not_act_for_is_not_billed(client, offer, buyer, institute, now):
    """The id in the form alone does nothing."""
    client.force_login(buyer)
    assert ask(client, offer, now, organization=institute).status_code == 422
    assert not Booking.objects.exists()


def test_removed_while_the_form_was_open(acting, offer, colleague, institute, now):
    leave(colleague, at=now)
    answer = ask(acting, offer, now, organization=institute)
    assert answer.status_code == 422
    assert not Booking.objects.exists()


@pytest.mark.parametrize("has_another", [True, False])
def test_a_project_archived_while_the_form_was_open_is_not_taken_for_none(acting, offer, institute, now, has_another):
    project = make_project(institute, archived_at=now)
    if has_another:
        make_project(institute, "Another")
    answer = ask(acting, offer, now, organization=institute, project=str(project.pk))
    assert answer.status_code == 422
    assert "This project is not open any more." in answer.text
    assert not Booking.objects.exists()
    assert ask(acting, offer, now, organization=institute, project="").status_code == 302, "chosen again: none"


def test_over_budget_says_what_is_left(acting, offer, institute, now):
    Budget.objects.create(organization=institute, amount=5, currency="EUR", created_by=institute.owner)
    answer = ask(acting, offer, now, organization=institute)
    assert answer.status_code == 422
    assert "is left" in answer.text


def test_a_viewer_sees_that_they_cannot_book(client, offer, institute, buyer, now):
    page = act(client, make_member(institute, buyer, "viewer")).get(f"/listings/{offer.pk}/", window(now)).text
    assert "does not let you book" in page


# Approvals -----------------------------------------------------------------------------------------------------


@pytest.fixture
def careful(institute):
    institute.approval_above = Decimal(5)
    institute.save(update_fields=["approval_above"])
    return institute


def test_above_the_limit_a_reason_is_asked_for_and_it_waits(acting, offer, careful, now):
    assert "ask for approval" in acting.get(f"/listings/{offer.pk}/", window(now)).text
    answer = ask(acting, offer, now, organization=careful)
    assert answer.status_code == 422
    assert "Say why" in answer.text
    answer = ask(acting, offer, now, organization=careful, reason="A deadline.")
    booking = Booking.objects.get()
    assert answer.url == f"/bookings/{booking.pk}/"
    assert "Waiting for an administrator of Institute of Computing" in acting.get(answer.url).text
    assert acting.get(f"/bookings/{booking.pk}/pay/").status_code in (302, 409)


@pytest.fixture
def asked(careful, offer, colleague, now) -> Approval:
    return book(offer, colleague, now, start=now + 2 * DAY, reason="A deadline.").approval


def test_an_administrator_looks_at_it_and_approves(client, asked, careful, now):
    client.force_login(careful.owner)
    assert "A deadline." in client.get(f"/organizations/{careful.pk}/approvals/").text
    page = f"/organizations/{careful.pk}/approvals/{asked.pk}/"
    assert "A deadline." in client.get(page).text
    assert client.post(page, {"decision": "decline", "answer": ""}).status_code == 422
    assert client.post(page, {"decision": "approve", "answer": ""}).status_code == 302
    asked.refresh_from_db()
    assert asked.status == "approved"
    assert "Decided by" in client.get(page).text


def test_what_could_not_be_paid_any_more_is_not_approved_and_the_page_says_why(client, asked, careful, now):
    Booking.objects.update(project=make_project(careful, archived_at=now))
    client.force_login(careful.owner)
    answer = client.post(
        f"/organizations/{careful.pk}/approvals/{asked.pk}/", {"decision": "approve", "answer": "Yes."}
    )
    assert answer.status_code == 422
    assert "This cannot be approved as it is" in answer.text
    assert "This project is not open any more." in answer.text
    assert "Yes." in answer.text
    asked.refresh_from_db()
    assert asked.is_waiting


def test_what_is_neither_yes_nor_no_decides_nothing(client, asked, careful):
    client.force_login(careful.owner)
    page = f"/organizations/{careful.pk}/approvals/{asked.pk}/"
    assert client.post(page, {"decision": "perhaps", "answer": "Hm."}).status_code == 422
    asked.refresh_from_db()
    assert asked.is_waiting


def test_decided_by_somebody_else_meanwhile(client, asked, careful, now):
    Approval.objects.update(status="declined", decided_by=careful.owner, decided_at=now)
    client.force_login(careful.owner)
    answer = client.post(f"/organizations/{careful.pk}/approvals/{asked.pk}/", {"decision": "approve"})
    assert answer.status_code == 422
    assert "decided already" in answer.text


def test_members_see_what_they_asked_for_alone(client, asked, careful, provider, now):
    client.force_login(asked.booking.buyer)
    assert "A deadline." in client.get(f"/organizations/{careful.pk}/approvals/").text
    assert client.get(f"/organizations/{careful.pk}/approvals/{asked.pk}/").status_code == 403
    make_member(careful, provider)
    client.force_login(provider)
    assert "A deadline." not in client.get(f"/organizations/{careful.pk}/approvals/").text


def test_one_of_another_organization_is_not_found(client, asked, careful, administrator):
    other = make_organization(administrator, "Elsewhere")
    client.force_login(administrator)
    assert client.get(f"/organizations/{other.pk}/approvals/{asked.pk}/").status_code == 404
    assert client.get(f"/organizations/{careful.pk}/approvals/{asked.pk}/").status_code == 404


# Budgets ---------------------------------------------------------------------------------------------------------


def test_an_administrator_sets_and_ends_one(client, careful, colleague):
    client.force_login(careful.owner)
    page = f"/organizations/{careful.pk}/budgets/"
    given = {"member": colleague.user.email.upper(), "amount": "100", "currency": "EUR", "period": "month"}
    assert f'<option value="{colleague.user.email}">' in client.get(page).text
    assert client.post(page, given).status_code == 302
    budget = Budget.objects.get()
    assert (budget.member, budget.amount) == (colleague.user, 100)
    assert "100" in client.get(page).text
    assert client.post(page, {**given, "amount": "-5"}).status_code == 422
    assert client.post(f"{page}{budget.pk}/end/").status_code == 302
    budget.refresh_from_db()
    assert budget.ended_at


def test_somebody_who_is_no_member_cannot_be_given_one(client, careful, provider):
    client.force_login(careful.owner)
    given = {"member": provider.email, "amount": "100", "currency": "EUR", "period": "month"}
    answer = client.post(f"/organizations/{careful.pk}/budgets/", given)
    assert answer.status_code == 422
    assert "Nobody with this name or address belongs to the organization." in answer.text
    assert f'value="{provider.email}"' in answer.text, "what was typed is kept"
    assert not Budget.objects.exists()


def test_a_member_is_found_by_a_name_that_nobody_else_has(client, careful, colleague, provider):
    User.objects.filter(pk__in=[colleague.user_id, provider.pk]).update(name="Ann Example")
    client.force_login(careful.owner)
    page = f"/organizations/{careful.pk}/budgets/"
    given = {"member": "ann  example", "amount": "100", "currency": "EUR", "period": "month"}
    assert client.post(page, given).status_code == 302
    assert Budget.objects.get().member == colleague.user
    make_member(careful, provider)
    assert "More than one member is called so." in client.post(page, given).text
    project = make_project(careful, "Proteins")
    both = {**given, "member": colleague.user.email, "whose": f"project:{project.pk}"}
    assert "A budget is for a project or for a member." in client.post(page, both).text
    assert Budget.objects.count() == 1


def test_a_member_sees_their_own_and_the_common_ones(client, careful, colleague, now):
    for number, fields in enumerate(({}, {"member": colleague.user}, {"member": careful.owner})):
        Budget.objects.create(
            organization=careful, amount=111 * (number + 1), currency="EUR", created_by=careful.owner, **fields
        )
    client.force_login(colleague.user)
    page = client.get(f"/organizations/{careful.pk}/budgets/").text
    assert "111.00" in page
    assert "222.00" in page
    assert "333.00" not in page
    assert client.post(f"/organizations/{careful.pk}/budgets/", {"amount": "1"}).status_code == 403


def test_a_budget_of_another_organization_is_not_ended(client, careful, administrator):
    budget = Budget.objects.create(organization=careful, amount=1, currency="EUR", created_by=careful.owner)
    other = make_organization(administrator, "Elsewhere")
    client.force_login(administrator)
    assert client.post(f"/organizations/{other.pk}/budgets/{budget.pk}/end/").status_code == 404
    budget.refresh_from_db()
    assert budget.ended_at is None
