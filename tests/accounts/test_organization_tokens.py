"""Tokens that act for an organization: its administrators see them, end them, and read what they were used for."""

import csv
import io
import json
from datetime import timedelta

import pytest

from accounts.models import ApiToken, ApiTokenUse, Membership, OrganizationRole, OutgoingMail, Scope
from accounts.permissions import NotAllowed
from accounts.services.memberships import leave_organization, remove_member
from accounts.services.tokens import TokenRefused, admit, make_token, record_use, renew_feed, revoke_token_of
from tests.organizations import leave, make_member, make_organization
from tests.people import make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def institute(organization_administrator):
    return make_organization(organization_administrator)


@pytest.fixture
def colleague(institute, buyer) -> Membership:
    buyer.name = "Carl Colleague"
    buyer.save(update_fields=["name"])
    return make_member(institute, buyer)


@pytest.fixture
def token(institute, colleague, now) -> ApiToken:
    """For the institute, beside one of the colleague's own."""
    make_token(user=colleague.user, name="Diary", scopes=[Scope.BOOKINGS_READ], days=7, now=now)
    return make_token(
        user=colleague.user, organization=institute, name="Archive", scopes=[Scope.BILLING_READ], days=7, now=now
    )[0]


@pytest.fixture
def signed_in(client, organization_administrator):
    client.force_login(organization_administrator)
    return client


def test_administrators_see_all_that_act_for_it_and_no_others(signed_in, institute, colleague, token, now):
    renew_feed(user=colleague.user, organization=institute, now=now)
    page = signed_in.get(f"/organizations/{institute.pk}/tokens/").text
    for words in ("Archive", token.prefix, "Carl Colleague", "Billing: read", "Calendar feeds"):
        assert words in page
    assert "Diary" not in page
    assert token.token_hash not in page
    leave(colleague, at=now)
    assert "lets nobody in" in signed_in.get(f"/organizations/{institute.pk}/tokens/").text


def test_one_is_revoked_and_who_made_it_is_told(signed_in, institute, token, organization_administrator):
    answer = signed_in.post(f"/organizations/{institute.pk}/tokens/{token.pk}/revoke/", follow=True)
    assert "The token “Archive” is revoked." in answer.text
    token.refresh_from_db()
    assert (token.is_revoked, token.revoked_by) == (True, organization_administrator)
    mail = OutgoingMail.objects.get(key__startswith="token-revoked")
    assert mail.user == token.user
    assert "It acted for Institute of Computing." in mail.text
    signed_in.post(f"/organizations/{institute.pk}/tokens/{token.pk}/revoke/")
    assert OutgoingMail.objects.filter(key__startswith="token-revoked").count() == 1


@pytest.mark.parametrize("is_removed", [True, False])
def test_with_the_membership_end_all_that_act_by_it_and_do_not_come_back_with_the_person(
    institute, colleague, token, organization_administrator, now, is_removed
):
    person = colleague.user
    _feed, address = renew_feed(user=person, organization=institute, now=now)
    _other, secret = make_token(
        user=person, organization=institute, name="Spend", scopes=[Scope.BILLING_READ], days=7, now=now
    )
    person.language = "de"
    person.save(update_fields=["language"])
    if is_removed:
        remove_member(membership=colleague, by=organization_administrator, now=now)
    else:
        leave_organization(organization=institute, user=person, now=now)
    make_member(institute, person, OrganizationRole.ADMINISTRATOR)
    for key, scope in ((secret, Scope.BILLING_READ), (address, Scope.FEEDS)):
        with pytest.raises(TokenRefused, match="was revoked"):
            admit(secret=key, scope=scope, now=now)
    assert ApiToken.objects.get(revoked_at=None).name == "Diary", "what is the person's own is not touched"
    mails = OutgoingMail.objects.filter(user=person, key__startswith="token-revoked")
    assert mails.count() == (3 if is_removed else 0), "whoever left has read it before"
    for mail in mails:
        assert "Es handelte für Institute of Computing. Dazu gehören Sie nicht mehr." in mail.text


def test_a_members_own_token_and_anothers_organization_are_out_of_reach(client, signed_in, institute, token, stranger):
    own = ApiToken.objects.get(name="Diary")
    assert signed_in.post(f"/organizations/{institute.pk}/tokens/{own.pk}/revoke/").status_code == 404
    other = make_organization(stranger, "Elsewhere")
    client.force_login(stranger)
    assert client.post(f"/organizations/{other.pk}/tokens/{token.pk}/revoke/").status_code == 404
    assert not ApiToken.objects.filter(revoked_at__isnull=False).exists()


def test_who_is_no_administrator_any_more_revokes_nothing(institute, token, organization_administrator, now):
    """Between opening the page and pressing the button."""
    Membership.objects.filter(user=organization_administrator).update(role=OrganizationRole.BILLING)
    with pytest.raises(NotAllowed):
        revoke_token_of(organization=institute, token_id=token.pk, by=organization_administrator, now=now)
    token.refresh_from_db()
    assert not token.is_revoked


# What they were used for ------------------------------------------------------------------------------------


@pytest.fixture
def used(institute, token, now) -> ApiToken:
    """Twice; and the person's own once."""
    for path, at in (("/invoices/old", now - 3 * DAY), ("/invoices/new", now)):
        record_use(token=token, method="GET", path=path, status=200, address="203.0.113.9", now=at)
    own = ApiToken.objects.get(name="Diary")
    record_use(token=own, method="GET", path="/private", status=200, address=None, now=now)
    return token


def test_the_audit_page_has_every_use(signed_in, institute, used):
    assert "/history/tokens/" in signed_in.get(f"/organizations/{institute.pk}/history/").text
    page = signed_in.get(f"/organizations/{institute.pk}/history/tokens/").text
    for words in ("Archive", "Carl Colleague", "/invoices/old", "203.0.113.9"):
        assert words in page
    assert page.index("/invoices/new") < page.index("/invoices/old")
    assert "/private" not in page


def test_uses_are_asked_for_by_token_person_and_day(signed_in, institute, used, colleague, now):
    page = f"/organizations/{institute.pk}/history/tokens/"
    other = make_member(institute, make_user("other@institute.example"))
    second, _secret = make_token(
        user=other.user, organization=institute, name="Second", scopes=[Scope.BILLING_READ], days=7, now=now
    )
    record_use(token=second, method="GET", path="/second", status=403, address=None, now=now)
    everything = {"/invoices/new", "/invoices/old", "/second"}
    yesterday = (now - DAY).date().isoformat()
    for asked, found in (
        ({"token": used.pk}, {"/invoices/new", "/invoices/old"}),
        ({"person": other.user_id}, {"/second"}),
        ({"since": yesterday}, {"/invoices/new", "/second"}),
        ({"until": yesterday}, {"/invoices/old"}),
        ({"until": yesterday, "token": second.pk}, set()),
        ({"since": "tomorrow"}, everything),  # says what is wrong, and shows all
    ):
        text = signed_in.get(page, asked).text
        assert {path for path in everything if path in text} == found, asked


def test_uses_are_exported(signed_in, institute, used):
    page = f"/organizations/{institute.pk}/history/tokens/"
    answer = signed_in.get(page, {"as": "csv"})
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [line["path"] for line in lines] == ["/invoices/new", "/invoices/old"]
    assert lines[0]["token_id"] == str(used.pk)
    assert f"organization-{institute.pk}-tokens.csv" in answer["Content-Disposition"]
    assert json.loads(b"".join(signed_in.get(page, {"as": "json"}))) == lines


def test_nothing_yet_is_said(signed_in, institute):
    assert "No token acts for" in signed_in.get(f"/organizations/{institute.pk}/tokens/").text
    assert "Not used yet" in signed_in.get(f"/organizations/{institute.pk}/history/tokens/").text
    assert not ApiTokenUse.objects.exists()
