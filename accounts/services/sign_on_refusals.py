"""What of what a provider says lets nobody in, and which people no provider lets in."""

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext, gettext_noop

from accounts.models import Organization, User
from accounts.services.sign_on_members import domain_of, is_ordinary
from accounts.sso.asserted import Asserted
from common.errors import MarketplaceError


class SignInRefused(MarketplaceError):
    """What the provider says lets nobody in.

    Attributes:
        recorded: what is written down: in English, and without the address.
        own_means_first: going there again does not help; signing in here with a password or passkey does.
    """

    def __init__(self, sentence: str, *, own_means_first: bool = False, **words: str) -> None:
        super().__init__(gettext(sentence) % words)
        self.own_means_first = own_means_first
        self.recorded = sentence % (words | {"email": "the address"})


def require_address(organization: Organization, said: Asserted) -> None:
    """
    Raises:
        SignInRefused: the provider names no address, or one that it may not speak for.
    """
    try:
        validate_email(said.email)
    except ValidationError as error:
        raise SignInRefused(
            gettext_noop("The provider of %(organization)s did not say what your e-mail address is."),
            organization=organization.name,
        ) from error
    if not organization.email_domains.approved().filter(domain=domain_of(said.email)).exists():
        raise SignInRefused(
            gettext_noop("%(organization)s signs in people with addresses of its own, and %(email)s is none of them."),
            organization=organization.name,
            email=said.email,
        )
    if said.is_unconfirmed:
        raise SignInRefused(
            gettext_noop(
                "The provider of %(organization)s has not confirmed that %(email)s is yours. Confirm it there first."
            ),
            organization=organization.name,
            email=said.email,
        )


def require_ordinary(organization: Organization, user: User) -> None:
    """
    Raises:
        SignInRefused: nobody's provider may sign in as this person.
    """
    if not user.is_active:
        raise SignInRefused(gettext_noop("This account is not active any more."))
    if not is_ordinary(user):
        raise SignInRefused(
            gettext_noop(
                "Whoever administers the marketplace signs in with means of their own, and at no other provider."
            )
        )
    is_confirmed = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
    is_inside = organization.email_domains.approved().filter(domain=domain_of(user.email)).exists()
    if not is_confirmed or not is_inside:
        raise SignInRefused(
            gettext_noop(
                "Your account's own address is not one of %(organization)s. Sign in as you always do, and make your address "
                "there the primary one first."
            ),
            own_means_first=True,
            organization=organization.name,
        )


def require_never_left(organization: Organization, user: User) -> None:
    """
    Raises:
        SignInRefused: they belonged to it once. The provider does not bring back whom an administrator has removed.
    """
    if organization.memberships.filter(user=user).exists():
        raise SignInRefused(
            gettext_noop(
                "You do not belong to %(organization)s any more. Its administrators can invite you again; until then, "
                "sign in with a password of your own."
            ),
            own_means_first=True,
            organization=organization.name,
        )
