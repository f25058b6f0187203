"""Where an organization requires its single sign-on: every other way in is closed to members, whatever else they own."""

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.urls import reverse

from accounts.models import Organization, OutgoingMail, User
from accounts.services import single_sign_on
from accounts.services.sign_on_members import required_of
from accounts.sso import shown
from tests.organizations import make_member, make_organization
from tests.passkeys import Passkey
from tests.people import PASSWORD, make_user
from tests.signing_in import add_app, add_codes, code_now, confirm, sign_in, step_up
from tests.single_sign_on import (  # noqa: F401  # two of them are fixtures
    DOMAIN,
    approve,
    connect_oidc,
    oidc_server,
    one_that_is_trusted,
    through,
)

pytestmark = pytest.mark.django_db

SECOND = "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def organization(buyer):
    return make_organization(confirm(buyer))


@pytest.fixture
def required(organization, idp, now):
    approve(organization, now=now)
    idp.tell("ada")
    return connect_oidc(organization, idp.issuer, proved_at=now, is_required=True)


@pytest.fixture
def ada(organization):
    """A member with a password, whom the provider has never signed in."""
    ada = confirm(make_user(f"ada@{DOMAIN}", "buyer"))
    make_member(organization, ada)
    return ada


def _signed_in(client) -> str | None:
    return client.session.get("_auth_user_id")


def _sent_to_the_provider(client, answer) -> None:
    assert answer.status_code == 403, answer
    assert "has decided that its members sign in at its own provider" in answer.text
    assert reverse("sso_go", args=["uni"]) in answer.text
    assert _signed_in(client) is None


# Every way in ---------------------------------------------------------------------------------------------


def test_a_member_of_the_domain_is_refused_with_a_password_and_told_where_to_go(client, required, ada):
    _sent_to_the_provider(client, sign_in(client, ada))


def test_a_member_of_the_domain_is_refused_with_a_passkey(client, required, ada, now):
    passkey = Passkey(ada)
    _sent_to_the_provider(client, passkey.sign_in(client))
    single_sign_on.remove_sign_on(organization=required.organization, by=required.organization.owner, now=now)
    assert passkey.sign_in(client).status_code == 302
    assert _signed_in(client) == str(ada.pk), "the passkey itself is good"


def test_the_link_for_a_new_password_signs_nobody_in_nor_does_that_password(client, required, ada):
    client.post(reverse("account_reset_password"), {"email": ada.email})
    mail = OutgoingMail.objects.get(user=ada, subject="Choose a new password")
    link = next(word for word in mail.text.split() if "/password/reset/key/" in word)
    form = client.get(f"/{link.split('/', 3)[3]}", follow=True).redirect_chain[-1][0]
    new = "plum tractor eleven moss"
    client.post(form, {"password1": new, "password2": new})
    assert _signed_in(client) is None
    _sent_to_the_provider(client, sign_in(client, ada, new))


@pytest.mark.parametrize("kind", ["a code of the app", "a recovery code"])
def test_a_second_factor_is_asked_for_after_the_provider_and_lets_nobody_in_without(client, required, ada, idp, kind):
    add_app(ada)
    codes = add_codes(ada)
    _sent_to_the_provider(client, sign_in(client, ada))
    code = code_now() if kind == "a code of the app" else codes[0]
    client.post(SECOND, {"code": code})
    assert _signed_in(client) is None
    assert through(client, idp, required, "ada")["Location"] == SECOND
    assert _signed_in(client) is None
    client.post(SECOND, {"code": code})
    assert _signed_in(client) == str(ada.pk)


def test_a_wrong_password_learns_nothing_of_it(client, required, ada):
    assert "There is no account with this address and this password." in sign_in(client, ada, "wrong").text


def test_a_member_does_not_get_around_it_by_another_primary_address(client, required, ada, organization, now):
    other = EmailAddress.objects.create(user=ada, email="ada@elsewhere.example", verified=True)
    client.force_login(ada)
    step_up(client)
    page, typed = reverse("account_email"), {"action_primary": "", "email": other.email}
    assert "that one stays the primary one" in client.post(page, typed, follow=True).text
    other.refresh_from_db()
    assert not other.primary
    single_sign_on.require_sign_on(organization=organization, by=organization.owner, is_required=False, now=now)
    client.post(page, typed)
    other.refresh_from_db()
    assert other.primary


def test_after_the_provider_they_are_where_they_were_going(client, required, ada, idp):
    typed = {"login": ada.email, "password": PASSWORD}
    page = client.post(reverse("account_login"), typed | {"next": "/bookings/"})
    _sent_to_the_provider(client, page)
    assert f"{reverse('sso_go', args=['uni'])}?next=%2Fbookings%2F" in page.text
    entrance = reverse("sso_entrance", args=["uni"])
    page = client.post(reverse("account_login"), typed | {"next": entrance})
    assert f'href="{reverse("sso_go", args=["uni"])}"' in page.text


# Whatever else they own -----------------------------------------------------------------------------------


def test_who_founds_an_organization_of_their_own_is_held_all_the_same(client, required, ada, idp):
    client.force_login(ada)
    client.post(reverse("organization_create"), {"name": "Ada's own", "kind": "company", "country": "DE"})
    assert Organization.objects.get(owner=ada).name == "Ada's own"
    client.logout()
    _sent_to_the_provider(client, sign_in(client, ada))
    through(client, idp, required, "ada")
    assert _signed_in(client) == str(ada.pk)
    assert SocialAccount.objects.get(user=ada).uid == "ada"
    client.logout()
    _sent_to_the_provider(client, sign_in(client, ada))


@pytest.fixture(params=["administrator", "owner of another", "administrator of another"])
def looks_after_one(request, ada, organization):
    if request.param == "administrator":
        ada.memberships.update(role="administrator")
    elif request.param == "owner of another":
        make_organization(ada, "Another")
    else:
        make_member(make_organization(organization.owner, "Another"), ada, "administrator")
    return ada


def test_who_looks_after_an_organization_shows_a_password_first_and_is_linked_at_the_provider(
    client, required, looks_after_one, idp
):
    """Nobody could be linked while they are signed in where that is refused; and the provider alone is not believed."""
    refused = through(client, idp, required, "ada")
    assert "show here that it is you" in refused.text
    assert "Sign in with a password or passkey" in refused.text
    assert "Try again" not in refused.text, "that alone does not help"
    assert not SocialAccount.objects.exists()
    _sent_to_the_provider(client, sign_in(client, looks_after_one))
    through(client, idp, required, "ada")
    assert _signed_in(client) == str(looks_after_one.pk)
    client.logout()
    through(client, idp, required, "ada")
    assert _signed_in(client) == str(looks_after_one.pk), "the provider knows them from now on"


def test_a_passkey_shows_it_as_a_password_does_and_is_not_asked_for_again(client, required, ada, idp):
    make_organization(ada, "Another")
    _sent_to_the_provider(client, Passkey(ada).sign_in(client))
    through(client, idp, required, "ada")
    assert _signed_in(client) == str(ada.pk)


def test_who_has_another_identifier_there_by_now_is_linked_anew_after_the_password(client, required, ada, idp):
    SocialAccount.objects.create(user=ada, provider=required.provider_id, uid="ada-before")
    assert "another identifier" in through(client, idp, required, "ada").text
    _sent_to_the_provider(client, sign_in(client, ada))
    through(client, idp, required, "ada")
    assert SocialAccount.objects.get(user=ada).uid == "ada"


@pytest.mark.parametrize(
    "what", ["for one answer", "for ten minutes", "until the password is another", "by one browser"]
)
def test_what_somebody_has_shown_is_good(client, required, ada, idp, what):
    make_organization(ada, "Another")
    before = client.session.session_key
    _sent_to_the_provider(client, sign_in(client, ada))
    if what == "for one answer":
        idp.tell("eve", email="eve@elsewhere.example")
        assert through(client, idp, required, "eve").status_code == 403
    elif what == "for ten minutes":
        session = client.session
        session[shown.KEY]["at"] -= shown.GOOD_FOR + 1
        session.save()
    elif what == "until the password is another":
        ada.set_password("plum tractor eleven moss")
        ada.save(update_fields=["password"])
    else:
        assert client.session.session_key != before, "who knew the key of this session has another one now"
        client.cookies.clear()
    assert "show here that it is you" in through(client, idp, required, "ada").text
    assert _signed_in(client) is None
    assert not SocialAccount.objects.exists()


def test_what_somebody_has_shown_opens_nobody_elses_account(client, required, ada, organization, idp):
    boss = confirm(make_user(f"boss@{DOMAIN}", "buyer"))
    make_member(organization, boss, "administrator")
    idp.tell("hostile", email=boss.email)
    sign_in(client, ada)
    assert "show here that it is you" in through(client, idp, required, "hostile").text
    assert _signed_in(client) is None


# Who is not held ------------------------------------------------------------------------------------------


def test_the_owner_gets_in_whatever_becomes_of_the_provider(client, required, organization):
    User.objects.filter(pk=organization.owner_id).update(email=f"owner@{DOMAIN}")
    organization.owner.refresh_from_db()
    EmailAddress.objects.update(email=organization.owner.email)
    SocialAccount.objects.create(user=organization.owner, provider=required.provider_id, uid="owner")
    assert sign_in(client, organization.owner).status_code == 302
    assert _signed_in(client) == str(organization.owner_id)


def test_who_hands_the_organization_on_is_held_from_then_on_and_the_new_owner_is_not(required, ada, organization):
    owner = organization.owner
    User.objects.filter(pk=owner.pk).update(email=f"owner@{DOMAIN}")
    owner.refresh_from_db()
    assert (required_of(owner), required_of(ada)) == (None, required)
    Organization.objects.filter(pk=organization.pk).update(owner=ada)
    assert (required_of(owner), required_of(ada)) == (required, None)


def test_of_two_organizations_only_the_one_of_their_address_requires_it(required, ada, other_buyer, now):
    other = make_organization(other_buyer, "Another")
    approve(other, "another.example", now=now)
    theirs = connect_oidc(other, slug="another", proved_at=now, is_required=True)
    make_member(other, ada)
    assert required_of(ada) == required
    assert required_of(other_buyer) is None
    User.objects.filter(pk=ada.pk).update(email="ada@another.example")
    ada.refresh_from_db()
    assert required_of(ada) == theirs
    ada.memberships.filter(organization=other).update(left_at=now)
    assert required_of(ada) is None


def test_members_with_another_address_and_outsiders_of_the_domain_are_not_asked(
    client, required, organization, other_buyer
):
    make_member(organization, confirm(other_buyer))
    assert sign_in(client, other_buyer).status_code == 302
    client.logout()
    outsider = confirm(make_user(f"outsider@{DOMAIN}", "buyer"))
    assert sign_in(client, outsider).status_code == 302


def test_who_was_removed_is_not_held_to_it(client, required, ada, now):
    ada.memberships.update(left_at=now)
    assert sign_in(client, ada).status_code == 302


def test_who_administers_the_marketplace_is_not_held_to_it(client, required, ada):
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    assert sign_in(client, ada).status_code == 302


def test_removing_it_frees_everybody(client, required, organization, ada, now):
    single_sign_on.remove_sign_on(organization=organization, by=organization.owner, now=now)
    assert sign_in(client, ada).status_code == 302
