"""Signing in by OpenID Connect, at a real provider that runs as a server: who comes in, and what is refused."""

import time
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.urls import reverse

from accounts.models import Invitation, Membership, Organization, OutgoingMail, Role, SignOnOutcome, SignOnUse, User
from tests.organizations import make_member, make_organization
from tests.people import PASSWORD, make_user
from tests.signing_in import add_app, code_now, confirm, sign_in
from tests.single_sign_on import (  # noqa: F401  # two of them are fixtures
    DOMAIN,
    approve,
    begin,
    come_back,
    connect_oidc,
    oidc_server,
    one_that_is_trusted,
    through,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def organization(buyer, now):
    made = make_organization(confirm(buyer))
    approve(made, now=now)
    return made


@pytest.fixture
def sign_on(organization, idp):
    return connect_oidc(organization, idp.issuer)


def _signed_in(client) -> str | None:
    return client.session.get("_auth_user_id")


def _refused(answer, sentence: str) -> None:
    assert answer.status_code == 403, answer.text
    assert sentence in answer.text


# Coming in ------------------------------------------------------------------------------------------------


def test_who_comes_for_the_first_time_gets_an_account_and_belongs_to_the_organization(
    client, idp, sign_on, organization
):
    idp.tell("ada", name="Ada Lovelace")
    page = client.post(reverse("sso_find"), {"email": f"ada@{DOMAIN.upper()}"})
    assert page["Location"] == reverse("sso_entrance", args=["uni"])
    assert organization.name in client.get(page["Location"]).text
    answer = through(client, idp, sign_on, "ada", next="/bookings/")
    assert (answer.status_code, answer["Location"]) == (302, "/bookings/")
    user = User.objects.get(email=f"ada@{DOMAIN}")
    assert _signed_in(client) == str(user.pk)
    assert (user.name, user.has_usable_password(), user.roles) == ("Ada Lovelace", False, ["buyer"])
    assert EmailAddress.objects.get(user=user).verified
    assert user.memberships.get().role == "member"
    sign_on.refresh_from_db()
    assert sign_on.proved_at is not None
    used = organization.sign_on_uses.get()
    assert (used.user, used.outcome) == (user, SignOnOutcome.JOINED)


def test_whoever_comes_for_the_first_time_is_written_to_in_the_language_that_they_read(client, idp, sign_on, settings):
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    assert User.objects.get(email=f"ada@{DOMAIN}").language == "de"


def test_the_second_time_it_is_the_same_account(client, idp, sign_on):
    for _ in range(2):
        idp.tell("ada")
        through(client, idp, sign_on, "ada")
        client.logout()
    assert User.objects.filter(email__endswith=DOMAIN).count() == 1
    assert SignOnUse.objects.filter(outcome=SignOnOutcome.SIGNED_IN).count() == 1


def test_nothing_that_the_provider_tells_is_stored_beside_who_it_is(client, idp, sign_on):
    idp.tell("ada", phone_number="+49 30 1234", picture="https://uni.example/ada.png")
    through(client, idp, sign_on, "ada")
    (account,) = SocialAccount.objects.all()
    assert (account.uid, account.provider, account.extra_data) == ("ada", sign_on.id.hex, {})
    assert not SocialToken.objects.exists()
    assert not SocialApp.objects.exists()


def test_the_browser_is_sent_off_with_state_nonce_and_a_challenge(client, idp, sign_on):
    asked = parse_qs(urlsplit(begin(client, sign_on)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["state"][0]) >= 16
    assert len(asked["nonce"][0]) >= 24
    assert asked["redirect_uri"][0].endswith(f"/accounts/sso/{sign_on.organization_id}/callback/")


def test_a_member_with_a_confirmed_address_is_linked(client, idp, sign_on, organization):
    ada = confirm(make_user(f"ada@{DOMAIN}", Role.BUYER))
    make_member(organization, ada, "billing")
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    assert _signed_in(client) == str(ada.pk)
    assert ada.memberships.get().role == "billing"
    assert ada.has_usable_password()
    told = OutgoingMail.objects.get(user=ada)
    assert f"The provider of {organization.name} signs you in from now on" in told.subject
    assert ada.notifications.filter(key=told.key).exists()


def test_whoever_is_invited_gets_the_role_of_the_invitation(client, idp, sign_on, organization, now):
    Invitation.objects.create(
        organization=organization, email=f"ada@{DOMAIN}", role="billing", token_hash="x", invited_by=organization.owner,
        expires_at=now.replace(year=now.year + 1),
    )  # fmt: skip
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    assert Membership.objects.get(user__email=f"ada@{DOMAIN}").role == "billing"
    assert Invitation.objects.get().accepted_by.email == f"ada@{DOMAIN}"


def test_the_second_factor_of_an_account_is_asked_for_here_all_the_same(client, idp, sign_on, organization):
    ada = confirm(make_user(f"ada@{DOMAIN}", Role.BUYER))
    make_member(organization, ada)
    add_app(ada)
    idp.tell("ada")
    asked = through(client, idp, sign_on, "ada")
    assert asked["Location"] == reverse("mfa_authenticate")
    assert _signed_in(client) is None
    client.post(asked["Location"], {"code": code_now()})
    assert _signed_in(client) == str(ada.pk)


def test_an_account_that_was_begun_and_never_confirmed_gives_way(client, idp, sign_on):
    """Somebody typed the address of another person where one signs up, and waits with the password."""
    squatter = confirm(make_user(f"ada@{DOMAIN}", Role.BUYER), verified=False)
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    user = User.objects.get(email=f"ada@{DOMAIN}")
    assert user.pk != squatter.pk
    assert not user.check_password(PASSWORD)


# Who is not let in ----------------------------------------------------------------------------------------


def test_an_address_of_another_domain_is_refused(client, idp, sign_on):
    idp.tell("ada", email="ada@elsewhere.example")
    _refused(through(client, idp, sign_on, "ada"), "ada@elsewhere.example is none of them")
    assert not User.objects.filter(email__startswith="ada").exists()


@pytest.mark.parametrize("address", [f"ada@sub.{DOMAIN}", f"ada@evil{DOMAIN}", f'"a@{DOMAIN}"@evil.example', "ada", ""])
def test_an_address_that_only_looks_like_one_of_the_domain_is_refused(client, idp, sign_on, address):
    idp.tell("ada", email=address)
    assert through(client, idp, sign_on, "ada").status_code == 403
    assert _signed_in(client) is None


def test_without_an_approved_domain_nobody_comes_in(client, idp, sign_on, organization):
    organization.email_domains.update(approved_at=None)
    idp.tell("ada")
    _refused(through(client, idp, sign_on, "ada"), "is none of them")
    assert client.post(reverse("sso_find"), {"email": f"ada@{DOMAIN}"}).status_code == 422


def test_a_domain_that_was_withdrawn_closes_accounts_that_came_by_it(client, idp, sign_on, organization):
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    client.logout()
    organization.email_domains.update(approved_at=None)
    assert through(client, idp, sign_on, "ada").status_code == 403


def test_a_name_that_is_an_advertisement_is_left_out(client, idp, sign_on):
    idp.tell("ada", name="Cheap at https://x.example")
    through(client, idp, sign_on, "ada")
    assert User.objects.get(email=f"ada@{DOMAIN}").name == ""


def test_an_address_that_the_provider_has_not_confirmed_is_refused(client, idp, sign_on):
    idp.tell("ada", email_verified=False)
    _refused(through(client, idp, sign_on, "ada"), "has not confirmed")


def test_somebody_elses_account_is_not_taken_over(client, idp, sign_on):
    """An organization's administrator may say anything at a provider of their own."""
    victim = confirm(make_user(f"victim@{DOMAIN}", Role.BUYER))
    idp.tell("hostile", email=victim.email)
    _refused(through(client, idp, sign_on, "hostile"), "Sign in to it as you always do")
    assert _signed_in(client) is None
    assert not SocialAccount.objects.exists()


def test_who_signs_in_with_what_they_have_joins_with_that_very_account(client, idp, sign_on, organization):
    ada = confirm(make_user(f"ada@{DOMAIN}", Role.BUYER))
    idp.tell("ada")
    sign_in(client, ada)
    through(client, idp, sign_on, "ada")
    assert ada.memberships.get().organization == organization
    client.logout()
    through(client, idp, sign_on, "ada")
    assert _signed_in(client) == str(ada.pk)


@pytest.mark.parametrize("part", ["administrator", "owner", "administrator of another"])
def test_who_looks_after_an_organization_is_linked_only_while_they_are_signed_in(
    client, idp, sign_on, organization, part
):
    """Any of its administrators could choose a provider at which they are whoever they like."""
    ada = confirm(make_user(f"ada@{DOMAIN}", Role.BUYER))
    make_member(organization, ada, "member" if part == "administrator of another" else "administrator")
    if part == "administrator of another":
        make_member(make_organization(organization.owner, "Another"), ada, "administrator")
    elif part == "owner":
        Organization.objects.filter(pk=organization.pk).update(owner=ada)
    idp.tell("ada")
    _refused(through(client, idp, sign_on, "ada"), "show here that it is you")
    assert _signed_in(client) is None
    assert not SocialAccount.objects.exists()
    sign_in(client, ada)
    through(client, idp, sign_on, "ada")
    client.logout()
    through(client, idp, sign_on, "ada")
    assert _signed_in(client) == str(ada.pk)


def test_being_signed_in_as_somebody_else_opens_no_other_account(client, idp, sign_on, other_buyer):
    victim = confirm(make_user(f"victim@{DOMAIN}", Role.BUYER))
    sign_in(client, confirm(other_buyer))
    idp.tell("hostile", email=victim.email)
    assert through(client, idp, sign_on, "hostile").status_code == 403
    assert _signed_in(client) == str(other_buyer.pk)


def test_a_member_whose_own_address_is_elsewhere_is_refused(client, idp, sign_on, organization, other_buyer):
    """A second address in the domain does not hand the account to the domain's idp."""
    make_member(organization, confirm(other_buyer))
    EmailAddress.objects.create(user=other_buyer, email=f"second@{DOMAIN}", verified=True)
    idp.tell("second")
    _refused(through(client, idp, sign_on, "second"), "own address is not one of")


@pytest.mark.parametrize("power", ["is_staff", "is_superuser", "roles"])
def test_nobody_who_administers_the_marketplace_comes_in_by_it(client, idp, sign_on, organization, power):
    user = confirm(make_user(f"root@{DOMAIN}", Role.BUYER))
    make_member(organization, user)
    setattr(user, power, [Role.PLATFORM_ADMINISTRATOR] if power == "roles" else True)
    user.save()
    idp.tell("root")
    _refused(through(client, idp, sign_on, "root"), "administers the marketplace")
    assert _signed_in(client) is None


def test_an_administrator_who_has_never_signed_in_does_not_give_way(client, idp, sign_on):
    user = make_user(f"root@{DOMAIN}", is_staff=True)
    idp.tell("root")
    assert through(client, idp, sign_on, "root").status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_a_removed_member_does_not_come_back_in(client, idp, sign_on, now):
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    client.logout()
    Membership.objects.filter(user__email=f"ada@{DOMAIN}").update(left_at=now)
    _refused(through(client, idp, sign_on, "ada"), "You do not belong to")
    assert _signed_in(client) is None


def test_an_inactive_account_stays_closed(client, idp, sign_on):
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    client.logout()
    User.objects.filter(email=f"ada@{DOMAIN}").update(is_active=False)
    _refused(through(client, idp, sign_on, "ada"), "not active")


def test_an_address_that_went_to_another_person_does_not_bring_the_account_along(client, idp, sign_on):
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    client.logout()
    idp.tell("ada-the-second", email=f"ada@{DOMAIN}")
    _refused(through(client, idp, sign_on, "ada-the-second"), "another identifier")


def test_a_provider_of_another_organization_knows_none_of_its_people(client, idp, sign_on, other_buyer, now):
    idp.tell("ada")
    through(client, idp, sign_on, "ada")
    client.logout()
    other = make_organization(confirm(other_buyer), "Evil Ltd")
    approve(other, "evil.example", now=now)
    theirs = connect_oidc(other, idp.issuer, slug="evil")
    assert through(client, idp, theirs, "ada").status_code == 403
    idp.tell("ada", email="ada@evil.example")
    through(client, idp, theirs, "ada")
    assert User.objects.get(pk=_signed_in(client)).email == "ada@evil.example"


# What the protocol wants ----------------------------------------------------------------------------------


def test_an_answer_without_a_sign_in_that_was_begun_in_this_browser_is_refused(client, idp, sign_on):
    idp.tell("ada")
    there = idp.sign_in(begin(client, sign_on), "ada")
    client.cookies.clear()
    _refused(come_back(client, there), "could not be accepted")


def test_an_answer_is_good_once(client, idp, sign_on):
    idp.tell("ada")
    there = idp.sign_in(begin(client, sign_on), "ada")
    come_back(client, there)
    client.logout()
    assert come_back(client, there).status_code == 403


def test_somebody_elses_code_is_refused(client, idp, sign_on):
    """A code that was made for another sign-in bears its nonce and its challenge."""
    idp.tell("mallory")
    idp.tell("ada")
    code = parse_qs(urlsplit(idp.sign_in(begin(client, sign_on), "mallory")).query)["code"][0]
    ours = parse_qs(urlsplit(idp.sign_in(begin(client, sign_on), "ada")).query)["state"][0]
    page = reverse("sso_callback", args=[sign_on.organization_id])
    assert client.get(page, {"code": code, "state": ours}).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.evil.example"},
        {"aud": "another-client"},
        {"aud": ["marketplace", "another-client"]},
        {"aud": ["marketplace", "another-client"], "azp": "another-client"},
        {"exp": int(time.time()) - 120},
        {"iat": int(time.time()) + 3600},
        {"nonce": "another-sign-in"},
        {"nonce": None},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_for_us_now_is_refused(client, idp, sign_on, claims):
    idp.tell("ada", **claims)
    assert through(client, idp, sign_on, "ada").status_code == 403
    assert _signed_in(client) is None


def _signed_anew(key, algorithm):
    def change(answer):
        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        return answer | {"id_token": jwt.encode(claims, key, algorithm)}

    return change


@pytest.mark.parametrize("how", ["another key", "our own secret", "none", "no token", "not a token"])
def test_an_id_token_that_the_provider_has_not_signed_is_refused(client, idp, sign_on, how):
    idp.tell("ada")
    idp.says["/token"] = {
        "another key": _signed_anew(rsa.generate_private_key(65537, 2048), "RS256"),
        "our own secret": _signed_anew("a-client-secret-that-is-long-enough-for-it", "HS256"),
        "none": _signed_anew(None, "none"),
        "no token": lambda answer: {name: value for name, value in answer.items() if name != "id_token"},
        "not a token": lambda answer: answer | {"id_token": "a.b.c"},
    }[how]
    assert through(client, idp, sign_on, "ada").status_code == 403
    assert _signed_in(client) is None


def test_a_provider_that_calls_itself_otherwise_is_refused(client, idp, sign_on):
    idp.says["/openid-configuration"] = lambda said: said | {"issuer": "https://login.evil.example"}
    answer = client.get(reverse("sso_go", args=[sign_on.slug]))
    assert answer.status_code == 403
    assert "calls itself" in SignOnUse.objects.get().reason


def test_a_provider_whose_addresses_lie_inside_is_not_asked(client, idp, sign_on):
    idp.says["/openid-configuration"] = lambda said: said | {"token_endpoint": "http://127.0.0.1:1/token"}
    assert client.get(reverse("sso_go", args=[sign_on.slug])).status_code == 403


def test_a_provider_that_is_away_is_said_so(client, idp, sign_on, settings):
    settings.MARKETPLACE_WEBHOOK_TRUSTED = frozenset()
    answer = client.get(reverse("sso_go", args=[sign_on.slug]))
    assert answer.status_code == 502
    assert "cannot be reached" in answer.text


def test_what_the_userinfo_says_must_be_about_the_same_person(client, idp, sign_on):
    idp.says["/userinfo"] = lambda said: said | {"sub": "mallory", "email": f"boss@{DOMAIN}"}
    idp.tell("ada", email=None)
    assert through(client, idp, sign_on, "ada").status_code == 403
    idp.says["/userinfo"] = lambda said: said | {"email": f"ada@{DOMAIN}"}
    through(client, idp, sign_on, "ada")
    assert _signed_in(client) is not None


def test_who_leaves_there_is_told_that_nothing_happened(client, idp, sign_on):
    there = parse_qs(urlsplit(begin(client, sign_on)).query)
    page = reverse("sso_callback", args=[sign_on.organization_id])
    answer = client.get(page, {"error": "access_denied", "state": there["state"][0]})
    _refused(answer, "before you had signed in there")


@pytest.mark.parametrize("path", ["3rdparty/", "3rdparty/signup/", "social/signup/", "oidc/x/login/", "saml/x/login/"])
def test_the_librarys_own_pages_for_other_accounts_are_not_there(client, path):
    assert client.get(f"/accounts/{path}").status_code == 404
