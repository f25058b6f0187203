"""Documents in the storage: who opens them, by which links, and when they are gone."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.urls import reverse

from accounts.models import DocumentOpening, VerificationDocument
from accounts.services.verification_documents import add_documents, forget_due, link_token, remove_document
from accounts.services.verifications import VerificationError, decide_verification
from accounts.tasks import forget_documents
from common import files
from tests.people import DAY, make_user
from tests.racing import at_once
from tests.verifying import make_draft, make_request, pdf, png, upload

DOCUMENTS = "/accounts/verification/documents/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(buyer, now):
    return make_request(buyer, now=now)


@pytest.fixture
def paper(asked) -> VerificationDocument:
    return asked.documents.get()


def add(user, *uploads, now) -> list[str]:
    return add_documents(user=user, kind="identity", uploads=uploads, now=now).refusals


# Links ----------------------------------------------------------------------------------------------------


def test_an_administrator_opens_a_document_by_a_link_of_a_few_minutes(client, administrator, asked, paper):
    client.force_login(administrator)
    response = client.get(reverse("verification_document", args=[paper.pk]))
    assert response.status_code == 302
    shown = client.get(response["Location"])
    assert shown.content == files.read(paper.file)
    assert shown["Content-Type"] == "image/png"
    assert shown["Content-Disposition"].startswith("inline;")
    assert "passport" not in shown["Content-Disposition"]
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in shown["Cache-Control"]
    assert shown["Content-Security-Policy"].startswith("default-src 'none';")
    assert shown["Content-Security-Policy"].endswith("; sandbox")
    (opening,) = DocumentOpening.objects.all()
    assert (opening.document, opening.by) == (paper, administrator)


def test_a_pdf_is_a_download(client, administrator, buyer, now):
    make_draft(buyer, now=now)
    assert add(buyer, upload("extract.pdf", pdf()), now=now) == []
    document = buyer.verifications.get().documents.get(media_type="application/pdf")
    client.force_login(buyer)
    shown = client.get(reverse("verification_document", args=[document.pk]), follow=True)
    assert shown["Content-Disposition"].startswith("attachment;")


def test_ones_own_document_is_opened_too(client, buyer, paper):
    client.force_login(buyer)
    assert client.get(reverse("verification_document", args=[paper.pk]), follow=True).status_code == 200


def test_what_is_not_sent_yet_is_no_administrators_business(client, administrator, buyer, now):
    document = make_draft(buyer, now=now).documents.get()
    client.force_login(administrator)
    assert client.get(reverse("verification_document", args=[document.pk])).status_code == 404
    token = link_token(document, viewer=administrator)
    assert client.get(reverse("verification_file", args=[token])).status_code == 404


@pytest.mark.parametrize("who", ["other_buyer", "provider", "stranger"])
def test_nobody_else_opens_it(client, cast, paper, who):
    client.force_login(getattr(cast, who))
    assert client.get(reverse("verification_document", args=[paper.pk])).status_code == 404
    token = link_token(paper, viewer=getattr(cast, who))
    assert client.get(reverse("verification_file", args=[token])).status_code == 404
    assert not DocumentOpening.objects.exists()


def test_the_link_of_one_person_is_none_of_anothers(client, administrator, paper):
    token = link_token(paper, viewer=administrator)
    other = make_user("other.administrator@example.com", "platform_administrator")
    client.force_login(other)
    assert client.get(reverse("verification_file", args=[token])).status_code == 404
    client.logout()
    response = client.get(reverse("verification_file", args=[token]))
    assert response["Location"].startswith(reverse("account_login"))


def test_a_link_expires_with_a_sentence(client, administrator, paper, settings):
    token = link_token(paper, viewer=administrator)
    settings.MARKETPLACE_DOCUMENT_LINK = timedelta(seconds=-1)
    client.force_login(administrator)
    response = client.get(reverse("verification_file", args=[token]))
    assert response.status_code == 410
    assert "This link has expired" in response.text
    assert not DocumentOpening.objects.exists()


def tampered(token: str) -> list[str]:
    """Changed in each of its parts, signed for something else, and signed with another salt."""
    value, stamp, signature = token.split(":")
    foreign = signing.TimestampSigner(salt="something-else").sign_object(["a", "b"])
    ours = signing.TimestampSigner(salt="accounts.verification-document")
    return [
        f"{value}x:{stamp}:{signature}",
        f"{value}:{stamp[:-1]}x:{signature}",
        f"{value}:{stamp}:{signature[:-1]}{'a' if signature[-1] != 'a' else 'b'}",
        foreign,
        ours.sign_object(["no-uuid", "b"]),
        ours.sign_object("nothing"),
        "x",
    ]


def test_a_link_that_was_tampered_with_leads_nowhere(client, administrator, paper):
    client.force_login(administrator)
    for token in tampered(link_token(paper, viewer=administrator)):
        assert client.get(reverse("verification_file", args=[token])).status_code == 404, token


def test_whoever_is_no_administrator_any_more_opens_nothing_by_an_earlier_link(client, administrator, paper):
    token = link_token(paper, viewer=administrator)
    administrator.roles = []
    administrator.save(update_fields=["roles"])
    client.force_login(administrator)
    assert client.get(reverse("verification_file", args=[token])).status_code == 404


def test_what_was_exchanged_in_the_storage_is_not_shown(client, administrator, paper):
    Path(default_storage.path(paper.file)).write_bytes(png(colour="#ff0000"))
    client.force_login(administrator)
    assert client.get(reverse("verification_document", args=[paper.pk]), follow=True).status_code == 404


# What is stored -------------------------------------------------------------------------------------------


def test_the_name_in_the_storage_says_nothing_and_is_no_address(client, administrator, paper):
    assert re.fullmatch(r"verification/[0-9a-f]{48}\.png", paper.file)
    client.force_login(administrator)
    for folder in ("/", "/media/", "/static/"):
        assert client.get(folder + paper.file).status_code == 404


def test_too_large_too_many_too_much_and_twice_are_refused_with_what_to_do(buyer, now, settings):
    draft = make_draft(buyer, now=now, papers=False)
    one, two = (upload(f"{colour}.png", png(colour=colour)) for colour in ("red", "blue"))
    settings.MARKETPLACE_DOCUMENT_BYTES = 1024 * 1024
    (said,) = add(buyer, upload("large.pdf", pdf() + bytes(1024 * 1024)), now=now)
    assert "larger than 1 MB" in said
    assert add(buyer, one, now=now) == []
    (said,) = add(buyer, upload("again.png", png(colour="red")), now=now)
    assert "is there already" in said
    settings.MARKETPLACE_DOCUMENTS_MOST = 1
    (said,) = add(buyer, two, now=now)
    assert "one too many: 1 documents are enough" in said
    settings.MARKETPLACE_DOCUMENTS_MOST, settings.MARKETPLACE_DOCUMENTS_BYTES = 8, 100
    two.seek(0)
    (said,) = add(buyer, two, now=now)
    assert "is too much" in said
    assert draft.documents.count() == 1


def test_uploads_are_limited_in_number(client, buyer, now, settings):
    settings.MARKETPLACE_UPLOAD_RATE = "2/minute"
    make_draft(buyer, now=now, papers=False)
    client.force_login(buyer)
    answers = [client.post(DOCUMENTS, {"kind": "identity"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]
    assert answers[-1]["Retry-After"] == "60"


def test_nothing_is_left_in_the_storage_when_the_row_is_not_written(buyer, now, monkeypatch):
    make_draft(buyer, now=now, papers=False)
    stored = []
    really = files.store
    monkeypatch.setattr(files, "store", lambda name, data: stored.append(really(name, data)) or stored[-1])
    monkeypatch.setattr(VerificationDocument.objects, "create", lambda **fields: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        add(buyer, upload("a.png", png()), now=now)
    assert not default_storage.exists(stored[0])


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_for_uploads_at_once(buyer, now, settings):
    settings.MARKETPLACE_DOCUMENTS_MOST = 2
    draft = make_draft(buyer, now=now)
    colours = ("red", "blue", "green")
    calls = [lambda c=colour: add(buyer, upload(f"{c}.png", png(colour=c)), now=now) for colour in colours]
    results = at_once(calls)
    assert sorted(len(refusals) for refusals in results) == [0, 1, 1]
    assert draft.documents.count() == 2


# Gone -----------------------------------------------------------------------------------------------------


def test_a_document_is_taken_out_and_its_file_goes(client, buyer, now):
    document = make_draft(buyer, now=now).documents.get()
    client.force_login(buyer)
    assert client.post(f"{DOCUMENTS}{document.pk}/remove/").status_code == 302
    assert not buyer.verifications.get().documents.exists()
    assert forget_due(now=now) == 1
    assert not default_storage.exists(document.file)
    assert not VerificationDocument.objects.exists()


def test_what_is_sent_stays(client, buyer, asked, paper):
    with pytest.raises(VerificationError):
        remove_document(user=buyer, document_id=paper.pk)
    client.force_login(buyer)
    client.post(f"{DOCUMENTS}{paper.pk}/remove/")
    assert asked.documents.count() == 1


def test_another_persons_document_is_not_taken_out(client, other_buyer, buyer, now):
    theirs = make_draft(other_buyer, now=now).documents.get()
    make_draft(buyer, now=now)
    client.force_login(buyer)
    assert client.post(f"{DOCUMENTS}{theirs.pk}/remove/").status_code == 404
    assert not remove_document(user=buyer, document_id=theirs.pk)
    theirs.refresh_from_db()
    assert theirs.verification.user == other_buyer


@pytest.mark.parametrize("good", [True, False])
def test_after_the_retention_time_the_file_is_gone_and_the_fact_stays(asked, paper, administrator, now, good):
    decide_verification(verification=asked, approve=good, by=administrator, reason="Because.", now=now)
    assert forget_due(now=now + settings.MARKETPLACE_DOCUMENT_RETENTION) == 0
    later = now + settings.MARKETPLACE_DOCUMENT_RETENTION + timedelta(seconds=1)
    assert forget_due(now=later) == 1
    assert forget_due(now=later) == 0
    assert not default_storage.exists(paper.file)
    digests = paper.sha256, paper.sent_sha256
    paper.refresh_from_db()
    assert (paper.file, paper.name, paper.deleted_at) == ("", "", later)
    assert (paper.sha256, paper.sent_sha256) == digests


def test_what_is_not_decided_is_kept(asked, now):
    assert forget_due(now=now + 1000 * DAY) == 0


def test_a_storage_that_is_away_is_met_again_by_the_next_sweep(asked, paper, administrator, now, monkeypatch):
    decide_verification(verification=asked, approve=True, by=administrator, reason="", now=now - 100 * DAY)

    def away(name):
        raise files.StorageAway("away")

    with monkeypatch.context() as broken:
        broken.setattr(files, "delete", away)
        assert forget_due(now=now) == 0
    assert VerificationDocument.objects.get(pk=paper.pk).file
    assert forget_documents() == 1


def test_a_deleted_document_cannot_be_opened(client, asked, paper, administrator, now):
    token = link_token(paper, viewer=administrator)
    decide_verification(verification=asked, approve=True, by=administrator, reason="", now=now - 100 * DAY)
    forget_due(now=now)
    client.force_login(administrator)
    assert client.get(reverse("verification_file", args=[token])).status_code == 404
    assert "deleted" in client.get(reverse("admin:accounts_verification_change", args=[asked.pk])).text
