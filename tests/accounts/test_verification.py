"""Asking to be verified, step by step, and what becomes of it."""

from datetime import timedelta
from threading import Barrier

import pytest
from django.conf import settings
from django.urls import reverse

from accounts.models import Notification, OutgoingMail, Verification
from accounts.services import verifications
from accounts.services.roles import NotAnAdministrator
from accounts.services.verifications import (
    VerificationError,
    ask_for_more,
    decide_verification,
    discard_draft,
    send_request,
    standing_of,
)
from tests.people import DAY, make_user
from tests.racing import at_once
from tests.verifying import WORDS, approve, jpeg, make_draft, make_request, pdf, png, upload

START, DETAILS, DOCUMENTS, CHECK = (
    f"/accounts/verification/{page}" for page in ("", "details/", "documents/", "check/")
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(buyer, now) -> Verification:
    return make_request(buyer, now=now)


@pytest.fixture
def signed_in(client, buyer):
    client.force_login(buyer)
    return client


def mails(user) -> list[str]:
    return [*OutgoingMail.objects.filter(user=user).order_by("created_at").values_list("subject", flat=True)]


# The steps ------------------------------------------------------------------------------------------------


def test_from_the_first_step_to_the_badge(signed_in, buyer, administrator, now):
    assert signed_in.post(START, {"kind": "individual"})["Location"] == DETAILS
    assert signed_in.post(DETAILS, WORDS)["Location"] == DOCUMENTS
    files = [upload("front.png", png()), upload("back.jpg", jpeg())]
    assert signed_in.post(DOCUMENTS, {"kind": "identity", "uploads": files})["Location"] == DOCUMENTS
    page = signed_in.get(DOCUMENTS).text
    assert "front.png" in page
    assert "back.jpg" in page
    assert "Institute of Things" in signed_in.get(CHECK).text
    page = signed_in.post(CHECK, follow=True).text
    assert "Your request is being looked at" in page
    row = buyer.verifications.get()
    assert row.is_pending
    assert Notification.objects.filter(user=administrator, link__contains=str(row.pk)).exists()
    approve(row, by=administrator, now=now)
    page = signed_in.get(START).text
    assert "You are verified" in page
    assert 'name="legal_name"' not in page
    assert mails(buyer) == ["Your request to be verified has been sent", "You are verified"]


def test_an_institution_says_who_may_act_for_it_and_shows_it(signed_in, buyer):
    signed_in.post(START, {"kind": "institution"})
    assert signed_in.post(DETAILS, WORDS).status_code == 422
    assert signed_in.post(DETAILS, WORDS | {"acts_as": "Head of computing"}).status_code == 302
    signed_in.post(DOCUMENTS, {"kind": "register", "uploads": [upload("extract.pdf", pdf())]})
    response = signed_in.post(CHECK)
    assert response.status_code == 422
    assert "that you may act for it" in response.text
    signed_in.post(DOCUMENTS, {"kind": "authority", "uploads": [upload("letter.png", png())]})
    assert signed_in.post(CHECK).status_code == 302
    assert buyer.verifications.get().acts_as == "Head of computing"


def test_what_was_typed_is_kept(signed_in, buyer):
    signed_in.post(START, {"kind": "individual"})
    response = signed_in.post(DETAILS, WORDS | {"country": ""})
    assert response.status_code == 422
    assert "Institute of Things" in response.text
    assert "HRB 1, Hamburg" in response.text
    signed_in.post(DETAILS, WORDS)
    assert "Institute of Things" in signed_in.get(DETAILS).text  # another day


def test_nothing_can_be_sent_without_a_document(signed_in, buyer, now):
    make_draft(buyer, now=now, papers=False)
    response = signed_in.post(CHECK)
    assert response.status_code == 422
    assert "A document is missing: An identity card or passport of yours" in response.text
    assert buyer.verifications.get().is_draft


@pytest.mark.parametrize("page", [DETAILS, DOCUMENTS, CHECK])
def test_the_later_steps_begin_at_the_first(signed_in, asked, page):
    assert signed_in.get(page)["Location"] == START
    assert signed_in.post(page, WORDS)["Location"] == START
    asked.refresh_from_db()
    assert asked.is_pending


def test_asking_twice_is_refused_in_words(signed_in, buyer, asked):
    response = signed_in.post(START, {"kind": "individual"})
    assert response.status_code == 422
    assert "waiting for review already" in response.text
    assert buyer.verifications.count() == 1


def test_one_good_document_of_two_is_kept_and_the_other_refused_with_the_reason(signed_in, buyer, now):
    make_draft(buyer, now=now, papers=False)
    files = [upload("good.png", png()), upload("bad.pdf", png())]
    response = signed_in.post(DOCUMENTS, {"kind": "identity", "uploads": files})
    assert response.status_code == 422
    assert "“bad.pdf” is a PNG inside" in response.text.replace("&quot;", '"')
    assert [document.name for document in buyer.verifications.get().documents.all()] == ["good.png"]


def test_a_draft_is_thrown_away_with_its_documents(signed_in, buyer, now):
    make_draft(buyer, now=now)
    signed_in.post(reverse("verification_discard"))
    assert not buyer.verifications.exists()
    assert not discard_draft(user=buyer)


def test_what_has_been_sent_is_not_thrown_away(signed_in, asked):
    signed_in.post(reverse("verification_discard"))
    assert Verification.objects.filter(pk=asked.pk).exists()


def test_a_rejection_shows_its_reason_and_can_be_corrected(signed_in, buyer, asked, administrator, now):
    decide_verification(verification=asked, approve=False, by=administrator, reason="No such register.", now=now)
    page = signed_in.get(START).text
    assert "No such register." in page
    assert "No such register." in signed_in.get(reverse("profile")).text
    signed_in.post(START, {"kind": "individual"})
    assert "HRB 1, Hamburg" in signed_in.get(DETAILS).text  # the form starts with what was sent
    signed_in.post(DETAILS, WORDS | {"statement": "HRB 2, Hamburg"})
    assert buyer.verifications.get(status="draft").statement == "HRB 2, Hamburg"


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_begun_at_once_there_is_one(buyer, now):
    results = at_once([lambda: verifications.start_request(user=buyer, kind="individual", now=now)] * 2)
    assert buyer.verifications.count() == 1
    assert any(isinstance(result, Verification) for result in results)


# Deciding -------------------------------------------------------------------------------------------------


def test_an_approval_counts_for_a_time(asked, buyer, administrator, now):
    row = approve(asked, by=administrator, now=now)
    assert row.valid_until == now + settings.MARKETPLACE_VERIFICATION_VALID
    assert buyer.is_verified


def test_only_administrators_decide_and_never_about_themselves(asked, buyer, administrator, now):
    with pytest.raises(NotAnAdministrator):
        approve(asked, by=buyer, now=now)
    own = make_request(administrator, now=now)
    for step in (
        lambda: approve(own, by=administrator, now=now),
        lambda: ask_for_more(verification=own, by=administrator, question="More?", now=now),
    ):
        with pytest.raises(VerificationError, match="cannot decide about yourself"):
            step()


def test_a_rejection_needs_a_reason(asked, administrator, now):
    with pytest.raises(VerificationError, match="needs a reason"):
        decide_verification(verification=asked, approve=False, by=administrator, reason=" ", now=now)


def test_what_is_missing_is_asked_for_and_answered(signed_in, buyer, asked, administrator, now):
    ask_for_more(verification=asked, by=administrator, question="The back of the card, please.", now=now)
    ask_for_more(verification=asked, by=administrator, question="The back of the card, please.", now=now)
    assert mails(buyer)[-1] == "Something is missing in your request to be verified"
    assert "The back of the card, please." in signed_in.get(START).text
    assert "The back of the card, please." in signed_in.get(CHECK).text
    signed_in.post(DOCUMENTS, {"kind": "identity", "uploads": [upload("back.jpg", jpeg())]})
    assert "what was asked" in signed_in.post(CHECK).text
    assert signed_in.post(CHECK, {"answer": "There it is."}).status_code == 302
    asked.refresh_from_db()
    assert asked.is_pending
    assert [(one.text, one.answer) for one in asked.questions.all()] == [
        ("The back of the card, please.", "There it is.")
    ]
    assert mails(buyer).count("Something is missing in your request to be verified") == 1
    approve(asked, by=administrator, now=now)


def test_more_is_asked_for_once_at_a_time_and_only_of_what_waits(asked, administrator, now):
    ask_for_more(verification=asked, by=administrator, question="One.", now=now)
    with pytest.raises(VerificationError, match="asked for more already"):
        ask_for_more(verification=asked, by=administrator, question="Two.", now=now)
    approve(asked, by=administrator, now=now)
    with pytest.raises(VerificationError, match="decided already"):
        ask_for_more(verification=asked, by=administrator, question="Two.", now=now)


def both_decide(row, administrator, now) -> list[object]:
    other = make_user("other.administrator@example.com", "platform_administrator")

    def decide(by, good):
        return decide_verification(verification=row, approve=good, by=by, reason="No such register.", now=now)

    return at_once([lambda: decide(administrator, True), lambda: decide(other, False)])


def said(row: Verification) -> int:
    return OutgoingMail.objects.filter(
        key__in=[f"verification-{how}:{row.pk}" for how in ("approved", "rejected")]
    ).count()


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_administrators_decide_differently(asked, administrator, now, monkeypatch):
    together, found = Barrier(2), verifications._to_decide

    def unlocked(verification, *, by):
        row = Verification.objects.select_related("user").get(pk=verification.pk)
        together.wait(30)
        return row

    monkeypatch.setattr(verifications, "_to_decide", unlocked)
    assert not any(isinstance(result, Exception) for result in both_decide(asked, administrator, now))
    assert said(asked) == 2, "one person was told both"
    monkeypatch.setattr(verifications, "_to_decide", found)


@pytest.mark.django_db(transaction=True)
def test_with_it_one_decides_and_the_other_reads_that_it_was(asked, administrator, now):
    results = both_decide(asked, administrator, now)
    (refused,) = [result for result in results if isinstance(result, VerificationError)]
    assert "decided already" in refused.message
    assert said(asked) == 1


# Renewing -------------------------------------------------------------------------------------------------


def test_an_approval_is_renewed_while_it_counts(buyer, asked, administrator, now):
    approve(asked, by=administrator, now=now)
    with pytest.raises(VerificationError, match="You can renew that from"):
        verifications.start_request(user=buyer, kind="individual", now=now)
    later = now + timedelta(days=700)
    renewal = make_draft(buyer, now=later)
    assert renewal.legal_name == "Institute of Things"
    send_request(user=buyer, now=later)
    assert standing_of(buyer, now=later).approval == asked
    approve(renewal, by=administrator, now=later + DAY)
    assert standing_of(buyer, now=later + DAY).approval == renewal


def test_a_person_may_become_an_institution_at_any_time(buyer, asked, administrator, now):
    approve(asked, by=administrator, now=now)
    assert verifications.start_request(user=buyer, kind="institution", now=now).is_draft


def test_a_renewal_that_is_rejected_leaves_the_approval_as_it_is(buyer, asked, administrator, now):
    approve(asked, by=administrator, now=now - 700 * DAY)
    renewal = make_request(buyer, now=now)
    decide_verification(verification=renewal, approve=False, by=administrator, reason="Blurred.", now=now)
    assert standing_of(buyer, now=now).approval == asked
    mail = OutgoingMail.objects.get(key=f"verification-rejected:{renewal.pk}")
    assert "You stay verified until" in mail.text
