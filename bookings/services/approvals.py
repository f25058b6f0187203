"""Bookings that an organization's administrator has to agree to: asked with a reason, decided on a page, or lapsed.

The window is held meanwhile by the booking's own hold, which lapses with the approval: the ordinary sweep of holds that
were not paid ends both. Lock order: the organization, the booking, the approval.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Membership, Notification, Organization, User
from accounts.outbox import written_for
from accounts.permissions import OrganizationAction, require_in
from accounts.services.organizations import locked_organization
from accounts.services.telling import tell
from bookings.errors import BookingError
from bookings.models import Approval, ApprovalStatus, Booking
from bookings.services.cancel import cancel_declined
from bookings.services.history import note
from bookings.services.locks import locked
from bookings.services.purposes import waits_until, why_not_for_it_any_more
from common.formats import money, when_both, window_both
from common.languages import said_later
from machines.models import Listing


def hold_for_approval(
    booking: Booking, *, listing: Listing, organization: Organization, reason: str, now: datetime
) -> Approval:
    """Have a booking that is being made wait for an administrator, and tell them. In the caller's transaction.

    Raises:
        BookingError: no reason is given, or the listing is not held for approvals.
    """
    above = money(organization.approval_above or 0, booking.currency)
    if not listing.approval_hours:
        raise BookingError(
            _("This costs more than %(above)s, so an administrator of %(name)s has to agree; this server is not held "
              "meanwhile. An administrator can book it, or choose another.")
            % {"above": above, "name": organization.name},
        )  # fmt: skip
    if not reason.strip():
        raise BookingError(
            _("This costs more than %(above)s, so an administrator of %(name)s has to agree. Say why you need it.")
            % {"above": above, "name": organization.name},
            field="reason",
        )
    until = waits_until(approval_hours=listing.approval_hours, start=booking.start, now=now)
    Booking.objects.filter(pk=booking.pk).update(hold_expires_at=until)
    booking.hold_expires_at = until
    approval = Approval.objects.create(
        booking=booking, organization=organization, reason=reason.strip()[:1000], asked_at=now, expires_at=until
    )
    note(
        booking,
        "Waits for approval",
        now=now,
        by=booking.buyer,
        detail=said_later(lambda: f"By {organization.name}, until {when_both(until)}."),
    )
    _tell_administrators(approval, now=now)
    return approval


@transaction.atomic
def approve(*, approval_id: UUID, by: User, answer: str = "", now: datetime) -> Approval:
    """Agree: the ordinary hold begins, and the member may pay. Twice is quiet.

    Raises:
        NotAllowed: ``by`` is no administrator of the organization.
        BookingError: it has been decided otherwise, its time is over, or the member could not pay it for the
            organization any more.
    """
    approval = _taken(approval_id, by=by)
    if approval.status == ApprovalStatus.APPROVED:
        return approval
    booking = approval.booking
    if not approval.is_waiting or not booking.is_hold or booking.hold_expires_at <= now:
        raise BookingError(_over(approval))
    if reason := why_not_for_it_any_more(booking, now=now):
        raise BookingError(
            _("This cannot be approved as it is: %(who)s would be refused when they pay, and read this. “%(why)s”")
            % {"who": booking.buyer.known_as, "why": reason}
        )
    _decide(approval, ApprovalStatus.APPROVED, by=by, answer=answer, now=now)
    booking.hold_expires_at = max(booking.hold_expires_at, now + settings.MARKETPLACE_HOLD)
    booking.save(update_fields=["hold_expires_at"])
    note(booking, "Approved", now=now, by=by, detail=answer)
    until = when_both(booking.hold_expires_at)
    _tell_member(
        approval,
        now=now,
        subject=_("Approved: %(machine)s") % {"machine": booking.machine.title},
        said=_("%(who)s has agreed. Pay until %(until)s, and it is yours.") % {"who": by.known_as, "until": until},
        page=f"/bookings/{booking.pk}/pay/",
        button=_("Pay"),
        tone=Notification.Tone.GOOD,
    )
    return approval


@transaction.atomic
def decline(*, approval_id: UUID, by: User, answer: str, now: datetime) -> Approval:
    """Do not agree, with a reason that the member reads: the window is free again. Twice is quiet.

    Raises:
        NotAllowed: ``by`` is no administrator of the organization.
        BookingError: it has been decided otherwise, or no reason is given.
    """
    approval = _taken(approval_id, by=by)
    if approval.status == ApprovalStatus.DECLINED:
        return approval
    booking = approval.booking
    if not approval.is_waiting or not booking.is_hold:
        raise BookingError(_over(approval))
    if not answer.strip():
        raise BookingError(_("Say why, so that the member knows what to do."), field="answer")
    _decide(approval, ApprovalStatus.DECLINED, by=by, answer=answer, now=now)
    cancel_declined(booking, by=by, now=now, note=answer)
    _tell_member(
        approval,
        now=now,
        subject=_("Not approved: %(machine)s") % {"machine": booking.machine.title},
        said=_("%(who)s has not agreed: %(answer)s") % {"who": by.known_as, "answer": answer},
        page=f"/bookings/{booking.pk}/",
        button=_("Open the booking"),
        tone=Notification.Tone.BAD,
    )
    return approval


def _taken(approval_id: UUID, *, by: User) -> Approval:
    organization = locked_organization(Approval.objects.values_list("organization_id", flat=True).get(pk=approval_id))
    require_in(by, organization, OrganizationAction.APPROVE)
    booking = locked(Approval.objects.values_list("booking_id", flat=True).get(pk=approval_id))
    approval = Approval.objects.select_for_update(of=("self",)).get(pk=approval_id)
    approval.booking, approval.organization = booking, organization
    booking.organization = organization
    return approval


def _over(approval: Approval) -> str:
    if approval.is_waiting:
        return _("This was not decided in time. The window is free again; it can be asked for anew.")
    return _("This was decided already: %(how)s.") % {"how": approval.get_status_display().lower()}


def _decide(approval: Approval, status: ApprovalStatus, *, by: User, answer: str, now: datetime) -> None:
    approval.status, approval.decided_at, approval.decided_by = status, now, by
    approval.answer = answer.strip()[:1000]
    approval.save(update_fields=["status", "decided_at", "decided_by", "answer"])


def _tell_administrators(approval: Approval, *, now: datetime) -> None:
    booking, organization = approval.booking, approval.organization
    page = f"/organizations/{organization.pk}/approvals/{approval.pk}/"
    for membership in Membership.objects.administrators().filter(organization=organization).select_related("user"):
        user = membership.user
        with written_for(user):
            subject = _("%(who)s asks for %(price)s") % {
                "who": booking.buyer.known_as,
                "price": money(booking.price_total, booking.currency),
            }
            said = [
                _("%(machine)s, %(window)s, for %(name)s.")
                % {
                    "machine": booking.machine.title,
                    "window": window_both(booking.start, booking.end),
                    "name": organization.name,
                },
                _("Why: %(reason)s") % {"reason": approval.reason},
                _("The server is held until %(until)s. Without an answer it is free again then.")
                % {"until": when_both(approval.expires_at)},
            ]
            key = f"approval-asked:{approval.pk}"
            tone = Notification.Tone.WARN
            tell(
                user=user,
                event=EventKind.APPROVAL_WANTED,
                key=key,
                subject=subject,
                paragraphs=said,
                action=(_("Look at it and decide"), page),
                text=" ".join(said[:2]),
                tone=tone,
                organization=organization,
                about={"approval": str(approval.pk), "booking": str(booking.pk), "reference": booking.reference},
                now=now,
            )


def _tell_member(
    approval: Approval, *, now: datetime, subject: str, said: str, page: str, button: str, tone: str
) -> None:
    user, key = approval.booking.buyer, f"approval-{approval.status}:{approval.pk}"
    with written_for(user):
        tell(
            user=user,
            event=EventKind.APPROVAL_DECIDED,
            key=key,
            subject=subject,
            paragraphs=[said, approval.answer if approval.status == ApprovalStatus.APPROVED else ""],
            action=(button, page),
            tone=tone,
            organization=approval.booking.organization,
            about={"approval": str(approval.pk), "booking": str(approval.booking_id)},
            now=now,
        )
