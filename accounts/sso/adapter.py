"""django-allauth's accounts of other sites, of which there is one kind here: those at an organization's own provider.

What is configured in :class:`accounts.models.SingleSignOn` is handed to it as if it stood in its own table, which stays
empty. Nobody signs up by it as its pages would let them: :mod:`accounts.services.admittance` decides.
"""

import logging
from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, gettext_noop

from accounts.models import SignOnKind, SingleSignOn, User
from accounts.services import admittance
from accounts.services.sign_on_refusals import SignInRefused
from accounts.services.sign_on_uses import note_failure
from accounts.sso import shown
from accounts.sso.network import Unreachable, outward_session
from common.errors import MarketplaceError
from common.history.facts import recorded
from common.sealing import NotOurs, unseal

log = logging.getLogger(__name__)

PROVIDERS = {SignOnKind.OIDC: "openid_connect", SignOnKind.SAML: "saml"}


def app_of(sign_on: SingleSignOn) -> SocialApp:
    """The connection as django-allauth wants it: not stored, and named by its own id."""
    try:
        secret = unseal(sign_on.sealed_secret) if sign_on.sealed_secret else ""
    except NotOurs:
        log.error("single sign-on %s: its secret was sealed with a key that is not known any more", sign_on.pk)
        secret = ""
    app = SocialApp(
        provider=PROVIDERS[SignOnKind(sign_on.kind)],
        provider_id=sign_on.provider_id,
        name=sign_on.organization.name[:40],
        client_id=sign_on.client_id or sign_on.provider_id,
        secret=secret,
        settings={"server_url": sign_on.issuer},
    )
    app.sign_on = sign_on
    return app


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """The one that ``provider`` is the id of: never all of a protocol."""
        try:
            found = SingleSignOn.objects.select_related("organization").filter(pk=UUID(hex=str(provider)))
        except ValueError:
            return []
        return [app_of(sign_on) for sign_on in found]

    def get_requests_session(self) -> Any:
        return outward_session()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never by django-allauth's own way."""
        return False

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> Any:
        """Nothing: whose account it is, and what is written there, is decided later."""
        return sociallogin.user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The provider has said who it is, as the protocol wants it: see whether they are let in, and as whom."""
        sign_on: SingleSignOn = sociallogin.provider.app.sign_on
        asked = sociallogin.state.get("data") or {}
        signed_in = request.user if request.user.is_authenticated else shown.take(request, sign_on)
        with recorded(address=f"{request.method} {request.path_info}"):
            try:
                if asked.get("again"):
                    raise ImmediateHttpResponse(_confirmed(request, sociallogin, sign_on, asked))
                admitted = admittance.admit(
                    sign_on=sign_on, said=sociallogin.asserted, signed_in=signed_in, now=timezone.now()
                )
            except MarketplaceError as error:
                first = isinstance(error, SignInRefused) and error.own_means_first
                page = refused(request, sign_on, error.message, state=sociallogin.state, own_means_first=first)
                raise ImmediateHttpResponse(page) from error
        sociallogin.user, sociallogin.account = admitted.user, admitted

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Always a page of ours. What exactly was wrong is for the organization's administrators, and in the log."""
        sign_on: SingleSignOn = provider.app.sign_on
        state = (extra_context or {}).get("state")
        if error == AuthError.CANCELLED:
            left = gettext("You left before you had signed in there.")
            raise ImmediateHttpResponse(refused(request, sign_on, left, state=state))
        log.info("single sign-on %s: %s", sign_on.pk, exception or "no sign-in that was begun in this browser")
        reason = str(exception) if exception else "It is no answer to a sign-in that was begun in this browser."
        note_failure(sign_on=sign_on, reason=reason, now=timezone.now())
        unreachable = isinstance(exception, Unreachable)
        sentence = (
            gettext("The provider of %(organization)s cannot be reached. Try again in a while.")
            if unreachable
            else gettext(
                "What came back from the provider of %(organization)s could not be accepted. Try again; if that does "
                "not help, its administrators see on its page of single sign-on what was wrong."
            )
        ) % {"organization": sign_on.organization.name}
        status = 502 if unreachable else 403
        raise ImmediateHttpResponse(refused(request, sign_on, sentence, state=state, status=status))


def _confirmed(request: HttpRequest, login: SocialLogin, sign_on: SingleSignOn, asked: dict[str, Any]) -> HttpResponse:
    """Whoever is signed in has shown at the provider again who they are: they go on where they were."""
    user = request.user
    if not isinstance(user, User) or str(user.pk) != asked.get("user"):
        raise SignInRefused(gettext_noop("You are signed in as somebody else here than when you were sent there."))
    admittance.confirm_again(
        sign_on=sign_on, said=login.asserted, user=user, began=float(asked["began"]), now=timezone.now()
    )
    record_authentication(request, user, method="socialaccount", reauthenticated=True)
    there = _next(request, login.state)
    query = request.GET.copy()
    query[REDIRECT_FIELD_NAME] = there
    request.GET = query  # type: ignore[assignment]  # where it looks for the page to go on to
    resumed: HttpResponse | None = resume_request(request)
    return resumed or redirect(there)


def _next(request: HttpRequest, state: dict[str, Any]) -> str:
    """The page of ours that they were sent off from, to go on there."""
    there = str(state.get("next") or "/")
    ours = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return there if ours else "/"


def refused(
    request: HttpRequest,
    sign_on: SingleSignOn,
    sentence: str,
    *,
    state: dict[str, Any] | None = None,
    own_means_first: bool = False,
    status: int = 403,
) -> HttpResponse:
    """
    Args:
        state: what was kept of how they were sent off, where that is known: they may have been signed in already.
    """
    is_again = bool(state and (state.get("data") or {}).get("again"))
    context = {
        "sign_on": sign_on,
        "organization": sign_on.organization,
        "sentence": sentence,
        "is_again": is_again,
        "own_means_first": own_means_first,
        "next": _next(request, state or {}),
    }
    return render(request, "sso/refused.html", context, status=status)
