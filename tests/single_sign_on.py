"""Single sign-on in tests: a real provider of OpenID Connect, which runs as a server, and what one of SAML signs."""

import base64
import json
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.cookies import SimpleCookie
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from accounts.models import EmailDomain, Organization, SignOnKind, SingleSignOn
from accounts.sso import saml
from common.sealing import seal

DOMAIN = "uni.example"


def approve(organization: Organization, domain: str = DOMAIN, *, now: datetime) -> EmailDomain:
    return EmailDomain.objects.create(organization=organization, domain=domain, approved_at=now)


def connect_oidc(organization: Organization, issuer: str = "https://login.uni.example", **fields: Any) -> SingleSignOn:
    values = {"slug": "uni", "client_id": "marketplace", "sealed_secret": seal("a-client-secret")}
    return SingleSignOn.objects.create(
        organization=organization, kind=SignOnKind.OIDC, issuer=issuer, **(values | fields)
    )


class OIDCProvider:
    """A running one, at which people sign in by naming themselves."""

    def __init__(self) -> None:
        import oidc_provider_mock  # a second to import, for the few tests that need it

        self.app = oidc_provider_mock.app(require_nonce=True)
        self.issuer = ""
        #: Makes another answer of one of its pages, by the end of its address: for what a hostile one would say.
        self.says: dict[str, Callable[[Any], Any]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        changed = next((change for end, change in self.says.items() if environ["PATH_INFO"].endswith(end)), None)
        if changed is None:
            return self.app.wsgi_app(environ, start_response)  # type: ignore[return-value]
        answer = Response.from_app(self.app.wsgi_app, environ)
        other = Response(json.dumps(changed(answer.get_json(force=True))), content_type="application/json")
        return other(environ, start_response)

    def tell(self, who: str, **claims: Any) -> None:
        """What it says of somebody from now on; what else ID tokens hold can be said wrongly, too."""
        said = {"email": f"{who}@{DOMAIN}", "email_verified": True, "name": who.title()} | claims
        requests.put(f"{self.issuer}/users/{who}", json=said, timeout=5).raise_for_status()

    def sign_in(self, address: str, sub: str) -> str:
        """Sign in there, at the address that the browser was sent to; where it is sent back to."""
        answer = requests.post(address, data={"sub": sub}, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


@contextmanager
def oidc_provider() -> Iterator[OIDCProvider]:
    provider = OIDCProvider()
    server = make_server("localhost", 0, provider, threaded=True)
    provider.issuer = f"http://localhost:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="session")
def oidc_server() -> Iterator[OIDCProvider]:
    """One for all tests: it starts in no time, and its key takes some."""
    with oidc_provider() as running:
        yield running


@pytest.fixture(name="idp")
def one_that_is_trusted(oidc_server: OIDCProvider, settings: Any) -> Iterator[OIDCProvider]:
    """It runs inside and speaks plain HTTP, which nobody else may."""
    settings.MARKETPLACE_WEBHOOK_TRUSTED = {urlsplit(oidc_server.issuer).netloc}
    yield oidc_server
    oidc_server.says.clear()


def begin(client: Client, sign_on: SingleSignOn, **query: str) -> str:
    """Where the browser is sent to."""
    answer = client.get(reverse("sso_go", args=[sign_on.slug]), query)
    assert answer.status_code == 302, answer.text
    return answer["Location"]


def through(client: Client, provider: OIDCProvider, sign_on: SingleSignOn, sub: str, **query: str) -> HttpResponse:
    """The whole way: from here to the provider, and back."""
    return come_back(client, provider.sign_in(begin(client, sign_on, **query), sub))


def come_back(client: Client, there: str) -> HttpResponse:
    parts = urlsplit(there)
    return client.get(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})


# SAML -----------------------------------------------------------------------------------------------------


@cache
def key_pair(name: str) -> tuple[str, str]:
    """Of a provider of SAML: its private key, and the certificate of it, as PEM."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, begun, begun + timedelta(days=3650))
    certificate = made.sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()


def connect_saml(organization: Organization, **fields: Any) -> SingleSignOn:
    values = {
        "slug": "uni",
        "issuer": "https://idp.uni.example/metadata",
        "sign_in_url": "https://idp.uni.example/sso",
        "certificates": key_pair("idp")[1],
    }
    return SingleSignOn.objects.create(organization=organization, kind=SignOnKind.SAML, **(values | fields))


def asked_id(there: str) -> str:
    """The id of the request that the browser was sent off with."""
    packed = parse_qs(urlsplit(there).query)["SAMLRequest"][0]
    return str(etree.fromstring(zlib.decompress(base64.b64decode(packed), -15)).get("ID"))


def saml_time(seconds: float = 0) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class SAMLResponse:
    """What a provider answers to a request; each of its parts can be said wrongly."""

    sign_on: SingleSignOn
    request_id: str
    email: str = f"ada@{DOMAIN}"
    name_id: str = "ada"
    audience: str | None = None
    recipient: str | None = None
    destination: str | None = None
    issuer: str | None = None
    #: Seconds from now on until which it is good, and from which.
    good_for: float = 300
    good_from: float = -30
    authenticated: float = 0
    signs: str = "assertion"
    signer: str = "idp"
    digest: str = Names.SHA256
    algorithm: str = Names.RSA_SHA256
    in_response_to: bool = True
    assertion_id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")

    def assertion(self) -> str:
        here, organization = saml.acs_url(self.sign_on.organization_id), self.sign_on.organization_id
        asked = f' InResponseTo="{self.request_id}"' if self.in_response_to else ""
        recipient = here if self.recipient is None else self.recipient
        said_to = f' Recipient="{recipient}"' if recipient else ""
        audience = saml.entity_id(organization) if self.audience is None else self.audience
        only_for = f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
        return f"""<saml:Assertion xmlns:saml="{Names.NS_SAML}" ID="{self.assertion_id}" Version="2.0"
 IssueInstant="{saml_time()}"><saml:Issuer>{self.issuer or self.sign_on.issuer}</saml:Issuer><saml:Subject>
<saml:NameID Format="{Names.NAMEID_PERSISTENT}">{self.name_id}</saml:NameID>
<saml:SubjectConfirmation Method="{Names.CM_BEARER}"><saml:SubjectConfirmationData{said_to}{asked}
 NotOnOrAfter="{saml_time(self.good_for)}"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{saml_time(self.good_from)}" NotOnOrAfter="{saml_time(self.good_for)}">
{only_for if audience else ""}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{saml_time(self.authenticated)}"><saml:AuthnContext><saml:AuthnContextClassRef>
urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3">
<saml:AttributeValue>{self.email}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"""

    def xml(self) -> str:
        assertion = self.assertion()
        if self.signs in ("assertion", "both"):
            assertion = self._signed(assertion)
        asked = f' InResponseTo="{self.request_id}"' if self.request_id else ""
        there = self.destination or saml.acs_url(self.sign_on.organization_id)
        whole = f"""<samlp:Response xmlns:samlp="{Names.NS_SAMLP}" xmlns:saml="{Names.NS_SAML}" ID="_response"
 Version="2.0" IssueInstant="{saml_time()}" Destination="{there}"{asked}>
<saml:Issuer>{self.issuer or self.sign_on.issuer}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="{Names.STATUS_SUCCESS}"/></samlp:Status>{assertion}</samlp:Response>"""
        return self._signed(whole) if self.signs in ("response", "both") else whole

    def _signed(self, xml: str) -> str:
        made = OneLogin_Saml2_Utils.add_sign(
            xml, *key_pair(self.signer), sign_algorithm=self.algorithm, digest_algorithm=self.digest
        )
        return made.decode() if isinstance(made, bytes) else str(made)


def post_response(client: Client, sign_on: SingleSignOn, xml: str) -> HttpResponse:
    """As the provider's page has the browser post it: with no cookie of ours; then the browser comes with all of them."""
    page = reverse("sso_acs", args=[sign_on.organization_id])
    ours, client.cookies, client.handler.enforce_csrf_checks = client.cookies, SimpleCookie(), True
    posted = client.post(page, {"SAMLResponse": base64.b64encode(xml.encode()).decode()})
    ours.update(client.cookies)
    client.cookies, client.handler.enforce_csrf_checks = ours, False
    assert posted.status_code == 302, posted.text
    return client.get(posted["Location"])
