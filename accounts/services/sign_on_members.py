"""For whom an organization's provider is: who finds it by their address, who has to sign in there, whom it knows."""

from allauth.socialaccount.models import SocialAccount
from django.db.models import Q, QuerySet

from accounts.models import EmailDomain, Membership, Organization, SingleSignOn, User


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def sign_on_for(email: str) -> SingleSignOn | None:
    """Where people with such an address sign in, if an organization has said so and its domain is approved."""
    approved = EmailDomain.objects.approved().filter(domain=domain_of(email))
    found = SingleSignOn.objects.filter(organization__in=approved.values("organization"))
    return found.select_related("organization").first()


def is_ordinary(user: User) -> bool:
    """Whether providers may sign them in at all: nobody's may who has a part in running the marketplace."""
    return not (user.is_staff or user.is_superuser or user.is_platform_administrator)


def looking_after_one() -> QuerySet[User]:
    """Owners and administrators, of whatever organization: more hangs on their accounts than what is their own."""
    administrators = Membership.objects.administrators().values("user")
    return User.objects.filter(Q(pk__in=administrators) | Q(pk__in=Organization.objects.values("owner")))


def required_of(user: User) -> SingleSignOn | None:
    """The provider that this person has to sign in at, if any, whatever else they own or look after.

    Never the owner of the organization that requires it, who could otherwise be locked out with everybody else.
    """
    return _of(user).filter(is_required=True).exclude(organization__owner=user).first()


def holds_primary(user: User, address: str) -> SingleSignOn | None:
    """The provider because of which ``address`` cannot become this person's own one: it would free them of it."""
    sign_on = required_of(user)
    if sign_on is None or sign_on.organization.email_domains.approved().filter(domain=domain_of(address)).exists():
        return None
    return sign_on


def linked_to(user: User) -> SingleSignOn | None:
    """A provider at which this person can show who they are, as a member of its organization."""
    sign_on = _of(user).first()
    if sign_on is None or not SocialAccount.objects.filter(user=user, provider=sign_on.provider_id).exists():
        return None
    return sign_on


def _of(user: User) -> QuerySet[SingleSignOn]:
    """Of the organization to which this person belongs and their own address, too: a domain is one organization's."""
    if not is_ordinary(user):
        return SingleSignOn.objects.none()
    mine = Membership.objects.current().filter(user=user).values("organization")
    domains = EmailDomain.objects.approved().filter(domain=domain_of(user.email), organization__in=mine)
    found = SingleSignOn.objects.filter(organization__in=domains.values("organization"))
    return found.select_related("organization")
