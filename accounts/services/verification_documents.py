"""Documents of a request to be verified: taken in, opened by those who may, and forgotten in time."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.documents import ENDINGS, Document, DocumentRefused, read_document
from accounts.models import DocumentOpening, User, Verification, VerificationDocument
from accounts.services.verifications import writable
from common import files
from common.errors import MarketplaceError
from common.leases import Clock
from common.queue import soon

log = logging.getLogger(__name__)

#: The folder in the storage. Nothing there is ever served by its name, and the names cannot be guessed.
FOLDER = "verification"
MEGABYTE = 1024 * 1024
LONGEST_NAME = 200


class LinkExpired(MarketplaceError):
    """A link to a document that was good once."""


# Taking them in -------------------------------------------------------------------------------------------


@dataclass
class Taken:
    """What became of an upload: the documents that were taken, and why the others were not."""

    documents: list[VerificationDocument] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def add_documents(*, user: User, kind: str, uploads: Sequence[UploadedFile[bytes]], now: datetime) -> Taken:
    """Add each to the person's request, if it is what it says. One that is refused keeps none of the others out.

    Raises:
        VerificationError: there is no request that can be changed.
        StorageAway: they cannot be stored at the moment.
    """
    taken = Taken()
    for upload in uploads:
        try:
            taken.documents.append(_add(user=user, kind=kind, upload=upload, now=now))
        except DocumentRefused as error:
            taken.refusals.append(error.message)
    return taken


def _add(*, user: User, kind: str, upload: UploadedFile[bytes], now: datetime) -> VerificationDocument:
    name = (upload.name or "document")[-LONGEST_NAME:]
    if (upload.size or 0) > settings.MARKETPLACE_DOCUMENT_BYTES:
        raise DocumentRefused(
            _("“%(name)s” is larger than %(most)s MB. Scan it with 300 dpi, or upload the pages that matter.")
            % {"name": name, "most": settings.MARKETPLACE_DOCUMENT_BYTES // MEGABYTE}
        )
    document = read_document(name=name, declared=upload.content_type or "", data=upload.read())
    with files.kept_with_rows(), transaction.atomic():
        request = writable(user)
        _check_room(request, name, document)
        stored = files.store(f"{FOLDER}/{secrets.token_hex(24)}{document.ending}", document.data)
        return VerificationDocument.objects.create(
            verification=request,
            kind=kind,
            name=name,
            file=stored,
            media_type=document.media_type,
            size=len(document.data),
            pages=document.pages,
            sha256=document.sha256,
            sent_sha256=document.sent_sha256,
            uploaded_at=now,
        )


def _check_room(request: Verification, name: str, document: Document) -> None:
    """
    Raises:
        DocumentRefused: it is there already, or the request has as many or as much as it may.
    """
    there = list(request.documents.filter(deleted_at=None))
    most, room = settings.MARKETPLACE_DOCUMENTS_MOST, settings.MARKETPLACE_DOCUMENTS_BYTES
    if any(one.sent_sha256 == document.sent_sha256 for one in there):
        raise DocumentRefused(_("“%(name)s” is there already.") % {"name": name})
    if len(there) >= most:
        raise DocumentRefused(
            _("“%(name)s” is one too many: %(most)s documents are enough. Remove one first.")
            % {"name": name, "most": most}
        )
    if sum(one.size for one in there) + len(document.data) > room:
        raise DocumentRefused(
            _("“%(name)s” is too much: all documents together have %(most)s MB at most. Remove one first.")
            % {"name": name, "most": room // MEGABYTE}
        )


@transaction.atomic
def remove_document(*, user: User, document_id: UUID) -> bool:
    """Take a document out of a request that can still be changed. Returns whether there was one.

    Raises:
        VerificationError: there is no request that can be changed.
    """
    removed = writable(user).documents.filter(pk=document_id).update(verification=None)
    soon("accounts.tasks.forget_documents")
    return bool(removed)


# Opening them ---------------------------------------------------------------------------------------------


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="accounts.verification-document")


def link_token(document: VerificationDocument, *, viewer: User) -> str:
    """What opens this document for this person, for ``MARKETPLACE_DOCUMENT_LINK_MINUTES``."""
    return _signer().sign_object([str(document.pk), str(viewer.pk)])


def may_open(document: VerificationDocument, viewer: User) -> bool:
    """Its own person may, and administrators once the request has been sent."""
    request = document.verification
    if request is None or document.deleted_at is not None:
        return False
    return request.user_id == viewer.pk or (viewer.is_platform_administrator and not request.is_draft)


def opened(token: str, *, viewer: User, now: datetime) -> tuple[VerificationDocument, bytes] | None:
    """The document that a link leads to, with its content; that it was opened is written down first.

    ``None``: the link was never made, was made for somebody else, or its person may not see the document any more.

    Raises:
        LinkExpired: it was good, and is too old.
        FileMissing: the storage has lost it, or holds something else.
        StorageAway: it cannot be read at the moment.
    """
    try:
        document_id, viewer_id = _signer().unsign_object(token)
        document = VerificationDocument.objects.select_related("verification").filter(pk=UUID(document_id)).first()
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if viewer_id != str(viewer.pk) or document is None or not may_open(document, viewer):
        return None
    try:
        _signer().unsign_object(token, max_age=settings.MARKETPLACE_DOCUMENT_LINK)
    except signing.SignatureExpired as error:
        raise LinkExpired(_("This link has expired. Open the document once more from its page.")) from error
    content = files.read(document.file)
    if sha256(content).hexdigest() != document.sha256:
        log.error("the stored document %s is not the one that was uploaded", document.pk)
        raise files.FileMissing(_("What is stored is not the document that was uploaded."))
    DocumentOpening.objects.create(document=document, by=viewer, at=now)
    return document, content


def file_name(document: VerificationDocument) -> str:
    """What a download is called: never the words that somebody else chose."""
    return f"{document.kind}-{document.pk.hex[-8:]}{ENDINGS[document.media_type][0]}"


# Forgetting them ------------------------------------------------------------------------------------------


def forget_due(*, now: datetime, limit: int = 200) -> int:
    """Delete the files that nobody wants any more, and those whose retention time is over. Returns how many.

    The file goes first: a row whose file could not be deleted is met by the next sweep again.
    """
    before = Clock(now)
    unwanted = VerificationDocument.objects.unwanted()
    outlived = VerificationDocument.objects.outlived(before=now - settings.MARKETPLACE_DOCUMENT_RETENTION)
    due = [*unwanted.values_list("pk", flat=True)[:limit], *outlived.values_list("pk", flat=True)[:limit]]
    return sum(_forget(pk, now=before.now()) for pk in due)


@transaction.atomic
def _forget(pk: UUID, *, now: datetime) -> bool:
    row = VerificationDocument.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if row is None:
        return False
    try:
        if row.file:
            files.delete(row.file)
    except files.StorageAway:
        return False
    if row.verification_id is None:
        row.delete()
        return True
    row.file, row.name, row.deleted_at = "", "", now
    row.save(update_fields=["file", "name", "deleted_at"])
    return True
