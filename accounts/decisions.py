"""The actions of this room that take two administrators (:mod:`accounts.dangerous`)."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.dangerous import Arguments, DangerousAction, Shown, takes_two
from accounts.models import User, Verification
from accounts.services.decisions import DecisionError
from accounts.services.overrides import (
    check_administrator,
    check_override,
    override_verification,
    set_administrator,
)

YES = "yes"

OVERRIDE_VERIFICATION = "override-verification"
SET_ADMINISTRATOR = "set-administrator"


def override_arguments(verification: Verification, *, approve: bool) -> dict[str, str]:
    return {"verification": str(verification.pk), "approve": YES if approve else ""}


def administrator_arguments(user: User, *, holds: bool) -> dict[str, str]:
    return {"user": str(user.pk), "holds": YES if holds else ""}


def _verification(arguments: Arguments) -> Verification:
    """
    Raises:
        DecisionError: its person has been deleted meanwhile, and it with them.
    """
    row = Verification.objects.select_related("user").filter(pk=arguments["verification"]).first()
    if row is None:
        raise DecisionError(_("This verification is not there any more."))
    return row


def _show_override(arguments: Arguments) -> Shown:
    row, approve = _verification(arguments), bool(arguments["approve"])
    check_override(row, approve=approve, now=timezone.now())
    return [
        (_("Verification"), row.legal_name),
        (_("Of"), str(row.user)),
        (_("Is"), str(row.get_status_display())),
        (_("Becomes"), str((Verification.Status.APPROVED if approve else Verification.Status.REJECTED).label)),
    ]


def _override(arguments: Arguments, *, by: User, second: User, reason: str, now: datetime) -> object:
    return override_verification(
        verification=_verification(arguments),
        approve=bool(arguments["approve"]),
        by=by,
        second=second,
        reason=reason,
        now=now,
    )


def _show_administrator(arguments: Arguments) -> Shown:
    user, holds = User.objects.get(pk=arguments["user"]), bool(arguments["holds"])
    check_administrator(user, holds=holds)
    becomes = _("A platform administrator") if holds else _("No platform administrator any more")
    # Each name by itself, so that it is found when the person is deleted.
    return [(_("Person"), str(user)), (_("Public name"), user.public_name), (_("Becomes"), becomes)]


def _set_administrator(arguments: Arguments, *, by: User, second: User, reason: str, now: datetime) -> object:
    user = User.objects.get(pk=arguments["user"])
    return set_administrator(user=user, holds=bool(arguments["holds"]), by=by, second=second, reason=reason, now=now)


takes_two(
    DangerousAction(
        OVERRIDE_VERIFICATION,
        gettext_lazy("Turn a verification around"),
        about=lambda arguments: arguments["verification"],
        show=_show_override,
        do=_override,
    )
)
takes_two(
    DangerousAction(
        SET_ADMINISTRATOR,
        gettext_lazy("Change who is a platform administrator"),
        about=lambda arguments: arguments["user"],
        show=_show_administrator,
        do=_set_administrator,
    )
)
