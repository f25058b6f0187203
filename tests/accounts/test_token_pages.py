"""The pages of API tokens: making one, the page that shows it once, its uses, and revoking it."""

import re

import pytest
from django.urls import reverse

from accounts.models import ApiToken, OutgoingMail, Scope
from accounts.services.tokens import make_token, record_use
from tests.organizations import leave, make_member, make_organization
from tests.signing_in import step_up

pytestmark = pytest.mark.django_db

A_TOKEN = re.compile(r"rsm_[0-9A-Za-z]{49}")
TYPED = {"name": "backup", "days": "90", "billing": "read", "bookings": "write"}


@pytest.fixture
def signed_in(client, buyer):
    client.force_login(buyer)
    return client


def test_making_one_asks_again_who_it_is(signed_in):
    for answer in (signed_in.get(reverse("token_create")), signed_in.post(reverse("token_create"), TYPED)):
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]
    assert not ApiToken.objects.exists()


def test_a_token_is_shown_once(signed_in, buyer, now):
    step_up(signed_in)
    page = signed_in.post(reverse("token_create"), TYPED)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    secret = A_TOKEN.findall(page.text)[0]
    token = buyer.api_tokens.get()
    assert token.scopes == [Scope.BOOKINGS_WRITE, Scope.BILLING_READ]
    assert (token.expires_at - token.created_at).days == 90
    for name, arguments in (("token_list", []), ("token_detail", [token.pk])):
        text = signed_in.get(reverse(name, args=arguments)).text
        assert token.prefix in text
        assert secret not in text
    program = signed_in.get("/machines/earnings.csv", headers={"Authorization": f"Bearer {secret}"})
    assert program.status_code == 200
    assert "/machines/earnings.csv" in signed_in.get(reverse("token_detail", args=[token.pk])).text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"billing": "", "bookings": ""}, "Choose at least one thing"),
        ({"name": ""}, "This field is required"),
        ({"days": "3650"}, "Select a valid choice"),
        ({"billing": "everything"}, "Select a valid choice"),
    ],
)
def test_a_form_that_does_not_do_keeps_what_was_typed(signed_in, typed, words):
    step_up(signed_in)
    page = signed_in.post(reverse("token_create"), {**TYPED, **typed})
    assert page.status_code == 422
    assert words in page.text
    assert typed.get("name", "backup") in page.text
    assert not ApiToken.objects.exists()


def test_one_acts_for_an_organization_of_ones_own_only(signed_in, buyer, provider):
    mine, theirs = make_organization(buyer, "Mine"), make_organization(provider, "Theirs")
    step_up(signed_in)
    assert "Theirs" not in signed_in.get(reverse("token_create")).text
    assert signed_in.post(reverse("token_create"), {**TYPED, "acts_for": theirs.pk}).status_code == 422
    assert signed_in.post(reverse("token_create"), {**TYPED, "acts_for": mine.pk}).status_code == 200
    assert buyer.api_tokens.get().organization == mine


@pytest.mark.parametrize("belongs_elsewhere", [True, False])
def test_a_role_that_was_lost_while_the_form_was_open_makes_no_token_of_ones_own(
    signed_in, buyer, provider, now, belongs_elsewhere
):
    organization = make_organization(provider)
    membership = make_member(organization, buyer)
    if belongs_elsewhere:
        make_organization(buyer, "Mine")
    step_up(signed_in)
    leave(membership, at=now)
    page = signed_in.post(reverse("token_create"), {**TYPED, "acts_for": organization.pk})
    assert page.status_code == 422
    assert "You do not belong to this organization any more. Choose again whom it acts for." in page.text
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_person(signed_in, buyer, now):
    token, _secret = make_token(user=buyer, name="old", scopes=[Scope.BILLING_READ], days=7, now=now)
    assert signed_in.post(reverse("token_revoke", args=[token.pk])).status_code == 302
    assert "revoked" in signed_in.get(reverse("token_list")).text
    token.refresh_from_db()
    assert (token.is_revoked, token.revoked_by) == (True, buyer)
    assert not OutgoingMail.objects.filter(key__startswith="token-revoked").exists()


def test_nobody_sees_or_revokes_another_ones_token(client, signed_in, buyer, other_buyer, now):
    token, _secret = make_token(user=buyer, name="mine", scopes=[Scope.BILLING_READ], days=7, now=now)
    client.force_login(other_buyer)
    assert token.prefix not in client.get(reverse("token_list")).text
    assert client.get(reverse("token_detail", args=[token.pk])).status_code == 404
    assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 404
    assert not ApiToken.objects.get().is_revoked


def test_an_administrator_revokes_with_a_reason_and_the_person_is_told(client, administrator, buyer, now):
    token, _secret = make_token(user=buyer, name="leaked", scopes=[Scope.BILLING_READ], days=7, now=now)
    record_use(token=token, method="GET", path="/x", status=200, address="203.0.113.1", now=now)
    client.force_login(administrator)
    page = client.get(reverse("admin:accounts_apitoken_change", args=[token.pk])).text
    assert token.prefix in page
    assert token.token_hash not in page
    chosen = {
        "action": "revoke",
        "_selected_action": [token.pk],
        "decided": "1",
        "reason": "It stands in a public repository.",
    }
    client.post(reverse("admin:accounts_apitoken_changelist"), chosen)
    token.refresh_from_db()
    assert (token.is_revoked, token.revoked_by) == (True, administrator)
    assert "public repository" in OutgoingMail.objects.get(key=f"token-revoked:{token.pk}").text
