"""Setting up single sign-on, requiring it, and showing at the provider again who one is."""

from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.urls import reverse

from accounts.models import EmailDomain, Notification, OutgoingMail, SignOnOutcome, SignOnUse, SingleSignOn, User
from accounts.services import admittance, single_sign_on
from accounts.services.retention import forget_old
from accounts.services.sign_on_members import linked_to
from accounts.services.sign_on_refusals import SignInRefused
from accounts.sso.asserted import Asserted
from common.sealing import unseal
from tests.organizations import make_member, make_organization
from tests.people import DAY, make_user
from tests.signing_in import add_app, code_now, confirm, step_up
from tests.single_sign_on import (  # noqa: F401  # two of them are fixtures
    DOMAIN,
    SAMLResponse,
    approve,
    asked_id,
    connect_oidc,
    connect_saml,
    key_pair,
    oidc_server,
    one_that_is_trusted,
    post_response,
    through,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def organization(buyer):
    return make_organization(confirm(buyer))


@pytest.fixture
def boss(client, buyer):
    """The organization's administrator, who has just shown that it is them."""
    client.force_login(buyer)
    return step_up(client)


def _page(name, organization, *more):
    return reverse(name, args=[organization.pk, *more])


def _typed(issuer, **more):
    return {"slug": "uni", "first_role": "viewer", "issuer": issuer, "client_id": "marketplace"} | more


# Setting it up --------------------------------------------------------------------------------------------


def test_openid_connect_is_set_up_and_its_secret_shown_to_nobody(boss, organization, idp):
    page = _page("sign_on_edit", organization, "oidc")
    assert "Redirect address" in boss.get(page).text
    answer = boss.post(page, _typed(idp.issuer, secret="very-secret"))
    assert answer["Location"] == _page("organization_sign_on", organization)
    row = organization.single_sign_on
    assert (row.issuer, row.first_role, unseal(row.sealed_secret)) == (idp.issuer, "viewer", "very-secret")
    for shown in (boss.get(answer["Location"]), boss.get(page)):
        assert "very-secret" not in shown.text
    boss.post(page, _typed(idp.issuer))
    row.refresh_from_db()
    assert unseal(row.sealed_secret) == "very-secret"


@pytest.mark.parametrize(
    ("issuer", "sentence"),
    [
        ("http://login.uni.example", "begins with https://"),
        ("https://127.0.0.1", "not on the public Internet"),
        ("https://login.uni.example:22", "Only these ports"),
        ("https://me:you@login.uni.example", "Leave out the name and password"),
        ("nonsense", "not a whole address"),
    ],
)
def test_nothing_is_asked_at_an_address_inside(boss, organization, issuer, sentence):
    answer = boss.post(_page("sign_on_edit", organization, "oidc"), _typed(issuer, secret="x"))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert not SingleSignOn.objects.exists()


def test_a_provider_that_does_not_answer_as_one_is_refused(boss, organization, idp):
    answer = boss.post(_page("sign_on_edit", organization, "oidc"), _typed(f"{idp.issuer}/other", secret="x"))
    assert answer.status_code == 422
    assert "answered with 404" in answer.text


def test_an_address_that_another_organization_has_is_taken(boss, organization, idp, other_buyer):
    connect_oidc(make_organization(other_buyer, "Other"))
    answer = boss.post(_page("sign_on_edit", organization, "oidc"), _typed(idp.issuer, secret="x"))
    assert answer.status_code == 422
    assert "Another organization has this address" in answer.text


def _metadata(certificate: str, *, kinds: int = 1) -> str:
    inside = "".join(certificate.splitlines()[1:-1])
    one = f"""<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
<ds:X509Certificate>{inside}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
 Location="https://idp.uni.example/sso"/></md:IDPSSODescriptor>"""
    return f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
 entityID="https://idp.uni.example/metadata">{one * kinds}</md:EntityDescriptor>"""


def test_saml_is_set_up_by_pasting_the_metadata_and_works(boss, client, organization, now):
    approve(organization, now=now)
    page = _page("sign_on_edit", organization, "saml")
    typed = {"slug": "uni", "first_role": "member", "metadata": _metadata(key_pair("idp")[1])}
    assert boss.post(page, typed).status_code == 302
    row = SingleSignOn.objects.get()
    assert (row.issuer, row.sign_in_url) == ("https://idp.uni.example/metadata", "https://idp.uni.example/sso")
    client.logout()
    there = client.get(reverse("sso_go", args=["uni"]))["Location"]
    assert there.startswith("https://idp.uni.example/sso?SAMLRequest=")
    assert post_response(client, row, SAMLResponse(row, asked_id(there)).xml()).status_code == 302


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Paste the metadata, or fill this in."),
        ({"metadata": "nonsense"}, "This is no metadata"),
        ({"metadata": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "This is no metadata"),
        ({"metadata": _metadata(key_pair("idp")[1], kinds=2)}, "does not describe one provider"),
        ({"metadata": _metadata("a\nnonsense\nb")}, "no certificate"),
        ({"issuer": "x", "sign_in_url": "javascript:alert(1)", "certificates": "x"}, "not a whole address"),
        ({"issuer": "x", "sign_in_url": "http://idp.uni.example", "certificates": "x"}, "begins with https://"),
        ({"issuer": "x", "sign_in_url": "https://idp.uni.example", "certificates": "x"}, "no certificate"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_does_not_describe_a_provider_is_refused(boss, organization, typed, sentence):
    answer = boss.post(_page("sign_on_edit", organization, "saml"), {"slug": "uni", "first_role": "member"} | typed)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_another_provider_knows_nobody_of_the_one_before(boss, organization, idp, now):
    row = connect_oidc(organization, "https://before.example", proved_at=now, is_required=True)
    SocialAccount.objects.create(user=organization.owner, provider=row.provider_id, uid="1")
    boss.post(_page("sign_on_edit", organization, "oidc"), _typed(idp.issuer, secret="x"))
    row.refresh_from_db()
    assert (row.proved_at, row.is_required, SocialAccount.objects.exists()) == (None, False, False)


def _told(user) -> list[str]:
    """What they were told of single sign-on, in the page and by mail."""
    keys = user.notifications.filter(key__startswith="sign-on-").values_list("key", flat=True)
    assert set(OutgoingMail.objects.filter(user=user, key__startswith="sign-on-").values_list("key", flat=True)) == set(
        keys
    )
    return sorted(key.split(":")[0] for key in keys)


def test_with_other_keys_whoever_looks_after_an_organization_is_not_known_any_more_and_told(
    organization, other_buyer, stranger, now
):
    """Who swaps the certificates is another provider by the same name."""
    make_member(organization, other_buyer, "administrator")
    make_member(organization, stranger)
    row = connect_saml(organization)
    for user in (organization.owner, other_buyer, stranger):
        SocialAccount.objects.create(user=user, provider=row.provider_id, uid=user.email)
    typed = {"slug": row.slug, "first_role": "member", "issuer": row.issuer, "sign_in_url": row.sign_in_url}
    save = partial(single_sign_on.save_saml, organization=organization, by=other_buyer, now=now, **typed)
    save(certificates=row.certificates)
    assert SocialAccount.objects.count() == 3
    assert _told(organization.owner) == []
    save(certificates=key_pair("another")[1])
    assert SocialAccount.objects.get().user == stranger
    assert _told(organization.owner) == _told(other_buyer) == ["sign-on-saved"]
    assert _told(stranger) == []


meanwhile = pytest.mark.parametrize(
    ("connect", "change"),
    [
        (connect_oidc, {"issuer": "https://another.example"}),
        (connect_oidc, {"client_id": "another"}),
        (connect_oidc, {"sealed_secret": "another"}),
        (connect_saml, {"certificates": "another"}),
        (connect_saml, {"sign_in_url": "https://another.example"}),
        (connect_saml, None),
    ],
)


@meanwhile
def test_a_provider_that_was_changed_meanwhile_is_not_believed(organization, connect, change, now):
    """It is asked before anything is locked: what it says is good for the connection by which it was asked."""
    approve(organization, now=now)
    believed = connect(organization)
    rows = SingleSignOn.objects.filter(pk=believed.pk)
    rows.update(**change) if change else rows.delete()
    said = Asserted(uid="ada", email=f"ada@{DOMAIN}", name="Ada")
    with pytest.raises(SignInRefused, match="was changed while you were there"):
        admittance.admit(sign_on=believed, said=said, signed_in=None, now=now)
    assert not SocialAccount.objects.exists()
    assert not User.objects.filter(email=said.email).exists()
    assert not rows.exclude(proved_at=None).exists()
    assert organization.sign_on_uses.get().outcome == SignOnOutcome.REFUSED


def test_only_administrators_set_it_up_and_show_first_that_it_is_them(client, organization, buyer, other_buyer, now):
    make_member(organization, other_buyer, "billing")
    client.force_login(other_buyer)
    assert client.get(_page("organization_sign_on", organization)).status_code == 403
    client.force_login(buyer)
    domain = approve(organization, now=now)
    for page in (
        _page("sign_on_edit", organization, "oidc"),
        _page("sign_on_require", organization),
        _page("sign_on_remove", organization),
        _page("sign_on_domain_add", organization),
        _page("sign_on_domain_remove", organization, domain.pk),
    ):
        assert client.post(page)["Location"].startswith("/accounts/reauthenticate/")
    assert client.get(_page("sign_on_edit", organization, "ldap")).status_code == 404


def test_a_domain_counts_once_a_platform_administrator_has_approved_it(boss, organization, administrator, now):
    page = _page("sign_on_domain_add", organization)
    assert boss.post(page, {"domain": " @Münster.example. "}).status_code == 302
    domain = organization.email_domains.get()
    assert (domain.domain, domain.approved_at) == ("xn--mnster-3ya.example", None)
    assert Notification.objects.filter(user=administrator, key=f"domain-asked:{domain.pk}").exists()
    assert "in the list already" in boss.post(page, {"domain": "münster.example"}).text
    assert boss.post(page, {"domain": "no domain"}).status_code == 422
    single_sign_on.approve_domain(domain=domain, by=administrator, now=now)
    assert Notification.objects.filter(user=organization.owner, key__startswith="domain-approved").exists()


def test_a_domain_belongs_to_one_organization(boss, organization, administrator, other_buyer, now):
    taken = approve(make_organization(other_buyer, "Other"), now=now)
    answer = boss.post(_page("sign_on_domain_add", organization), {"domain": DOMAIN})
    assert "belongs to another organization" in answer.text
    both = EmailDomain.objects.create(organization=organization, domain=DOMAIN)
    with pytest.raises(single_sign_on.SignOnError):
        single_sign_on.approve_domain(domain=both, by=administrator, now=now)
    single_sign_on.withdraw_domain(domain=taken, by=administrator)
    single_sign_on.approve_domain(domain=both, by=administrator, now=now)


def test_an_organizations_administrator_approves_no_domain(organization, buyer, now):
    domain = EmailDomain.objects.create(organization=organization, domain=DOMAIN)
    with pytest.raises(Exception, match="Only a platform administrator"):
        single_sign_on.approve_domain(domain=domain, by=buyer, now=now)


def test_domains_are_approved_and_withdrawn_in_the_administration_with_a_reason(
    client, organization, administrator, now
):
    domain = EmailDomain.objects.create(organization=organization, domain=DOMAIN)
    client.force_login(administrator)
    page = reverse("admin:accounts_emaildomain_changelist")
    for action, approved in (("approve", True), ("withdraw", False)):
        chosen = {"action": action, "_selected_action": [str(domain.pk)]}
        assert "Institute of Computing" in client.post(page, chosen).text
        assert client.post(page, chosen | {"decided": "yes", "reason": "Asked the postmaster."}).status_code == 302
        domain.refresh_from_db()
        assert bool(domain.approved_at) == approved


# Requiring it ---------------------------------------------------------------------------------------------


def test_it_is_required_only_once_it_has_worked_and_a_domain_is_approved(boss, organization, now):
    page, typed = _page("sign_on_require", organization), {"required": "yes"}
    row = connect_oidc(organization)
    assert "Nobody has signed in by it" in boss.post(page, typed, follow=True).text
    SingleSignOn.objects.update(proved_at=now)
    assert "None of your domains is approved" in boss.post(page, typed, follow=True).text
    approve(organization, now=now)
    boss.post(page, typed)
    row.refresh_from_db()
    assert row.is_required
    boss.post(page, {"required": "no"})
    row.refresh_from_db()
    assert not row.is_required
    boss.post(_page("sign_on_remove", organization))
    assert _told(organization.owner) == ["sign-on-removed", "sign-on-required", "sign-on-required"]


# Showing again who one is ---------------------------------------------------------------------------------


@pytest.fixture
def came(client, organization, idp, now):
    """Somebody who came by the idp, and has neither a password nor a second factor."""
    approve(organization, now=now)
    row = connect_oidc(organization, idp.issuer)
    idp.tell("ada")
    through(client, idp, row, "ada")
    return row


def _again(client, idp, sub):
    sent = client.get(reverse("sso_again_go"), {"next": reverse("mfa_add_webauthn")})["Location"]
    assert "prompt=login" in sent
    assert "max_age=0" in sent
    back = idp.sign_in(sent, sub)
    return client.get(back[back.index("/accounts/") :])


def test_they_show_it_at_the_provider(client, came, idp):
    asked = client.get(reverse("mfa_add_webauthn"))["Location"]
    assert asked.startswith(reverse("sso_again"))
    page = client.get(asked)
    assert "asks you once more" in page.text
    assert "Have a code mailed" in page.text
    assert _again(client, idp, "ada")["Location"] == reverse("mfa_add_webauthn")
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
    assert SignOnUse.objects.filter(outcome=SignOnOutcome.CONFIRMED).count() == 1


def test_what_was_posted_is_done_afterwards(client, came, idp):
    client.post(reverse("account_email"), {"action_add": "", "email": "new@example.com"})
    sent = client.get(reverse("sso_again_go"), {"next": reverse("account_email")})["Location"]
    back = idp.sign_in(sent, "ada")
    assert client.get(back[back.index("/accounts/") :])["Location"] == reverse("account_email_verification_sent")


def test_somebody_else_at_the_provider_shows_nothing(client, came, idp):
    idp.tell("bob")
    assert _again(client, idp, "bob").status_code == 403
    assert client.get(reverse("mfa_add_webauthn")).status_code == 302
    assert not User.objects.filter(email=f"bob@{DOMAIN}").exists()


def test_a_provider_that_does_not_ask_again_shows_nothing(client, came, idp):
    idp.tell("ada", auth_time=1_700_000_000)
    answer = _again(client, idp, "ada")
    assert answer.status_code == 403
    assert "did not ask you again" in answer.text
    for way in ("sso_again", "step_up_by_mail"):
        assert f'href="{reverse(way)}?next={reverse("mfa_add_webauthn")}"' in answer.text


def test_who_turns_back_there_is_asked_again_and_not_to_sign_in(client, came):
    sent = client.get(reverse("sso_again_go"), {"next": "/bookings/"})["Location"]
    state = parse_qs(urlsplit(sent).query)["state"][0]
    page = reverse("sso_callback", args=[came.organization_id])
    answer = client.get(page, {"error": "access_denied", "state": state})
    assert "You left before you had signed in there." in answer.text
    assert f'href="{reverse("sso_again")}?next=/bookings/"' in answer.text
    assert reverse("sso_entrance", args=["uni"]) not in answer.text


@pytest.fixture
def known(organization, now):
    """A member whom the provider knows; and what it says of them when they were asked again, just now."""
    approve(organization, now=now)
    ada = confirm(make_user(f"ada@{DOMAIN}", "buyer"))
    make_member(organization, ada)
    said = Asserted(uid="ada", email=ada.email, authenticated_at=now.timestamp())
    return partial(admittance.confirm_again, said=said, user=ada, began=now.timestamp(), now=now), ada


def _linked(sign_on, user):
    SocialAccount.objects.create(user=user, provider=sign_on.provider_id, uid="ada")
    return sign_on


@meanwhile
def test_what_a_provider_says_that_was_changed_meanwhile_shows_nothing(organization, known, connect, change):
    """Its accounts are still there, as those of members are after a change of its keys."""
    confirm_again, ada = known
    believed = _linked(connect(organization), ada)
    rows = SingleSignOn.objects.filter(pk=believed.pk)
    rows.update(**change) if change else rows.delete()
    with pytest.raises(SignInRefused, match="was changed while you were there"):
        confirm_again(sign_on=believed)
    assert organization.sign_on_uses.get().outcome == SignOnOutcome.REFUSED


def test_a_provider_that_speaks_for_the_domain_no_more_shows_nothing(organization, known):
    confirm_again, ada = known
    sign_on = _linked(connect_oidc(organization), ada)
    confirm_again(sign_on=sign_on)
    assert linked_to(ada) == sign_on
    organization.email_domains.update(approved_at=None)
    assert linked_to(ada) is None
    with pytest.raises(SignInRefused, match="own address is not one of"):
        confirm_again(sign_on=sign_on)


def test_saml_is_told_to_ask_again(client, organization, now):
    approve(organization, now=now)
    row = connect_saml(organization)
    post_response(
        client, row, SAMLResponse(row, asked_id(client.get(reverse("sso_go", args=["uni"]))["Location"])).xml()
    )
    for authenticated, status in ((-3600, 403), (0, 302)):
        sent = client.get(reverse("sso_again_go"), {"next": "/bookings/"})["Location"]
        said = SAMLResponse(row, asked_id(sent), authenticated=authenticated)
        assert post_response(client, row, said.xml()).status_code == status
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200


def test_a_second_factor_goes_before_the_provider(client, came):
    add_app(User.objects.get(email=f"ada@{DOMAIN}"))
    asked = client.get(reverse("mfa_add_webauthn"))["Location"]
    assert asked.startswith(reverse("mfa_reauthenticate"))
    assert client.get(reverse("sso_again"))["Location"] == reverse("mfa_reauthenticate")
    assert client.get(reverse("sso_again_go")).status_code == 404
    client.post(asked, {"code": code_now(), "next": reverse("mfa_add_webauthn")})
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200


def test_who_has_a_password_shows_it_and_is_not_sent_to_the_provider(client, came):
    user = User.objects.get(email=f"ada@{DOMAIN}")
    user.set_password("a-long-enough-password")
    user.save(update_fields=["password"])
    client.force_login(user)
    assert client.get(reverse("sso_again"))["Location"] == reverse("account_reauthenticate")
    assert client.get(reverse("sso_again_go")).status_code == 404


# What is written down -------------------------------------------------------------------------------------


def test_the_organizations_history_has_every_sign_in(client, came, organization, buyer):
    client.force_login(buyer)
    shown = client.get(_page("organization_history", organization)).text
    assert "Joined and signed in" in shown
    assert "Joined and signed in" in client.get(_page("organization_sign_on", organization)).text


def test_the_address_that_was_said_is_forgotten_in_time_and_that_somebody_came_stays(organization, now):
    organization.sign_on_uses.create(email="a@b.example", outcome="refused", at=now - 91 * DAY)
    organization.sign_on_uses.create(email="c@b.example", outcome="refused", at=now - 89 * DAY)
    forget_old(now=now)
    assert sorted(organization.sign_on_uses.values_list("email", flat=True)) == ["", "c@b.example"]
