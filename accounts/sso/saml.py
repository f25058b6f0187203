"""SAML 2.0 by python3-saml in its strict mode, and stricter where that leaves a thing open.

It takes a response without audience or recipient, a recipient that merely contains our address, clocks five minutes apart,
and lets the caller look after ``InResponseTo`` and after answers that come twice. django-allauth looks after the first of
these by the state that it keeps in the session; all the others are looked after here.
"""

import base64
import binascii
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import xmlsec
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from accounts.models import SingleSignOn
from accounts.sso.asserted import Asserted, ProviderMixin, WrongAssertion, text
from accounts.sso.certificates import in_pieces

#: Clocks may be so far apart, in seconds. It is the library's for all who use it; nobody else does.
LEEWAY = Names.ALLOWED_CLOCK_DRIFT = 60
#: Characters of a response as it is posted; one with a hundred groups in it has a tenth of that.
LONGEST = 100_000
#: What may stand in a signature. The library would let xmlsec apply whatever a stranger names, stylesheets included.
TRANSFORMS = frozenset(
    {"http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#"}
    | {"http://www.w3.org/2001/10/xml-exc-c14n#WithComments"}
)
SIGNATURES = frozenset(
    f"http://www.w3.org/2001/04/xmldsig-more#{kind}-sha{size}" for kind in ("rsa", "ecdsa") for size in (256, 384, 512)
)
#: What reading something that is no SAML response as one ends with.
NOT_SAML = (
    OneLogin_Saml2_Error,
    OneLogin_Saml2_ValidationError,
    WrongAssertion,
    etree.LxmlError,
    xmlsec.Error,
    binascii.Error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

SUBJECT_ID = (
    "urn:oasis:names:tc:SAML:attribute:subject-id",
    "urn:oasis:names:tc:SAML:attribute:pairwise-id",
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
)
EMAIL = (
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "urn:mace:dir:attribute-def:mail",
    "mail",
    "email",
)
NAME = (
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:mace:dir:attribute-def:displayName",
    "displayName",
)
GIVEN_NAME = ("urn:oid:2.5.4.42", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "givenName")
FAMILY_NAME = ("urn:oid:2.5.4.4", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "sn")


def acs_url(organization_id: UUID) -> str:
    """Where its provider has the browser post its responses."""
    return settings.SITE_URL + reverse("sso_acs", args=[organization_id])


def entity_id(organization_id: UUID) -> str:
    """What we are called at its provider: the address of our metadata."""
    return settings.SITE_URL + reverse("sso_metadata", args=[organization_id])


def _service(organization_id: UUID) -> dict[str, Any]:
    return {
        "entityId": entity_id(organization_id),
        "assertionConsumerService": {"url": acs_url(organization_id), "binding": Names.BINDING_HTTP_POST},
    }


def metadata(organization_id: UUID) -> bytes:
    """Ours, for its provider. It names no end: it holds no key that could be changed."""
    about = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": _service(organization_id),
            "security": {"metadataValidUntil": "", "metadataCacheDuration": "", "wantAssertionsSigned": True},
        },
        sp_validation_only=True,
    )
    found: str | bytes = about.get_sp_metadata()
    return found.encode() if isinstance(found, str) else found


def _config(sign_on: SingleSignOn) -> dict[str, Any]:
    return {
        "strict": True,
        "sp": _service(sign_on.organization_id),
        "idp": {
            "entityId": sign_on.issuer,
            "singleSignOnService": {"url": sign_on.sign_in_url, "binding": Names.BINDING_HTTP_REDIRECT},
            "x509certMulti": {"signing": in_pieces(sign_on.certificates)},
        },
        "security": {
            "requestedAuthnContext": False,
            "rejectDeprecatedAlgorithm": True,
            "wantAttributeStatement": False,
            "wantNameId": False,
            "allowRepeatAttributeName": True,
            "allowSingleLabelDomains": True,
        },
    }


def _request_at(url: str) -> dict[str, Any]:
    """As the library wants a request: at our own address, whatever the Host header says."""
    scheme, _separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return {
        "https": "on" if scheme == "https" else "off",
        "http_host": host,
        "script_name": slash + path,
        "path_info": "",
        "get_data": {},
        "post_data": {},
    }


class Response(OneLogin_Saml2_Response):  # type: ignore[misc]
    """A response to this very request, signed by this organization's provider, for us, of now.

    Raises:
        NOT_SAML: it is none.
    """

    def __init__(self, sign_on: SingleSignOn, posted: str) -> None:
        self.sign_on = sign_on
        super().__init__(OneLogin_Saml2_Settings(_config(sign_on)), posted)
        if self.encrypted:
            raise WrongAssertion("The assertion is encrypted. Have the provider sign it, and not encrypt it.")

    def verify(self, request_id: str) -> None:
        self._require_plain_signatures()
        here = acs_url(self.sign_on.organization_id)
        self.is_valid(_request_at(here), request_id=request_id, raise_exceptions=True)
        if self.get_in_response_to() != request_id:
            raise WrongAssertion("The response is to another request.")
        if self.document.get("Destination", here) != here:
            raise WrongAssertion("The response was sent to another address.")
        if entity_id(self.sign_on.organization_id) not in self.get_audiences():
            raise WrongAssertion("The assertion does not say that it is for us.")
        self._require_first_time(until=self._bearer_until(here, request_id))

    def _require_plain_signatures(self) -> None:
        """Before anything of it is computed: one reference each, and no transforms but the two that SAML knows (Core, 5.4)."""
        for signature in self._all("//ds:Signature"):
            if len(OneLogin_Saml2_XML.query(signature, ".//ds:Reference")) != 1:
                raise WrongAssertion("A signature of the response is not about one thing.")
        named = {node.get("Algorithm") for node in self._all("//ds:Transform")}
        methods = {node.get("Algorithm") for node in self._all("//ds:SignatureMethod")}
        if named - TRANSFORMS or methods - SIGNATURES:
            raise WrongAssertion("A signature of the response is made in a way that is not accepted.")

    def _all(self, path: str) -> list[Any]:
        found: list[Any] = OneLogin_Saml2_XML.query(self.document, path)
        return found

    def _bearer_until(self, here: str, request_id: str) -> float:
        """Until when whoever brings the assertion may use it (SAML profiles, 4.1.4.2), in seconds since 1970."""
        for confirmation in self._query_assertion("/saml:Subject/saml:SubjectConfirmation"):
            data = confirmation.find("saml:SubjectConfirmationData", namespaces=Names.NSMAP)
            if confirmation.get("Method") != Names.CM_BEARER or data is None:
                continue
            if data.get("Recipient") != here or data.get("InResponseTo") != request_id or not data.get("NotOnOrAfter"):
                continue
            until = float(OneLogin_Saml2_Utils.parse_SAML_to_time(data.get("NotOnOrAfter")))
            if until + LEEWAY > time.time():
                return until
        raise WrongAssertion("The assertion is not for this address and this request, or is too old.")

    def _require_first_time(self, *, until: float) -> None:
        key = f"saml-assertion:{self.sign_on.provider_id}:{self.get_assertion_id()}"
        if not cache.add(key, 1, timeout=max(until - time.time(), 0) + 2 * LEEWAY):
            raise WrongAssertion("The assertion was used before.")

    def asserted(self) -> Asserted:
        """What it says, once it is verified. An identifier for one visit identifies nobody: then the address does."""
        attributes = self.get_attributes()
        name_id, name_id_format = text(self.get_nameid()), self.get_nameid_format()
        email = _first(attributes, EMAIL) or (name_id if name_id_format == ADDRESS or "@" in name_id else "")
        lasting = "" if name_id_format == TRANSIENT else name_id
        given = f"{_first(attributes, GIVEN_NAME)} {_first(attributes, FAMILY_NAME)}".strip()
        return Asserted(
            uid=_first(attributes, SUBJECT_ID) or lasting or email.lower(),
            email=email,
            name=_first(attributes, NAME) or given,
            authenticated_at=self._authenticated_at(),
        )

    def _authenticated_at(self) -> float | None:
        for statement in self._query_assertion("/saml:AuthnStatement"):
            if statement.get("AuthnInstant"):
                return float(OneLogin_Saml2_Utils.parse_SAML_to_time(statement.get("AuthnInstant")))
        return None


def _first(attributes: dict[str, list[Any]], names: Iterable[str]) -> str:
    found = (text(value) for name in names for value in attributes.get(name, [])[:1])
    return next(filter(None, found), "")


class Provider(ProviderMixin, SAMLProvider):  # type: ignore[misc]
    """One organization's provider."""

    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None) -> Any:
        """Off to the provider. ``data``: with ``again``, whoever is signed in there has to show once more who they are."""
        sign_on = self.app.sign_on
        auth = OneLogin_Saml2_Auth(_request_at(acs_url(sign_on.organization_id)), _config(sign_on))
        there = auth.login(return_to="", force_authn=bool(data and data.get("again")))
        self.stash_redirect_state(request, process, next_url, data, state_id=auth.get_last_request_id())
        return HttpResponseRedirect(there)

    def asserted(self, response: Response) -> Asserted:
        return response.asserted()

    def finish(self, request: HttpRequest, posted: str) -> HttpResponse:
        """Finish the sign-in that a response answers, or say why it is none."""
        state = None
        try:
            response = Response(self.app.sign_on, posted)
            request_id = response.get_in_response_to()
            if not request_id:
                raise WrongAssertion("Nobody asked for it: sign-ins begin here, and not at the provider.")
            state = self.unstash_redirect_state(request, request_id)
            response.verify(request_id)
            login = self.sociallogin_from_response(request, response)
        except PermissionDenied:
            return self.failed(request, WrongAssertion("It is no answer to a sign-in that was begun in this browser."))
        except NOT_SAML as error:
            return self.failed(request, error, state)
        login.state = state
        answer: HttpResponse = complete_social_login(request, login)
        return answer


def is_response(posted: str) -> bool:
    """Whether it can be one at all: before it is kept for the next request."""
    try:
        return 0 < len(posted) <= LONGEST and bool(base64.b64decode(posted, validate=False))
    except ValueError:
        return False


provider_classes = [Provider]
