"""What a provider says of whoever has signed in there, whatever the protocol; and what both protocols share."""

from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.helpers import render_authentication_error
from django.http import HttpRequest, HttpResponse

#: No name, address or identifier is longer; what is, is not believed.
LONGEST = 254
LONGEST_UID = 191


@dataclass(frozen=True)
class Asserted:
    """
    Attributes:
        uid: who it is at the provider, for ever.
        is_unconfirmed: the provider says itself that it does not know whether the address is theirs.
        authenticated_at: when they showed there who they are, in seconds since 1970, if it says so.
    """

    uid: str
    email: str
    is_unconfirmed: bool = False
    name: str = ""
    authenticated_at: float | None = None


def text(value: object) -> str:
    """A claim as a line of text; what is none, or too long for one, is nothing."""
    return " ".join(value.split()) if isinstance(value, str) and len(value) <= LONGEST else ""


class WrongAssertion(Exception):
    """What the provider says cannot be of a person."""


class ProviderMixin:
    """django-allauth's providers, made to hand on :class:`Asserted` and to store nothing of what providers tell."""

    app: Any

    def asserted(self, response: Any) -> Asserted:
        raise NotImplementedError

    def sociallogin_from_response(self, request: HttpRequest, response: Any) -> Any:
        found = self.asserted(response)
        if not found.uid or len(found.uid) > LONGEST_UID:
            raise WrongAssertion("The provider gave no identifier of at most 191 characters.")
        login = super().sociallogin_from_response(request, found)  # type: ignore[misc]
        login.asserted = found
        return login

    def extract_uid(self, data: Asserted) -> str:
        return data.uid

    def extract_extra_data(self, data: Asserted) -> dict[str, Any]:
        return {}

    def extract_common_fields(self, data: Asserted) -> dict[str, Any]:
        return {"email": data.email}

    def extract_email_addresses(self, data: Asserted) -> list[EmailAddress]:
        return []

    def serialize(self) -> dict[str, Any]:
        """By its own id, which alone says whose it is: two organizations may have the same client id."""
        return {"id": self.app.provider_id}

    def failed(self, request: HttpRequest, error: Exception, state: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = render_authentication_error(
            request, self, exception=error, extra_context={"state": state}
        )
        return answer
