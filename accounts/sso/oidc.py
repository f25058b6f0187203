"""OpenID Connect, stricter than django-allauth is by itself.

It gets the code, the state and PKCE right, but trusts an ID token for having come over TLS, has no nonce, and prefers what
``/userinfo`` says, whoever that is about. Here the ID token is verified (OpenID Connect Core 1.0, 3.1.3.7): signature,
issuer, audience, times, nonce; ``/userinfo`` is asked only for what it lacks, and must be about the same person.
"""

import secrets
from typing import Any
from uuid import UUID

import jwt
import requests
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.models import SingleSignOn
from accounts.sso.asserted import Asserted, ProviderMixin, text
from accounts.sso.network import Unreachable, outward_session
from common import outward

WELL_KNOWN = "/.well-known/openid-configuration"
#: Clocks may be so far apart, in seconds.
LEEWAY = 60
#: What ID tokens may be signed with. Neither ``none`` nor the client's own secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Where the browser is sent, and what is asked: without each of them nobody can sign in.
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


#: What ``/userinfo`` may say where the ID token has no address. Who it is, only the ID token says.
FROM_USERINFO = ("email", "email_verified", "name", "given_name", "family_name")


class NotOpenID(OAuth2Error):  # type: ignore[misc]
    """The provider does not keep to the protocol. The sentence is English: administrators read it."""


def discover(issuer: str) -> dict[str, Any]:
    """What the provider says about itself, if it is whole and about this issuer (OpenID Connect Discovery 1.0, 4.3).

    Raises:
        NotOpenID: it is not.
        Unreachable: nobody answers, or nothing is sent to such an address.
    """
    with outward_session() as session:
        found = _json(session, issuer.rstrip("/") + WELL_KNOWN)
        if found.get("issuer") != issuer:
            raise NotOpenID(f"The provider calls itself {str(found.get('issuer'))[:200]}, not {issuer}.")
        for name in (*ENDPOINTS, *(["userinfo_endpoint"] if "userinfo_endpoint" in found else [])):
            try:
                outward.checked_url(str(found.get(name, "")), ports=settings.MARKETPLACE_WEBHOOK_PORTS)
            except outward.TargetRefused as error:
                raise NotOpenID(f"Its {name} cannot be used. {error.message}") from error
    return found


def _json(session: requests.Session, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        response = session.get(url, headers=headers, allow_redirects=False)
        if response.status_code != 200:
            raise NotOpenID(f"{url} answered with {response.status_code}.")
        found = response.json()
    except Unreachable:
        raise
    except requests.RequestException as error:  # a body that is no JSON is one of them, too
        raise NotOpenID(f"{url} did not answer with JSON.") from error
    if not isinstance(found, dict):
        raise NotOpenID(f"{url} did not answer with an object.")
    return found


class Provider(ProviderMixin, OpenIDConnectProvider):  # type: ignore[misc]
    """One organization's provider."""

    pkce_enabled_default = True

    def get_oauth2_adapter(self, request: HttpRequest) -> "OIDCAdapter":
        return OIDCAdapter(request, self.app.provider_id)

    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None) -> Any:
        """Off to the provider. ``data``: with ``again``, whoever is signed in there has to show once more who they are."""
        nonce = secrets.token_urlsafe(24)
        asked = {"nonce": nonce}
        if data and data.get("again"):
            asked |= {"prompt": "login", "max_age": "0"}
        try:
            return super().redirect(request, process, next_url, {**(data or {}), "nonce": nonce}, auth_params=asked)
        except (OAuth2Error, requests.RequestException) as error:
            return self.failed(request, error, {"data": data, "next": next_url})

    def asserted(self, response: dict[str, Any]) -> Asserted:
        """What the verified ID token says, and ``/userinfo`` where that says nothing of addresses."""
        return Asserted(
            uid=str(response["sub"]),
            email=text(response.get("email")),
            # Said to be unconfirmed: refused. Said nothing: the organization speaks for addresses of its own domains.
            is_unconfirmed="email_verified" in response and not _is_true(response["email_verified"]),
            name=text(response.get("name"))
            or f"{text(response.get('given_name'))} {text(response.get('family_name'))}",
            authenticated_at=response["auth_time"] if isinstance(response.get("auth_time"), int | float) else None,
        )


def _is_true(value: object) -> bool:
    """Some providers send the word in place of the value."""
    return value is True or value == "true"


class OIDCAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """One sign-in's conversation with the provider."""

    #: Of the state that was stashed when the browser was sent off.
    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        if not hasattr(self, "_openid_config"):
            self._openid_config = discover(self.sign_on.issuer)
        return self._openid_config

    @property
    def sign_on(self) -> SingleSignOn:
        found: SingleSignOn = self.get_provider().app.sign_on
        return found

    def get_provider(self) -> "Provider":
        """Looked up once: the conversation goes on as it began."""
        if not hasattr(self, "_provider"):
            self._provider: Provider = super().get_provider()
        return self._provider

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            found = super().get_access_token_data(*args, **kwargs)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise NotOpenID("The provider did not answer as the protocol says.") from error
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise NotOpenID("The provider gave no token for the code.")
        return found

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """For one question to ``/userinfo``; it is not stored."""
        return SocialToken(token=data["access_token"])

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return callback_url(self.sign_on.organization_id)

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> Any:
        """
        Raises:
            NotOpenID: the ID token is not one of this provider's, for us, of now, for this very sign-in.
        """
        claims = self._verified(kwargs["response"].get("id_token"), app)
        if not claims.get("email"):
            found = self._userinfo(token.token, claims)
            claims |= {name: found[name] for name in FROM_USERINFO if name in found}
        return self.get_provider().sociallogin_from_response(request, claims)

    def _verified(self, id_token: object, app: SocialApp) -> dict[str, Any]:
        if not isinstance(id_token, str):
            raise NotOpenID("The provider sent no ID token.")
        try:
            header = jwt.get_unverified_header(id_token)
            if header.get("alg") not in ALGORITHMS:
                raise NotOpenID(f"The ID token is signed with {str(header.get('alg'))[:20]}, which is not accepted.")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                self._key(header.get("kid")).key,
                algorithms=[header["alg"]],
                audience=app.client_id,
                issuer=self.sign_on.issuer,
                leeway=LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise NotOpenID(f"The ID token is not valid: {error}") from error
        if not isinstance(claims["aud"], str) and len(claims["aud"]) > 1 and claims.get("azp") != app.client_id:
            raise NotOpenID("The ID token is for several, and was not given to us.")
        if not self.nonce or not secrets.compare_digest(text(claims.get("nonce")).encode(), self.nonce.encode()):
            raise NotOpenID("The ID token is of another sign-in.")
        return claims

    def _key(self, kid: str | None) -> jwt.PyJWK:
        """The provider's key of this name; without one, the only key that it has."""
        with outward_session() as session:
            keys = jwt.PyJWKSet.from_dict(_json(session, self.openid_config["jwks_uri"])).keys
        signing = [key for key in keys if key.public_key_use in (None, "sig")]
        found = [key for key in signing if key.key_id == kid] if kid else signing
        if len(found) != 1:
            raise NotOpenID("The provider has no key of the name that the ID token gives.")
        return found[0]

    def _userinfo(self, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        if "userinfo_endpoint" not in self.openid_config:
            return {}
        with outward_session() as session:
            found = _json(session, self.profile_url, {"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != claims["sub"]:
            raise NotOpenID("What the provider told about the person is about another one.")
        return found


class Callback(OAuth2CallbackView):  # type: ignore[misc]
    """Back from the provider, with a code; django-allauth's own view, which tells the adapter for which sign-in."""

    adapter: OIDCAdapter

    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[Any, HttpResponse | None]:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.nonce = (state.get("data") or {}).get("nonce", "")
        return state, response


def callback(request: HttpRequest, sign_on: SingleSignOn) -> HttpResponse:
    """Finish a sign-in, or say why it is none."""
    answer: HttpResponse = Callback.adapter_view(OIDCAdapter(request, sign_on.provider_id))(request)
    return answer


def callback_url(organization_id: UUID) -> str:
    """Where its provider sends people back to: what an administrator enters there."""
    return settings.SITE_URL + reverse("sso_callback", args=[organization_id])


provider_classes = [Provider]
