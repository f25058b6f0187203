"""A copy of all of a person's data: asked for, made by a task, downloaded for some days, and forgotten."""

import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import privacy
from accounts.event_kinds import EventKind
from accounts.models import DataExport, Notification, User
from accounts.outbox import written_for
from accounts.privacy import Export
from accounts.services.telling import tell
from common import files, formats
from common.errors import MarketplaceError
from common.leases import Clock, growing_pause
from common.queue import soon
from common.rates import spend

log = logging.getLogger(__name__)

#: The folder in the storage. Nothing there is ever served by its name, and the names cannot be guessed.
FOLDER = "exports"
#: Whoever makes one says so at least this often; after so long a silence somebody else begins anew.
LEASE = timedelta(minutes=3)
SAYS_SO_SECONDS = 1.0
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=30)
#: After so many tries a person is told that it did not work.
MOST_ATTEMPTS = 5
#: What is copied from the storage at a time, in bytes.
PIECE = 256 * 1024


class NoExport(MarketplaceError):
    """There is no copy to download."""


class _Abandoned(Exception):
    """Somebody else makes this one, or nobody wants it any more."""


def ask_for_export(*, user: User, now: datetime) -> DataExport:
    """Have a copy made. Asking while one is being made returns that one.

    Raises:
        TooManyRequests: that was asked too often.
    """
    going_on = user.data_exports.open().first()
    if going_on is not None:
        return going_on
    spend(settings.MARKETPLACE_EXPORT_RATE, "export", str(user.pk))
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        export: DataExport = user.data_exports.open().first() or DataExport.objects.create(
            user=user, asked_at=now, next_attempt_at=now, file=f"{FOLDER}/{secrets.token_hex(24)}.zip"
        )
        soon("accounts.tasks.make_exports")
    log.info("export %s asked for by user %s", export.pk, user.pk)
    return export


def open_export(*, export: DataExport, now: datetime) -> IO[bytes]:
    """The file, to be read a part at a time.

    Raises:
        NoExport: it is not made yet, or its time is over.
        FileMissing: the storage has lost it.
        StorageAway: it cannot be read at the moment.
    """
    if not export.is_there(now=now):
        raise NoExport(_("This copy is not there any more. Ask for a new one."))
    return files.opened(export.file)


# Making them ----------------------------------------------------------------------------------------------


def make_due(*, now: datetime, limit: int = 5) -> int:
    """Make what is asked for and return how many were made. Safe to run twice at once, and after being killed."""
    clock = Clock(now)
    due = DataExport.objects.due(now=now).values_list("pk", flat=True)[:limit]
    return sum(_make(pk, clock) for pk in due)


def _make(pk: UUID, clock: Clock) -> bool:
    now = clock.now()
    taken = DataExport.objects.due(now=now).filter(pk=pk).order_by()
    if not taken.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1, done=0, total=0, doing="", error=""):
        return False
    export = DataExport.objects.select_related("user").get(pk=pk)
    try:
        with TemporaryFile() as whole, written_for(export.user):
            _write(export, whole, clock)
            size = whole.tell()
            whole.seek(0)
            files.put(export.file, whole)
            _finish(export, size, now=clock.now())
    except _Abandoned:
        _leave_nothing(export)
        return False
    except Exception as error:  # whatever is wrong with one, the others get their turn
        log.exception("export %s was not made", pk)
        with written_for(export.user):
            _fail(export, error, now=clock.now())
        return False
    return True


def _leave_nothing(export: DataExport) -> None:
    """Delete the file of one that nobody wants any more. While somebody else makes it, or has, the name is theirs."""
    row = DataExport.objects.filter(pk=export.pk).first()
    if row is not None and row.failed_at is None:
        return
    try:
        files.delete(export.file)
    except files.StorageAway:
        log.exception("the file of export %s could not be deleted", export.pk)


@dataclass
class _Progress:
    """Says how far it is, often enough to keep the row, and seldom enough to cost nothing."""

    export: DataExport
    clock: Clock
    done: int = 0
    said_at: float = field(default_factory=time.monotonic)

    def say(self, **changes: Any) -> None:
        """
        Raises:
            _Abandoned: the row is not ours any more.
        """
        mine = DataExport.objects.open().filter(pk=self.export.pk, attempts=self.export.attempts)
        if not mine.update(next_attempt_at=self.clock.now() + LEASE, done=self.done, **changes):
            raise _Abandoned
        self.said_at = time.monotonic()

    def step(self, count: int = 1) -> None:
        self.done += count
        self.keep()

    def keep(self) -> None:
        if time.monotonic() - self.said_at > SAYS_SO_SECONDS:
            self.say()


@dataclass
class _Written:
    """What of one kind is in the copy, for its first page."""

    title: str
    path: str
    count: int = 0
    files: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def _write(export: DataExport, whole: IO[bytes], clock: Clock) -> None:
    """The whole zip: a file for each kind, files in folders, and a page that lists them."""
    person, kinds, progress = export.user, privacy.exports(), _Progress(export, clock)
    progress.say(total=sum(kind.count(person) for kind in kinds))
    with ZipFile(whole, "w", ZIP_DEFLATED) as archive:
        written = [_write_kind(archive, kind, person, progress) for kind in kinds]
        context = {"export": export, "kinds": written, "now": clock.now()}
        archive.writestr("index.html", render_to_string("accounts/export_index.html", context))
    progress.say(doing="")


def _write_kind(archive: ZipFile, kind: Export, person: User, progress: _Progress) -> _Written:
    written = _Written(str(kind.title), f"{kind.name}.json")
    progress.say(doing=written.title[:80])
    records = iter(kind.records(person))
    first = next(records, None)
    if first is not None:
        with archive.open(written.path, "w", force_zip64=True) as out:
            for piece in _as_json(first, records):
                out.write(piece)
                written.count += 1
                progress.step()
            out.write(b"\n]\n")
    for file in kind.files(person) if kind.files else ():
        name = f"{kind.name}/{file.name}"
        try:
            _copy(archive, name, file.stored, progress)
        except files.FileMissing:
            written.missing.append(name)
        else:
            written.files.append(name)
    return written


def _as_json(first: Mapping[str, Any], others: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """The records of a list, one after the other; its end is whoever reads it to write."""
    yield b"[\n" + _record(first)
    for record in others:
        yield b",\n" + _record(record)


def _record(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode()


def _copy(archive: ZipFile, name: str, stored: str, progress: _Progress) -> None:
    with files.opened(stored) as source, archive.open(name, "w", force_zip64=True) as out:
        while piece := source.read(PIECE):
            out.write(piece)
            progress.keep()


@transaction.atomic
def _finish(export: DataExport, size: int, *, now: datetime) -> None:
    mine = DataExport.objects.open().filter(pk=export.pk, attempts=export.attempts)
    expires = now + settings.MARKETPLACE_EXPORT
    if not mine.update(ready_at=now, expires_at=expires, size=size, done=F("total"), doing=""):
        raise _Abandoned
    tell(
        user=export.user,
        event=EventKind.SECURITY,
        key=f"export-ready:{export.pk}",
        subject=_("The copy of your data is ready"),
        paragraphs=[
            _("You asked for a copy of all that we hold about you. It can be downloaded until %(until)s.")
            % {"until": formats.when(expires)},
            _("If you did not ask for it, somebody else can sign in as you: change your password now."),
        ],
        action=(_("Download it"), reverse("privacy")),
        tone=Notification.Tone.GOOD,
        now=now,
    )


@transaction.atomic
def _fail(export: DataExport, error: Exception, *, now: datetime) -> None:
    mine = DataExport.objects.open().filter(pk=export.pk, attempts=export.attempts)
    pause = growing_pause(export.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    is_last = export.attempts >= MOST_ATTEMPTS
    changed = mine.update(
        error=repr(error)[:300], next_attempt_at=now + pause, failed_at=now if is_last else None,
        expires_at=now + settings.MARKETPLACE_EXPORT if is_last else None,
    )  # fmt: skip
    if changed and is_last:
        tell(
            user=export.user,
            event=EventKind.SECURITY,
            key=f"export-failed:{export.pk}",
            subject=_("The copy of your data could not be made"),
            paragraphs=[_("We have tried several times. Please ask for it once more; if it fails again, write to us.")],
            action=(_("Ask again"), reverse("privacy")),
            tone=Notification.Tone.BAD,
            now=now,
        )


# Forgetting them ------------------------------------------------------------------------------------------


def forget_due(*, now: datetime, limit: int = 100) -> int:
    """Delete copies whose time is over, the file first: a row whose file could not be deleted is met again."""
    forgotten = 0
    for export in DataExport.objects.outlived(now=now)[:limit]:
        try:
            files.delete(export.file)
        except files.StorageAway:
            continue
        export.delete()
        forgotten += 1
    return forgotten


def newest_of(user: User) -> DataExport | None:
    """What the person's page shows."""
    return user.data_exports.exclude(expires_at__lte=timezone.now()).order_by("-asked_at").first()
