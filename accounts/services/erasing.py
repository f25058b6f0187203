"""Letting go of what this room holds about a person: what is in the way of it, and doing it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db.models import CASCADE, Model, Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import (
    FAREWELL,
    BillingDetails,
    Decision,
    Invitation,
    Membership,
    OutgoingMail,
    SignOnUse,
    User,
    VerificationDocument,
)
from accounts.privacy import Obstacle, fields_of, rooms
from accounts.scrubbing import INSTEAD, scrub_facts
from accounts.services.memberships import why_one_stays
from accounts.traces import addresses_of, words_of
from common.history.forgetting import forget
from common.history.tracking import kind_of, kinds
from common.queue import soon

#: Addresses that no mail reaches (RFC 2606) take the place of those that are gone.
NOWHERE = "deleted.invalid"


def obstacles(user: User, now: datetime) -> Iterator[Obstacle]:
    if user.is_staff or user.is_platform_administrator:
        yield Obstacle(
            gettext("You administer the marketplace. Have another administrator take that role from you first."), ""
        )
    for membership in Membership.objects.current().filter(user=user).select_related("organization", "user"):
        if reason := why_one_stays(membership, by=user):
            where = f"{membership.organization.name}: "
            yield Obstacle(where + reason, reverse("organization_detail", args=[membership.organization_id]))


def erase(user: User, now: datetime) -> None:
    """Everything that is the person's alone goes; the row of the person stays, because others refer to it, and names nobody."""
    addresses = addresses_of(user)
    for session in UserSession.objects.filter(user=user):
        session.end()
    VerificationDocument.objects.filter(verification__user=user).update(verification=None, name="")
    soon("accounts.tasks.forget_documents")
    user.data_exports.open().update(failed_at=now)
    user.data_exports.update(expires_at=now)
    _forget_invitations(addresses, now)
    _forget_mails(addresses)
    SignOnUse.objects.filter(email__in=addresses).update(email="")
    _forget_where_invoices_went(addresses)
    _forget_decisions(user)
    Invitation.objects.waiting().filter(invited_by=user).update(revoked_at=now)
    Membership.objects.current().filter(user=user).update(left_at=now)
    _let_go_of_tokens(user, now)
    _delete_what_is_theirs(user)
    user.groups.clear()
    user.user_permissions.clear()
    user.email, user.name, user.organization_name = f"{user.pk.hex}@{NOWHERE}", "", ""
    user.timezone, user.language, user.country, user.roles = "", "", "", []
    user.is_active = user.is_staff = user.is_superuser = user.is_billing_account = False
    user.last_login = None
    user.set_unusable_password()
    user.save(update_fields=fields_of(User, "id", "signup_date"))
    for kind in kinds():
        if kind.within == "user" and kind.model._meta.app_label == "accounts":
            # What acted for an organization is in its records, too.
            theirs = Q(user=user.pk, organization=None) if "organization" in kind.fields else Q(user=user.pk)
            forget(kind, theirs, **blank(kind.model, kind.fields))


def _forget_invitations(addresses: Iterable[str], now: datetime) -> None:
    for number, invitation in enumerate(Invitation.objects.filter(email__in=addresses)):
        if invitation.accepted_at is None and invitation.revoked_at is None:
            invitation.revoked_at = now
        invitation.email = f"{invitation.pk.hex}-{number}@{NOWHERE}"
        invitation.save(update_fields=["email", "revoked_at"])
    if kind := kind_of(Invitation):
        forget(kind, Q(email__in=addresses), email=INSTEAD)


def _forget_mails(addresses: Iterable[str]) -> None:
    """Those to their addresses that are not in their account, as invitations. The last one to them is still to go out."""
    found = OutgoingMail.objects.annotate(to=Lower("address")).filter(to__in={one.lower() for one in addresses})
    mails = found.exclude(key__startswith=FAREWELL)
    mails.filter(sent_at=None).delete()
    mails.update(address=INSTEAD)


def _forget_where_invoices_went(addresses: Iterable[str]) -> None:
    """Those of organizations. Invoices that name the address already stay as they are."""
    BillingDetails.objects.exclude(organization=None).filter(invoice_email__in=addresses).update(invoice_email="")
    if kind := kind_of(BillingDetails):
        forget(kind, Q(user=None, invoice_email__in=addresses), invoice_email="")


def _forget_decisions(user: User) -> None:
    """What two administrators read of them: names are in the words that they were shown, the arguments are ids."""
    verifications = [str(pk) for pk in user.verifications.values_list("pk", flat=True)]
    about = Decision.objects.filter(Q(arguments__user=str(user.pk)) | Q(arguments__verification__in=verifications))
    scrub_facts(about, "shown", words_of(user))


def _let_go_of_tokens(user: User, now: datetime) -> None:
    """Those that act for organizations let nobody in any more, and stay: what was done with them is in the uses."""
    user.api_tokens.filter(organization=None).delete()
    user.api_tokens.filter(revoked_at=None).update(revoked_at=now, revoked_by=user)


def _delete_what_is_theirs(user: User) -> None:
    """Every row that would go with the person's row, of whatever table; those to come are among them."""
    outliving = {label for room in rooms() for label in room.outlive}
    for relation in User._meta.related_objects:
        model: type[Model] = relation.related_model
        if relation.on_delete is CASCADE and model._meta.label not in outliving and not model._meta.auto_created:
            model._base_manager.filter(**{relation.field.name: user}).delete()


def blank(model: type[Model], fields: Iterable[str]) -> dict[str, str]:
    """Nothing, for each of these columns that holds words of a person's own."""
    found = (model._meta.get_field(name) for name in fields)
    texts = ("CharField", "TextField", "EmailField")
    return {one.name: "" for one in found if one.get_internal_type() in texts and not one.choices}  # type: ignore[union-attr]
