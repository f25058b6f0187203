"""How second factors behave here: secrets are stored encrypted, and a code works once."""

import logging
import struct
from collections.abc import Callable
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
    SignupWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.conf import settings
from django.core.cache import cache as counts
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.security_log import factor_refused
from common.sealing import seal, unseal

log = logging.getLogger(__name__)

NO_PASSKEY = _("That passkey does not fit: it is of another account, or it was used too late. Try again.")

#: What reading something else as a passkey ends with.
NOT_WHOLE = (LookupError, TypeError, ValueError, AttributeError, struct.error, InvalidSignature, UnsupportedAlgorithm)

#: A code is good for its own period and so many before and after it.
PERIODS = 2 * app_settings.TOTP_TOLERANCE + 1


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """django-allauth's, with our words, and with secrets that a copy of the database does not give away."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("That is not right. Use the newest code of your app, or a recovery code not used before."),
        "unverified_email": _("Confirm or remove your other e-mail addresses first: one of them is not confirmed."),
        "cannot_generate_recovery_codes": _(
            "Recovery codes stand in for an authenticator app or a passkey. Set up one first."
        ),
    }

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """
        Raises:
            NotOurs: it was encrypted with a key that is neither ``SECRET_KEY`` nor among its fallbacks.
        """
        return unseal(encrypted_text)

    def _get_site_name(self) -> str:
        """What authenticator apps and browsers write beside the entry."""
        return str(settings.SITE_NAME)

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """Browsers show the address where one chooses among passkeys."""
        return {**super().get_public_key_credential_user_entity(user), "display_name": user.name or user.email}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        there = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return gettext("Passkey") if not there else gettext("Passkey {number}").format(number=there + 1)


def spend_code(user: User, code: str) -> bool:
    """Whether this code of an authenticator app had not been used yet. From now on it has (RFC 6238, 5.2).

    django-allauth remembers a code for one period, but takes it for as many as ``MFA_TOTP_TOLERANCE`` adds.
    """
    digits = "".join(filter(str.isdigit, code))
    return bool(counts.add(f"totp-used:{user.pk}:{digits}", 1, timeout=app_settings.TOTP_PERIOD * (PERIODS + 1)))


class _Once:
    """A form whose code, if it is of an authenticator app, was not used before."""

    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        try:
            code: str = super().clean_code()  # type: ignore[misc]
            if self.authenticator.type == Authenticator.Type.TOTP and not spend_code(self.user, code):
                raise SecondFactorAdapter().validation_error("incorrect_code")
        except ValidationError:
            factor_refused(self.user, "code")
            raise
        return code


class CodeForm(_Once, AuthenticateForm):  # type: ignore[misc]
    """The second step of signing in."""


class StepUpCodeForm(_Once, ReauthenticateForm):  # type: ignore[misc]
    """Showing again who one is."""


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]
    """Setting up an authenticator app. The code that did it does not sign in afterwards."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        spend_code(self.user, code)
        return code


class _Whole:
    """A form of passkeys that says so when what it was sent is none, where django-allauth and fido2 would fail."""

    def clean_credential(self) -> Any:
        return self._refused_in_words("clean_credential", lambda: self.cleaned_data["credential"])  # type: ignore[attr-defined]

    def clean(self) -> Any:
        return self._refused_in_words("clean", lambda: None)

    def _refused_in_words(self, name: str, otherwise: Callable[[], Any]) -> Any:
        try:
            return getattr(super(), name, otherwise)()
        except ValidationError as error:
            if getattr(error, "code", "") != "incorrect_code":
                raise
        except NOT_WHOLE as error:
            log.info("what was sent is no passkey: %r", error)
        factor_refused(getattr(self, "user", None), "passkey")
        raise ValidationError(NO_PASSKEY, code="incorrect_code")


class PasskeySignInForm(_Whole, LoginWebAuthnForm):  # type: ignore[misc]
    """Signing in with a passkey alone."""


class SecondPasskeyForm(_Whole, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """The second step of signing in."""


class StepUpPasskeyForm(_Whole, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """Showing again who one is."""


class FirstPasskeyForm(_Whole, SignupWebAuthnForm):  # type: ignore[misc]
    """The end of signing up with one."""


class PasskeyForm(_Whole, AddWebAuthnForm):  # type: ignore[misc]
    """Adding a passkey, with our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].max_length = 100
        self.fields["name"].widget.attrs["maxlength"] = "100"
        self.fields["name"].label = _("Name")
        self.fields["name"].help_text = _("To tell it from others, as in “Laptop” or “Blue key”.")
        self.fields["passwordless"].label = _("Sign in with it alone, without the password")
        self.fields["passwordless"].help_text = _(
            "It then asks for your finger, face or PIN. Old security keys cannot do that."
        )
        self.fields["passwordless"].initial = True
