"""What is taken as a document: only what is what its name says, to its last byte."""

import io
import zipfile

import pytest
from PIL import Image

from accounts import documents
from accounts.documents import JPEG, PDF, PNG, DocumentRefused, read_document
from tests.verifying import CAMERA, bomb, changed, jpeg, many_passes, pdf, png, wrong_table

HTML = b"<html><script>alert(1)</script></html>"


def refused(name: str, data: bytes, declared: str = "") -> str:
    with pytest.raises(DocumentRefused) as error:
        read_document(name=name, declared=declared, data=data)
    return error.value.message


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as files:
        files.writestr("word/document.xml", "<w/>")
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "declared", "media_type"),
    [
        ("passport.png", png(), PNG, PNG),
        ("Passport.JPG", jpeg(), JPEG, JPEG),
        ("passport.jpeg", jpeg(), "image/pjpeg", JPEG),
        ("extract.pdf", pdf(), PDF, PDF),
        ("extract.pdf", pdf(), "application/octet-stream", PDF),
    ],
)
def test_each_type_is_taken(name, data, declared, media_type):
    document = read_document(name=name, declared=declared, data=data)
    assert (document.media_type, document.pages) == (media_type, 1)


def test_a_pdf_is_kept_as_it_is_and_its_pages_are_counted():
    data = pdf(3)
    document = read_document(name="extract.pdf", declared=PDF, data=data)
    assert (document.data, document.pages) == (data, 3)
    assert document.sha256 == document.sent_sha256


@pytest.mark.parametrize(
    ("name", "data", "declared", "words"),
    [
        ("passport.pdf", png(), PDF, "is a PNG inside, so its name has to end in .png"),
        ("passport.png", jpeg(), PNG, "is a JPEG inside"),
        ("passport", pdf(), PDF, "has to end in .pdf"),
        ("passport.png", png(), PDF, "was sent as application/pdf, and is a PNG inside"),
        ("passport.png", png(), "text/html", "was sent as text/html"),
        ("letter.pdf", archive(), PDF, "document of an office program. Save it as PDF"),
        ("letter.png", b"\0\0\0\x1cftypheic" + bytes(40), PNG, "HEIC"),
        ("photo.jpg", b"GIF89a" + bytes(40), JPEG, "image of another kind"),
        ("photo.jpg", b"RIFF\0\0\0\0WEBP" + bytes(40), JPEG, "image of another kind"),
        ("page.pdf", HTML, PDF, "not a PDF, JPEG or PNG, whatever its name says"),
        ("page.pdf", HTML + pdf(), PDF, "something before the beginning of the PDF"),
        ("program.png", b"MZ" + bytes(100), PNG, "not a PDF, JPEG or PNG"),
        ("empty.pdf", b"", PDF, "is empty"),
    ],
)
def test_a_document_that_is_not_what_its_name_says_is_refused_with_what_to_do(name, data, declared, words):
    assert words in refused(name, data, declared)


@pytest.mark.parametrize("data", [png()[:90], jpeg((400, 400))[:-300], png()[:40] + bytes(60)])
def test_a_damaged_image_is_refused(data):
    assert "is damaged" in refused("passport.png" if data.startswith(b"\x89") else "passport.jpg", data)


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing else", pdf()[:700]])
def test_a_damaged_pdf_is_refused(data):
    assert "is damaged" in refused("extract.pdf", data)


@pytest.mark.parametrize("side", [7_000, 20_000])
def test_an_image_that_would_fill_the_memory_is_not_even_read(side):
    data = bomb(side)
    assert len(data) < 100_000
    assert "million pixels" in refused("passport.png", data)


def test_a_jpeg_in_more_passes_than_cameras_make_is_refused():
    """Each pass goes over all pixels, and 83 bytes are enough for one: a file of 10 MB would take the better of an hour."""
    assert read_document(name="passport.jpg", declared=JPEG, data=many_passes(more=20)).pages == 1
    assert "more than 100 passes" in refused("passport.jpg", many_passes(more=101))


def test_a_pdf_is_not_searched_from_end_to_end_for_each_object_that_its_table_has_wrong(monkeypatch):
    read, whole = documents.Patience.read, []
    monkeypatch.setattr(
        documents.Patience,
        "read",
        lambda self, size=-1: (whole.append(size) if size < 0 else None, read(self, size))[1],
    )
    assert read_document(name="extract.pdf", declared=PDF, data=wrong_table(objects=2)).pages == 1
    assert len(whole) == 2
    assert "is damaged" in refused("extract.pdf", wrong_table(objects=40))
    assert len(whole) == 2 + documents.MOST_READINGS + 1, "the last is refused, and with it the document"


def test_a_pdf_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MOST_SECONDS", -1.0)
    assert "is damaged" in refused("extract.pdf", pdf())


def test_where_a_photo_was_taken_and_with_what_is_not_kept():
    sent = jpeg(exif=True)
    assert CAMERA.encode() in sent
    document = read_document(name="passport.jpg", declared=JPEG, data=sent)
    with Image.open(io.BytesIO(document.data)) as image:
        assert not image.getexif()
        assert "exif" not in image.info
    assert CAMERA.encode() not in document.data
    assert document.sha256 != document.sent_sha256


def test_a_photo_that_lay_on_its_side_is_turned_before_its_exif_is_forgotten():
    document = read_document(name="passport.jpg", declared=JPEG, data=jpeg((80, 40), exif=True, upside=6))
    with Image.open(io.BytesIO(document.data)) as image:
        assert image.size == (40, 80)


@pytest.mark.parametrize("data", [png() + HTML, png() + archive(), jpeg() + archive()])
def test_what_hangs_on_an_image_is_cut_off(data):
    name = "passport.png" if data.startswith(b"\x89") else "passport.jpg"
    document = read_document(name=name, declared="", data=data)
    assert b"<script" not in document.data
    assert not zipfile.is_zipfile(io.BytesIO(document.data))


def test_a_pdf_that_is_an_archive_too_is_refused():
    assert "a PDF and an archive at once" in refused("extract.pdf", pdf() + archive())


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("password", "has a password or is restricted"),
        ("restricted", "has a password or is restricted"),
        ("script", "has scripts inside"),
        ("file inside", "has other files inside"),
    ],
)
def test_a_pdf_that_does_more_than_show_pages_is_refused(how, words):
    assert words in refused("extract.pdf", changed(how))


def test_a_script_that_no_table_of_the_pdf_leads_to_is_found():
    hidden = pdf() + b"\n99 0 obj << /S /JavaScript /JS (app.alert(1)) >> endobj\n"
    assert "has scripts inside" in refused("extract.pdf", hidden)


def test_a_pdf_of_more_pages_than_papers_have_is_refused():
    assert "has 101 pages" in refused("extract.pdf", pdf(101))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_images_of_every_kind_of_pixel_are_taken(mode):
    kind, name = ("JPEG", "a.jpg") if mode == "CMYK" else ("PNG", "a.png")
    written = io.BytesIO()
    Image.new(mode, (20, 10)).save(written, kind)
    assert read_document(name=name, declared="", data=written.getvalue()).data
