"""Files that belong to rows: when the transaction takes its rows back, the files go too."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from common.errors import MarketplaceError

log = logging.getLogger(__name__)

_stored: ContextVar[list[str] | None] = ContextVar("stored", default=None)


class StorageAway(MarketplaceError):
    """The storage of files cannot be reached. It may well be back in a moment."""


class FileMissing(MarketplaceError):
    """The storage answers, and the file is not in it."""


@contextmanager
def kept_with_rows() -> Iterator[None]:
    """Whatever is stored within is deleted again if it ends with an exception.

    Goes *around* the transaction, so that a commit that fails counts. One inside another leaves the last word to the
    outer one.
    """
    outer = _stored.get()
    mine: list[str] = []
    token = _stored.set(mine)
    try:
        yield
    except BaseException:
        for name in mine:
            _delete(name)
        raise
    finally:
        _stored.reset(token)
    if outer is not None:
        outer.extend(mine)


def store(name: str, data: bytes) -> str:
    """Store ``data`` and return the name that the storage gave it. To be called inside :func:`kept_with_rows`.

    Raises:
        StorageAway: it could not be stored.
    """
    stored = _stored.get()
    if stored is None:
        raise RuntimeError("A file is stored inside kept_with_rows(), so that it does not outlive its row.")
    try:
        name = default_storage.save(name, ContentFile(data))
    except Exception as error:  # each storage has errors of its own
        log.warning("%s could not be stored: %r", name, error)
        raise StorageAway(_("The marketplace's storage is away. Try again in a moment.")) from error
    stored.append(name)
    return name


def put(name: str, file: IO[bytes]) -> None:
    """Store a file as long as it may be, a part at a time, under a name that a row has had since before: whoever is
    killed in between leaves nothing behind that no row knows of. What is there under that name is written over.

    Raises:
        StorageAway: it could not be stored.
    """
    delete(name)
    try:
        stored = default_storage.save(name, File(file))
    except Exception as error:  # each storage has errors of its own
        log.warning("%s could not be stored: %r", name, error)
        raise StorageAway(_("The marketplace's storage is away. Try again in a moment.")) from error
    if stored != name:
        delete(stored)
        raise StorageAway(f"Somebody else stored {name} at the same moment.")


@contextmanager
def _told(name: str | None) -> Iterator[str]:
    """What goes wrong with this file, in our own errors."""
    if not name:
        raise FileMissing(_("There is no such file."))
    try:
        yield name
    except FileNotFoundError as error:
        raise FileMissing(f"{name} is not in the storage.") from error
    except Exception as error:  # each storage has errors of its own
        log.warning("%s could not be read: %r", name, error)
        raise StorageAway(_("The marketplace's storage is away. Try again in a moment.")) from error


def read(name: str | None) -> bytes:
    """
    Raises:
        FileMissing: there is no such file.
        StorageAway: it cannot be read at the moment.
    """
    with _told(name) as known, default_storage.open(known) as file:
        return bytes(file.read())


def opened(name: str | None) -> File[bytes]:
    """As :func:`read`, for a file that is read a part at a time. Whoever asks closes it."""
    with _told(name) as known:
        file: File[bytes] = default_storage.open(known)
        file.seek(0)  # some storages ask for nothing until somebody does
        return file


def delete(name: str) -> None:
    """What is not there any more counts as deleted.

    Raises:
        StorageAway: it cannot be deleted at the moment.
    """
    try:
        default_storage.delete(name)
    except Exception as error:  # each storage has errors of its own
        log.warning("%s could not be deleted: %r", name, error)
        raise StorageAway(_("The marketplace's storage is away. Try again in a moment.")) from error


def _delete(name: str) -> None:
    try:
        default_storage.delete(name)
    except Exception:
        log.exception("%s was stored for a row that was not written, and could not be deleted", name)
