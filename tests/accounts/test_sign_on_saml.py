"""Signing in by SAML: what a provider has signed for us, now and for this very request; and everything else is refused."""

import base64
import re

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names

from accounts.models import SignOnOutcome, SignOnUse, User
from accounts.sso import saml
from tests.organizations import make_organization
from tests.signing_in import confirm
from tests.single_sign_on import (
    DOMAIN,
    SAMLResponse,
    approve,
    asked_id,
    begin,
    connect_saml,
    key_pair,
    post_response,
)

XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def sign_on(buyer, now):
    organization = make_organization(confirm(buyer))
    approve(organization, now=now)
    return connect_saml(organization)


def _answer(client, sign_on, **said):
    """Begin a sign-in, and come back with what the provider says."""
    return post_response(client, sign_on, SAMLResponse(sign_on, asked_id(begin(client, sign_on)), **said).xml())


def _refused(client, answer, reason: str) -> None:
    assert answer.status_code == 403, answer.text
    assert "_auth_user_id" not in client.session
    assert not User.objects.filter(email__endswith=DOMAIN).exists()
    assert reason in SignOnUse.objects.get(outcome=SignOnOutcome.REFUSED).reason


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
def test_a_signed_answer_to_our_request_signs_in(client, sign_on, signs):
    answer = _answer(client, sign_on, signs=signs)
    assert answer.status_code == 302, answer.text
    user = User.objects.get(pk=client.session["_auth_user_id"])
    assert user.email == f"ada@{DOMAIN}"
    assert user.memberships.get().organization == sign_on.organization


def test_while_the_provider_changes_its_key_both_are_good(client, sign_on):
    sign_on.certificates = key_pair("former")[1] + key_pair("idp")[1]
    sign_on.save()
    assert _answer(client, sign_on).status_code == 302


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"signs": "nothing"}, "No Signature found"),
        ({"signer": "another"}, "Signature validation failed"),
        ({"signer": "another", "signs": "response"}, "Signature validation failed"),
        ({"audience": "https://another.example/metadata"}, "not a valid audience"),
        ({"audience": ""}, "does not say that it is for us"),
        ({"recipient": "https://another.example/acs/"}, "SubjectConfirmation"),
        ({"recipient": ""}, "not for this address"),
        ({"destination": "https://another.example/acs/"}, "instead of https://another.example"),
        ({"issuer": "https://idp.another.example"}, "Invalid issuer"),
        ({"good_for": -120}, "expired"),
        ({"good_from": 120}, "not yet valid"),
        ({"in_response_to": False}, "not for this address and this request"),
        ({"digest": Names.SHA1}, "Deprecated digest"),
        ({"algorithm": Names.RSA_SHA1}, "not accepted"),
        ({"email": "ada@elsewhere.example"}, "is none of them"),
    ],
    ids=str,
)
def test_what_is_not_signed_for_us_now_is_refused(client, sign_on, said, reason):
    _refused(client, _answer(client, sign_on, **said), reason)


def test_a_recipient_that_only_begins_like_ours_is_refused(client, sign_on):
    """The library looks whether our address is in it."""
    here = saml.acs_url(sign_on.organization_id)
    _refused(client, _answer(client, sign_on, recipient=f"{here}?to=https://another.example"), "not for this address")


def test_an_answer_that_nobody_asked_for_is_refused(client, sign_on):
    _refused(client, post_response(client, sign_on, SAMLResponse(sign_on, "").xml()), "Nobody asked for it")


def test_an_answer_to_a_request_of_another_browser_is_refused(client, sign_on):
    request_id = asked_id(begin(Client(), sign_on))
    _refused(client, post_response(client, sign_on, SAMLResponse(sign_on, request_id).xml()), "begun in this browser")


def test_the_same_answer_twice_is_refused(client, sign_on):
    xml = SAMLResponse(sign_on, asked_id(begin(client, sign_on))).xml()
    assert post_response(client, sign_on, xml).status_code == 302
    client.logout()
    assert post_response(client, sign_on, xml).status_code == 403


def test_the_same_assertion_to_another_request_is_refused_even_where_the_state_is_there(client, sign_on):
    """What is in the session alone would not do: an assertion is kept in mind, too."""
    said = SAMLResponse(sign_on, asked_id(begin(client, sign_on)), assertion_id="_the-same")
    assert post_response(client, sign_on, said.xml()).status_code == 302
    client.logout()
    again = SAMLResponse(sign_on, asked_id(begin(client, sign_on)), assertion_id="_the-same")
    assert post_response(client, sign_on, again.xml()).status_code == 403
    assert "used before" in SignOnUse.objects.get(outcome=SignOnOutcome.REFUSED).reason


def _forged(signed: str) -> str:
    """An assertion that nobody has signed, about somebody else."""
    return signed.replace(f"ada@{DOMAIN}", f"boss@{DOMAIN}")


def _wrapped(xml: str, how: str) -> str:
    """The signed assertion stays whole somewhere, and another one stands where it stood (XML signature wrapping)."""
    tree = etree.fromstring(xml.encode())
    (assertion,) = tree.iter(f"{{{Names.NS_SAML}}}Assertion")
    evil = etree.fromstring(_forged(etree.tostring(assertion).decode()).encode())
    (signature,) = evil.iter(f"{{{Names.NS_DS}}}Signature")
    evil.remove(signature)
    if how != "same id":
        evil.set("ID", "_evil")
    if how in ("before", "same id"):
        assertion.addprevious(evil)
    elif how == "around":
        tree.replace(assertion, evil)
        evil.append(assertion)
    elif how == "in the signature":
        tree.replace(assertion, evil)
        (signed,) = assertion.iter(f"{{{Names.NS_DS}}}Signature")
        evil.insert(1, signed)
        inside = etree.SubElement(signed, f"{{{Names.NS_DS}}}Object")
        inside.append(assertion)
    elif how == "in the extensions":
        extensions = etree.Element(f"{{{Names.NS_SAMLP}}}Extensions")
        tree.replace(assertion, evil)
        tree.insert(1, extensions)
        extensions.append(assertion)
    return etree.tostring(tree).decode()


@pytest.mark.parametrize("how", ["before", "same id", "around", "in the signature", "in the extensions"])
def test_an_assertion_wrapped_around_a_signed_one_is_refused(client, sign_on, how):
    xml = SAMLResponse(sign_on, asked_id(begin(client, sign_on))).xml()
    answer = post_response(client, sign_on, _wrapped(xml, how))
    assert answer.status_code == 403
    assert not User.objects.filter(email__endswith=DOMAIN).exists()


def test_a_signed_assertion_that_was_changed_is_refused(client, sign_on):
    xml = SAMLResponse(sign_on, asked_id(begin(client, sign_on))).xml()
    _refused(client, post_response(client, sign_on, _forged(xml)), "Signature validation failed")


def test_a_comment_in_the_middle_cuts_no_address_off(client, sign_on):
    """``boss@uni.example<!-- -->.evil.example`` is one address, and signed as another one."""
    answer = _answer(client, sign_on, email=f"boss@{DOMAIN}<!-- -->.evil.example")
    _refused(client, answer, "none of them")


def test_a_signature_with_a_stylesheet_in_it_is_not_even_looked_at(client, sign_on):
    xml = SAMLResponse(sign_on, asked_id(begin(client, sign_on))).xml()
    xml = re.sub(r'Algorithm="[^"]*"/>\s*</ds:Transforms>', f'Algorithm="{XSLT}"/></ds:Transforms>', xml)
    _refused(client, post_response(client, sign_on, xml), "not accepted")


@pytest.mark.parametrize(
    "xml",
    [
        "not XML",
        "<a/>",
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r>&e;</r>',
        f'<samlp:Response xmlns:samlp="{Names.NS_SAMLP}"/>',
    ],
)
def test_what_is_no_response_is_refused(client, sign_on, xml):
    assert post_response(client, sign_on, xml).status_code == 403


def test_what_is_too_long_is_not_kept(client, sign_on):
    page = reverse("sso_acs", args=[sign_on.organization_id])
    posted = client.post(page, {"SAMLResponse": base64.b64encode(b"x" * 200_000).decode()})
    assert "saml_response" not in posted.cookies
    assert client.get(posted["Location"]).status_code == 403


def test_who_comes_with_an_identifier_for_one_visit_is_known_by_their_address(client, sign_on, monkeypatch):
    for visit in ("_first", "_second"):
        said = SAMLResponse(sign_on, asked_id(begin(client, sign_on)), name_id=visit)
        whole = said.assertion().replace(Names.NAMEID_PERSISTENT, Names.NAMEID_TRANSIENT)
        monkeypatch.setattr(said, "assertion", lambda whole=whole: whole)
        assert post_response(client, sign_on, said.xml()).status_code == 302
        client.logout()
    assert SignOnUse.objects.filter(outcome=SignOnOutcome.SIGNED_IN).count() == 1


def test_our_metadata_says_where_responses_go_and_names_no_end(client, sign_on):
    answer = client.get(reverse("sso_metadata", args=[sign_on.organization_id]))
    tree = etree.fromstring(answer.content)
    assert tree.get("entityID") == f"{settings.SITE_URL}/accounts/sso/{sign_on.organization_id}/metadata/"
    assert tree.get("validUntil") is None
    (there,) = tree.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert there.get("Location") == saml.acs_url(sign_on.organization_id)
