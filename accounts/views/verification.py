"""Asking to be verified, step by step, and the documents that show who somebody is.

Every step is a page with one form and saves what it takes, so nothing is lost between them and nothing needs a script.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Verification, VerificationDocument
from accounts.requests import AuthenticatedRequest
from accounts.services import verification_documents as documents
from accounts.services import verifications
from accounts.verification_forms import DetailsForm, DocumentsForm, KindForm, SendForm
from accounts.verification_needs import NEEDS, missing, needs_met
from common import files
from common.errors import MarketplaceError
from common.rates import TooManyRequests, spend

#: What a browser may do with a document: nothing but show it. The styles are those of its own page around an image.
SANDBOX = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"
#: Seconds after which somebody who asked too often may ask again.
MINUTE = 60

Step = Callable[..., HttpResponse]


@login_required
@require_http_methods(["GET", "POST"])
def verification_request(request: AuthenticatedRequest) -> HttpResponse:
    """Where somebody stands, and the first step: who is to be verified."""
    standing = verifications.standing_of(request.user, now=timezone.now())
    begun = standing.request or standing.last or standing.approval
    form = KindForm(request.POST or None, initial={"kind": begun.kind if begun else Verification.Kind.INDIVIDUAL})
    if request.method == "POST" and form.is_valid():
        try:
            verifications.start_request(user=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            return redirect("verification_details")
    asked = standing.request
    context = {
        "form": form,
        "standing": standing,
        "question": asked.questions.filter(answered_at=None).first() if asked and asked.needs_more else None,
        "needs": NEEDS,
    }
    return _page(request, "accounts/verification.html", context, step=1)


def _page(request: AuthenticatedRequest, template: str, context: dict[str, Any], *, step: int) -> HttpResponse:
    about = {"step": step, "retention_days": settings.MARKETPLACE_DOCUMENT_RETENTION.days}
    return render(request, template, {**about, **context}, status=422 if context["form"].errors else 200)


def step(view: Step) -> Step:
    """A later step: for whoever has a request that can be changed. Others begin at the first."""

    @wraps(view)
    def wrapper(request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        row = request.user.verifications.filter(status__in=Verification.WRITABLE).first()
        return redirect("verification_request") if row is None else view(request, row, *args, **kwargs)

    return wrapper


@login_required
@require_http_methods(["GET", "POST"])
@step
def verification_details(request: AuthenticatedRequest, row: Verification) -> HttpResponse:
    """The second step: who they are, in words."""
    form = DetailsForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        try:
            verifications.save_details(user=request.user, **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            return redirect("verification_documents")
    return _page(request, "accounts/verification_details.html", {"form": form, "verification": row}, step=2)


@login_required
@require_http_methods(["GET", "POST"])
@step
def verification_documents(request: AuthenticatedRequest, row: Verification) -> HttpResponse:
    """The third step: the documents, as many as it needs, one upload after the other or several at once."""
    form = DocumentsForm(request.POST or None, request.FILES or None, verification=row)
    if request.method == "POST":
        try:
            spend(settings.MARKETPLACE_UPLOAD_RATE, "document", str(request.user.pk))
        except TooManyRequests as error:
            return _too_often(request, error)
        if form.is_valid() and _take(request, form):
            return redirect("verification_documents")
    context = {
        "form": form,
        "verification": row,
        "documents": row.documents.filter(deleted_at=None),
        "needs": needs_met(row),
    }
    return _page(request, "accounts/verification_documents.html", context, step=3)


def _take(request: AuthenticatedRequest, form: DocumentsForm) -> bool:
    """Add what was uploaded; what was refused is said in the form. Returns whether all of it was taken."""
    try:
        taken = documents.add_documents(
            user=request.user,
            kind=form.cleaned_data["kind"],
            uploads=form.cleaned_data["uploads"],
            now=timezone.now(),
        )
    except MarketplaceError as error:
        form.add_error(None, error.message)
        return False
    for refusal in taken.refusals:
        form.add_error("uploads", refusal)
    return not taken.refusals


def _too_often(request: AuthenticatedRequest, error: TooManyRequests) -> HttpResponse:
    response = render(request, "429.html", {"message": error.message, "retry_after": MINUTE}, status=429)
    response["Retry-After"] = str(MINUTE)
    return response


@login_required
@require_POST
@step
def verification_document_remove(request: AuthenticatedRequest, row: Verification, pk: UUID) -> HttpResponse:
    """Take a document out again."""
    get_object_or_404(row.documents, pk=pk)
    try:
        documents.remove_document(user=request.user, document_id=pk)
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The document is removed."))
    return redirect("verification_documents")


@login_required
@require_http_methods(["GET", "POST"])
@step
def verification_check(request: AuthenticatedRequest, row: Verification) -> HttpResponse:
    """The last step: everything once more, and off it goes."""
    form = SendForm(request.POST if request.method == "POST" else None, verification=row)
    if request.method == "POST" and form.is_valid():
        try:
            verifications.send_request(user=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("Your request is with an administrator. You get a mail when it is decided."))
            return redirect("verification_request")
    context = {
        "form": form,
        "verification": row,
        "documents": row.documents.filter(deleted_at=None),
        "question": row.questions.filter(answered_at=None).first(),
        "missing": missing(row),
    }
    return _page(request, "accounts/verification_check.html", context, step=4)


@login_required
@require_POST
def verification_discard(request: AuthenticatedRequest) -> HttpResponse:
    """Throw away what has not been sent."""
    if verifications.discard_draft(user=request.user):
        messages.success(request, _("Your request is thrown away, with its documents."))
    return redirect("verification_request")


# Documents ----------------------------------------------------------------------------------------------


@login_required
@require_GET
@never_cache
def verification_document(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """To a link of one's own, which works for a few minutes."""
    document = get_object_or_404(VerificationDocument.objects.select_related("verification"), pk=pk)
    if not documents.may_open(document, request.user):
        raise Http404(_("There is no such document."))
    return redirect("verification_file", token=documents.link_token(document, viewer=request.user))


@login_required
@require_GET
@never_cache
def verification_file(request: AuthenticatedRequest, token: str) -> HttpResponse:
    """The document itself, for whom the link was made. Images are shown, PDFs are downloads."""
    try:
        found = documents.opened(token, viewer=request.user, now=timezone.now())
    except documents.LinkExpired as error:
        return render(request, "accounts/link_expired.html", {"message": error.message}, status=410)
    except files.StorageAway as error:
        return render(request, "accounts/link_expired.html", {"message": error.message}, status=503)
    except files.FileMissing as error:
        raise Http404(error.message) from error
    if found is None:
        raise Http404(_("There is no such document."))
    document, content = found
    shown = "inline" if document.is_image else "attachment"
    return HttpResponse(
        content,
        content_type=document.media_type,
        headers={
            "Content-Disposition": f'{shown}; filename="{documents.file_name(document)}"',
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )
