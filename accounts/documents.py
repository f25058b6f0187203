"""What a document that somebody uploads really is. Writes nothing; ``docs/decisions/0036-documents.md`` says why so.

A file is taken when everything about it says the same: its beginning, its name, the type that the browser declared, and
what a reader makes of the whole of it. Images are written anew from their pixels, so nothing that was hidden in them or
hung on them is kept. PDFs are kept as they are, because a register's signature would not survive anything else; those with
a password, scripts or other files inside are refused.
"""

import hashlib
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.utils.translation import gettext as _
from PIL import Image, ImageOps
from pypdf import PdfReader, apply_configuration
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject

from common.errors import MarketplaceError

PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"

#: What the names of each type end in, the usual one first.
ENDINGS = {PDF: (".pdf",), JPEG: (".jpg", ".jpeg"), PNG: (".png",)}
#: How each type begins.
BEGINNINGS = {PDF: b"%PDF-", JPEG: b"\xff\xd8\xff", PNG: b"\x89PNG\r\n\x1a\n"}
WORDS = {PDF: "PDF", JPEG: "JPEG", PNG: "PNG"}
#: Other names that browsers have for them. Nothing, or "some bytes", declares nothing.
ALSO_CALLED = {"application/x-pdf": PDF, "image/jpg": JPEG, "image/pjpeg": JPEG, "image/x-png": PNG}
UNDECLARED = ("", "application/octet-stream")

#: A page of A4 at 600 dpi has 35 million. Each takes four bytes of memory while the image is read.
MOST_PIXELS = 40_000_000
MOST_PAGES = 100
#: Objects in a PDF of that many pages.
MOST_OBJECTS = 50_000
JPEG_QUALITY = 92
#: Passes in which a JPEG is stored. Each goes over all pixels, whatever little it holds; cameras and programs make twelve
#: at most.
MOST_PASSES = 100
NEXT_PASS = b"\xff\xda"
#: How often a PDF is read from its beginning to its end, and for how long in all, in seconds of this thread's own. Ones of
#: papers take two readings and a few seconds at most.
MOST_READINGS = 8
MOST_SECONDS = 10.0
#: What the tables and the other objects that are packed into one may unpack to, in bytes. Pages themselves stay packed.
MOST_UNPACKED = 5_000_000
UNPACKED: dict[str, Any] = {
    f"{packed}_maximum_output_length": MOST_UNPACKED for packed in ("zlib", "lzw", "run_length", "brotli")
}

#: What a PDF that only shows something has no use for, by the words that name it in one.
SCRIPTS = frozenset({"/JS", "/JavaScript", "/Launch", "/RichMedia", "/RichMediaExecute", "/XFA", "/ImportData"})
FILES_INSIDE = frozenset({"/EmbeddedFile", "/EmbeddedFiles", "/EF", "/FileAttachment"})
#: The same in bytes that no table of the PDF leads to, where another reader might still find them.
HIDDEN = re.compile(rb"/(?:JavaScript|Launch|RichMedia|EmbeddedFile|FileAttachment)[\s/<\[(>]")


class DocumentRefused(MarketplaceError):
    """A file that is not taken, with what to do about it."""


@dataclass(frozen=True)
class Document:
    """A file that was read and found to be what it says."""

    data: bytes
    media_type: str
    pages: int
    sent_sha256: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def ending(self) -> str:
        return ENDINGS[self.media_type][0]


def read_document(*, name: str, declared: str, data: bytes) -> Document:
    """
    Args:
        name: the file's own, with its ending.
        declared: the type that came with it.

    Raises:
        DocumentRefused: it is not a PDF, JPEG or PNG, not the one that it says, or none that can be read safely.
    """
    if not data:
        raise DocumentRefused(_("“%(name)s” is empty. Choose the file again.") % {"name": name})
    media_type = _type_of(name, data)
    _agree(name, declared, media_type)
    read: Callable[[str, bytes], tuple[bytes, int]] = _read_pdf if media_type == PDF else _read_image
    content, pages = read(name, data)
    return Document(content, media_type, pages, hashlib.sha256(data).hexdigest())


# What it is ---------------------------------------------------------------------------------------------


def _type_of(name: str, data: bytes) -> str:
    for media_type, beginning in BEGINNINGS.items():
        if data.startswith(beginning):
            return media_type
    raise DocumentRefused(_("“%(name)s”: %(why)s") % {"name": name, "why": _stranger(data)})


def _stranger(data: bytes) -> str:
    """What to do with a file that is none of the three, as far as its beginning tells."""
    head = data[:1024]
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif"):
        return _(
            "This is a HEIC or AVIF photo, as some phones take them. Export or share it as JPEG, then upload that."
        )
    if head.startswith(b"PK\x03\x04"):
        return _("This is an archive, or a document of an office program. Save it as PDF, then upload that.")
    if head.startswith((b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        return _("This is a document of an office program. Save it as PDF, then upload that.")
    if head.startswith((b"GIF8", b"BM", b"II*\0", b"MM\0*")) or head[8:12] == b"WEBP":
        return _("This is an image of another kind. Save it as JPEG or PNG, then upload that.")
    if b"%PDF-" in head:
        return _("There is something before the beginning of the PDF. Print it into a new PDF, then upload that.")
    return _("This is not a PDF, JPEG or PNG, whatever its name says. Upload a scan or a photo in one of these.")


def _agree(name: str, declared: str, media_type: str) -> None:
    """The name and the declared type have to say what the content says."""
    ending = PurePath(name).suffix.lower()
    right = ENDINGS[media_type]
    if ending not in right:
        raise DocumentRefused(
            _(
                "“%(name)s” is a %(type)s inside, so its name has to end in %(ending)s. Check that it is the right file, rename it, and upload it again."
            )
            % {"name": name, "type": WORDS[media_type], "ending": right[0]}
        )
    declared = declared.partition(";")[0].strip().lower()
    if declared not in UNDECLARED and ALSO_CALLED.get(declared, declared) != media_type:
        raise DocumentRefused(
            _(
                "“%(name)s” was sent as %(declared)s, and is a %(type)s inside. Save it as %(type)s once more, and upload that."
            )
            % {"name": name, "declared": declared, "type": WORDS[media_type]}
        )


# Images -------------------------------------------------------------------------------------------------


def _read_image(name: str, data: bytes) -> tuple[bytes, int]:
    """The image's pixels, written anew: upright, without EXIF and whatever else came with it."""
    kind = "PNG" if data.startswith(BEGINNINGS[PNG]) else "JPEG"
    broken = _("“%(name)s” is damaged: it cannot be read to its end. Scan or export it once more.") % {"name": name}
    if kind == "JPEG" and data.count(NEXT_PASS) > MOST_PASSES:
        raise DocumentRefused(
            _("“%(name)s” is stored in more than %(most)s passes. Save it as JPEG once more, and upload that.")
            % {"name": name, "most": MOST_PASSES}
        )
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            _check_size(name, image)
            image.verify()
        with Image.open(io.BytesIO(data), formats=[kind]) as image:  # verifying leaves nothing to read
            image.load()
            return _written_anew(image, kind), 1
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name) from error
    except DocumentRefused:
        raise
    except Exception as error:  # what is damaged breaks the reader in many ways
        raise DocumentRefused(broken) from error


def _check_size(name: str, image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise _too_many_pixels(name)


def _too_many_pixels(name: str) -> DocumentRefused:
    return DocumentRefused(
        _("“%(name)s” has more than %(most)s million pixels. Scan it with 300 dpi, or make it smaller.")
        % {"name": name, "most": MOST_PIXELS // 1_000_000}
    )


def _written_anew(image: Image.Image, kind: str) -> bytes:
    upright = ImageOps.exif_transpose(image)
    plain = upright.convert(_mode(upright, kind))
    plain.info = {}
    written = io.BytesIO()
    if kind == "JPEG":
        plain.save(written, "JPEG", quality=JPEG_QUALITY)
    else:
        plain.save(written, "PNG", compress_level=4)
    return written.getvalue()


def _mode(image: Image.Image, kind: str) -> str:
    """How pixels are kept: as they are where that is simple, else in full colour."""
    if image.mode in ("1", "L", "RGB") and "transparency" not in image.info:
        return "L" if image.mode == "1" and kind == "JPEG" else image.mode
    return "RGBA" if kind == "PNG" and image.has_transparency_data else "RGB"


# PDFs ---------------------------------------------------------------------------------------------------


class Patience(io.BufferedReader):
    """The bytes of a PDF, for a reader that may take only so long over them.

    pypdf mends what is damaged by going through the whole file, once for each object that a table has wrong. In a file that
    was made for it, that would take hours. Unlike ``BytesIO`` this lends no buffer, so that every reading comes by here.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._readings = 0
        self._ends = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        """
        Raises:
            ValueError: there were too many readings, or they took too long.
        """
        if size is None or size < 0:
            self._readings += 1
            if self._readings > MOST_READINGS:
                raise ValueError("read from end to end too often")
        self.check()
        return super().read(size)

    def check(self) -> None:
        """
        Raises:
            ValueError: it took too long.
        """
        if time.thread_time() > self._ends:
            raise ValueError("takes too long to read")


def _read_pdf(name: str, data: bytes) -> tuple[bytes, int]:
    again = _("Print it into a new PDF, then upload that.")
    if zipfile.is_zipfile(io.BytesIO(data)):
        raise DocumentRefused(_("“%(name)s” is a PDF and an archive at once.") % {"name": name} + f" {again}")
    broken = _("“%(name)s” is damaged: not all of its pages can be read.") % {"name": name} + f" {again}"
    try:
        with apply_configuration(**UNPACKED):
            patience = Patience(data)
            reader = PdfReader(patience, strict=False)
            if reader.is_encrypted:
                raise DocumentRefused(
                    _("“%(name)s” has a password or is restricted. Remove that, or print it into a new PDF.")
                    % {"name": name}
                )
            pages = sum(1 for page in reader.pages if page.mediabox)
            words = {word for one in _objects(reader, patience) for word in _words(one)}
    except DocumentRefused:
        raise
    except Exception as error:  # as with images
        raise DocumentRefused(broken) from error
    if not pages:
        raise DocumentRefused(broken)
    if pages > MOST_PAGES:
        raise DocumentRefused(
            _("“%(name)s” has %(pages)s pages. Upload the ones that matter, %(most)s at most.")
            % {"name": name, "pages": pages, "most": MOST_PAGES}
        )
    if words & FILES_INSIDE:
        raise DocumentRefused(_("“%(name)s” has other files inside.") % {"name": name} + f" {again}")
    if words & SCRIPTS or HIDDEN.search(data):
        raise DocumentRefused(
            _("“%(name)s” has scripts inside, or a form that runs them.") % {"name": name} + f" {again}"
        )
    return data, pages


def _objects(reader: PdfReader, patience: Patience) -> Iterator[Any]:
    """Every object that the tables of the PDF know, whether or not a page leads to it.

    Raises:
        ValueError: there are more than any document of papers has, or they take too long to read.
    """
    numbers = {(number, generation) for generation, known in reader.xref.items() for number in known}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > MOST_OBJECTS:
        raise ValueError("too many objects")
    yield reader.trailer
    for number, generation in sorted(numbers):
        patience.check()  # objects inside others are read without another look at the file
        if number and generation != 65535:  # the head of the list of free ones
            yield IndirectObject(number, generation, reader).get_object()


def _words(one: Any) -> Iterator[str]:
    """The keys and names in an object, down to what is a number of another."""
    waiting = [one]
    while waiting:
        part = waiting.pop()
        if isinstance(part, NameObject):
            yield str(part)
        elif isinstance(part, DictionaryObject):
            for key, value in part.items():
                yield str(key)
                waiting.append(value)
        elif isinstance(part, ArrayObject):
            waiting.extend(part)
