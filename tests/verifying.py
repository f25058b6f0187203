"""Papers to try: real files of each type, and requests to be verified in each state of their life."""

import zlib
from datetime import datetime
from io import BytesIO
from typing import Any

import typst
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from accounts.documents import JPEG, PDF, PNG
from accounts.models import DocumentKind, User, Verification
from accounts.services import verification_documents, verifications

#: Where it was taken and with what: what no reviewer needs.
CAMERA, PLACE = "Camera of the test", 0x8825


def png(size: tuple[int, int] = (60, 40), *, colour: str = "#336699") -> bytes:
    return _written(Image.new("RGB", size, colour), "PNG")


def jpeg(size: tuple[int, int] = (60, 40), *, exif: bool = False, upside: int = 1) -> bytes:
    """``upside``: how the camera was held, as EXIF says it; 6 is a quarter turn."""
    image, facts = Image.new("RGB", size, "#336699"), Image.Exif()
    if exif:
        facts[0x0110] = CAMERA
        facts[0x0112] = upside
        facts.get_ifd(PLACE)[1] = "N"
    return _written(image, "JPEG", **({"exif": facts} if exif else {}))


def _written(image: Image.Image, kind: str, **more: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **more)
    return written.getvalue()


def pdf(pages: int = 1) -> bytes:
    return typst.compile(b"#pagebreak()".join([b"Extract from the register"] * pages))


def changed(how: str) -> bytes:
    """A PDF with something in it that none needs to show a page."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf())))
    if how == "password":
        writer.encrypt("secret")
    elif how == "restricted":
        writer.encrypt("", owner_password="secret")
    elif how == "script":
        says = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert('hello')")}
        writer.root_object[NameObject("/OpenAction")] = DictionaryObject(says)
    elif how == "file inside":
        writer.add_attachment("more.txt", b"more")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of ``side`` × ``side`` pixels, all of them black, in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)

    head = side.to_bytes(4) + side.to_bytes(4) + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def many_passes(*, more: int) -> bytes:
    """A progressive JPEG whose last pass is there ``more`` times again."""
    data = _written(Image.new("L", (64, 64), 127), "JPEG", progressive=True, quality=50)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * more + data[end:]


def wrong_table(*, objects: int) -> bytes:
    """A PDF of one page whose table has so many objects more, none of which is where it says."""
    written, at = b"%PDF-1.4\n", []
    for number, said in enumerate(
        (
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
        ),
        start=1,
    ):
        at.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, said)
    at += at[:1] * objects
    table = b"".join(b"%010d 00000 n \n" % one for one in at)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(at) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(at) + 1, len(written))
    return written + head + table + end


def upload(name: str, data: bytes, declared: str = "") -> SimpleUploadedFile:
    known = {".pdf": PDF, ".jpg": JPEG, ".png": PNG}
    return SimpleUploadedFile(name, data, content_type=declared or known.get(name[-4:], ""))


# Requests -----------------------------------------------------------------------------------------------

WORDS = {"legal_name": "Institute of Things", "country": "DE", "statement": "HRB 1, Hamburg"}


def make_draft(user: User, *, now: datetime, kind: str = "individual", papers: bool = True) -> Verification:
    """Begun, with its words and, if ``papers``, everything that it needs."""
    row = verifications.start_request(user=user, kind=kind, now=now)
    verifications.save_details(user=user, acts_as="Its head" if kind == "institution" else "", **WORDS)
    if papers:
        shows = DocumentKind.IDENTITY if kind == "individual" else DocumentKind.REGISTER_AND_AUTHORITY
        paper = upload("passport.png", png(colour=f"#{user.pk.int % 0xFFFFFF:06x}"))
        taken = verification_documents.add_documents(user=user, kind=shows, uploads=[paper], now=now)
        assert taken.refusals == []
    row.refresh_from_db()
    return row


def make_request(user: User, *, now: datetime, kind: str = "individual") -> Verification:
    """Sent, and waiting for its review."""
    make_draft(user, now=now, kind=kind)
    return verifications.send_request(user=user, now=now)


def approve(row: Verification, *, by: User, now: datetime) -> Verification:
    return verifications.decide_verification(verification=row, approve=True, by=by, reason="", now=now)
