"""A document for an administrator of the demonstration to open."""

from datetime import datetime
from hashlib import sha256
from io import BytesIO
from secrets import token_hex

from PIL import Image, ImageDraw

from accounts.documents import PNG
from accounts.models import DocumentKind, Verification
from accounts.services.verification_documents import FOLDER
from common.files import store


def send_papers(*, now: datetime) -> None:
    """Of those who wait for their review the first has sent a document, such as anyone's, for an administrator to open."""
    waiting = Verification.objects.pending().select_related("user").order_by("submitted_at").first()
    if waiting is None:
        return
    kind = DocumentKind.REGISTER_AND_AUTHORITY if waiting.is_institution else DocumentKind.IDENTITY
    specimen = Image.new("RGB", (1000, 640), "#eef3f7")
    draw = ImageDraw.Draw(specimen)
    draw.rectangle((20, 20, 980, 620), outline="#33475b", width=4)
    lines = ["SPECIMEN", str(kind.label), waiting.legal_name, "Made up for the demonstration. It proves nothing."]
    for number, line in enumerate(lines):
        draw.text((60, 70 + 110 * number), line, fill="#33475b", font_size=56 if number == 0 else 34)
    written = BytesIO()
    specimen.save(written, "PNG")
    data = written.getvalue()
    digest = sha256(data).hexdigest()
    waiting.documents.create(
        kind=kind,
        name="specimen.png",
        file=store(f"{FOLDER}/{token_hex(24)}.png", data),
        media_type=PNG,
        size=len(data),
        sha256=digest,
        sent_sha256=digest,
        uploaded_at=now,
    )
