"""Helping somebody who has lost what they sign in with."""

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.telling import tell


@transaction.atomic
def remove_second_factor(*, authenticator: Authenticator, by: User, reason: str) -> None:
    """An administrator removes an app, a passkey or recovery codes of somebody, who is told who did it and why.

    Recovery codes that stand in for nothing any more go, too.
    """
    user = User.objects.select_for_update().get(pk=authenticator.user_id)
    kind, number = str(authenticator.get_type_display()), authenticator.pk
    Authenticator.objects.filter(pk=number).delete()
    left = Authenticator.objects.filter(user=user)
    if not left.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
        left.delete()
    with written_for(user):
        tell(
            user=user,
            event=EventKind.SECURITY,
            key=f"second-factor-removed:{number}",
            subject=gettext("An administrator removed a second factor"),
            paragraphs=[
                gettext("An administrator, {name}, has removed from your account: {kind}.").format(
                    name=by.name or by.email, kind=kind
                ),
                gettext("The reason: {reason}").format(reason=reason),
                gettext("Have you not asked for it? Sign in, change your password, and set up a new second factor."),
            ],
            action=(gettext("Look at it"), reverse("security")),
            tone=Notification.Tone.WARN,
        )
