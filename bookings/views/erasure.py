"""Certificates of erasure: the buyer's PDF, and the page on which anyone can check one."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.bearer import token_or_login
from accounts.models import Scope
from accounts.requests import AuthenticatedRequest
from bookings.errors import BookingError
from bookings.loading import booking_seen_by, organization_of_booking
from bookings.models import Booking, ErasureCertificate, WipeEvidence
from bookings.services import certificates
from bookings.services.erasure import retry_wipe
from common import files, sshsig
from common.addresses import address_of
from common.ids import short
from common.rates import TooManyRequests, spend

AN_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
A_DIGEST = re.compile(r"\b[0-9a-f]{64}\b", re.IGNORECASE)
#: What is signed never changes, so it may be kept by whoever passes it on; a page with the verdict may not.
AN_HOUR = 3600

View = Callable[..., HttpResponse]


def for_anyone(view: View) -> View:
    """For people who are not signed in, as often as the rate for one address allows."""

    @require_GET
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            spend(settings.MARKETPLACE_ERASURE_RATE, "erasure", str(address_of(request)))
        except TooManyRequests as error:
            return render(request, "429.html", {"message": error.message}, status=429)
        return view(request, *args, **kwargs)

    return wrapper


# For anyone --------------------------------------------------------------------------------------------


@for_anyone
def erasure_lookup(request: HttpRequest) -> HttpResponse:
    """Find a certificate by what is printed on it: its id, its address, or its SHA-256."""
    asked = request.GET.get("q", "").strip()
    if not asked:
        return render(request, "erasure/lookup.html")
    certificate = _named(asked)
    if certificate is None:
        return _unknown(request, asked)
    return redirect("erasure_check", pk=certificate.pk)


def _named(text: str) -> ErasureCertificate | None:
    """The digest may be that of the certificate or of the evidence it rests on."""
    known = ErasureCertificate.objects.all()
    if found := AN_ID.search(text):
        return known.filter(pk=UUID(found[0])).first()
    if found := A_DIGEST.search(text):
        digest = found[0].lower()
        return known.filter(sha256=digest).first() or known.filter(evidence__sha256=digest).first()
    return None


def _unknown(request: HttpRequest, asked: str) -> HttpResponse:
    return render(request, "erasure/lookup.html", {"asked": asked, "is_unknown": True}, status=404)


@never_cache
@for_anyone
def erasure_check(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Both signatures, checked anew each time the page is asked for."""
    certificate = ErasureCertificate.objects.filter(pk=pk).first()
    if certificate is None:
        return _unknown(request, str(pk))
    verdict = certificates.check_and_tell(certificate, now=timezone.now())
    context = {
        "certificate": certificate,
        "verdict": verdict,
        "document": certificates.content_of(certificate),
        "names": certificates.names_of(certificate),
        "commands": "\n".join(certificates.commands_of(certificate)),
        "platform_fingerprint": sshsig.read_public_key(certificate.platform_key).fingerprint,
    }
    return render(request, "erasure/check.html", context, status=503 if verdict.is_open else 200)


@cache_control(public=True, max_age=AN_HOUR)
@for_anyone
def erasure_file(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """One of the files that a check needs, as it lies in the storage."""
    certificate = get_object_or_404(ErasureCertificate, pk=pk)
    try:
        content = certificates.file_of(certificate, name)
    except files.StorageAway as error:
        answer = HttpResponse(error.message, content_type="text/plain; charset=utf-8", status=503)
        answer["Retry-After"] = "30"
        return answer
    except files.FileMissing as error:
        raise Http404(error.message) from error
    kind = "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
    return HttpResponse(content, content_type=kind)


@cache_control(public=True, max_age=AN_HOUR)
@for_anyone
def erasure_keys(request: HttpRequest) -> HttpResponse:
    """The platform's public key, as a line of an allowed_signers file."""
    return HttpResponse(certificates.platform_signers(), content_type="text/plain; charset=utf-8")


# For those who see the booking --------------------------------------------------------------------------


@token_or_login(Scope.BOOKINGS_READ, whose=organization_of_booking)
@require_GET
def booking_certificate(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The certificate of erasure as a PDF."""
    booking = booking_seen_by(request.user, pk)
    certificate = getattr(booking, "certificate", None)
    if certificate is None:
        return render(request, "bookings/no_certificate.html", {"booking": booking}, status=404)
    answer = HttpResponse(certificates.pdf_of(certificate), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="certificate-of-erasure-{booking.reference}.pdf"'
    return answer


@token_or_login(Scope.BOOKINGS_READ, whose=organization_of_booking)
@require_GET
def evidence_logs(request: AuthenticatedRequest, pk: UUID, evidence_pk: UUID) -> FileResponse:
    """What the commands of an erasure printed, for those who see the booking. Always a download."""
    booking = booking_seen_by(request.user, pk)
    evidence = get_object_or_404(WipeEvidence, pk=evidence_pk, booking=booking)
    name = f"wipe-{booking.reference}-{short(evidence.pk)}.log"
    return FileResponse(
        evidence.logs.open(), as_attachment=True, filename=name, content_type="application/octet-stream"
    )


@login_required
@require_POST
def booking_wipe_retry(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Have the machine try its erasure again at once."""
    booking: Booking = booking_seen_by(request.user, pk)
    if booking.machine.provider_id != request.user.pk and not request.user.is_platform_administrator:
        raise Http404(_("There is no such booking of your machines."))
    try:
        retry_wipe(booking_id=pk, by=request.user, now=timezone.now())
    except BookingError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The machine is asked to try again."))
    return redirect("booking_detail", pk=pk)
