"""Mail is written with what it tells of, says the same as text and as HTML, and is sent until it is out."""

import socket
from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import transaction

from accounts import outbox
from accounts.models import OutgoingMail

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(buyer):
    outbox.write_mail(
        user=buyer,
        key="event:1",
        subject="Held for you",
        paragraphs=["Your <window> is held.", "Pay by noon."],
        action=("Pay now", "/bookings/1/pay/"),
    )
    return OutgoingMail.objects.get(user=buyer, key="event:1")


def test_text_and_html_say_the_same(written, settings):
    link = f"{settings.SITE_URL}/bookings/1/pay/"
    assert "Your <window> is held." in written.text
    assert "Pay by noon." in written.text
    assert f"Pay now: {link}" in written.text
    assert "Your &lt;window&gt; is held." in written.html
    assert "Pay by noon." in written.html
    assert f'href="{link}"' in written.html


def test_one_event_writes_one_mail(written, buyer):
    outbox.write_mail(user=buyer, key="event:1", subject="Again", paragraphs=["Again"])
    assert OutgoingMail.objects.filter(user=buyer, key="event:1").count() == 1


def test_a_mail_of_something_undone_is_not_sent(buyer, now):
    with transaction.atomic():
        outbox.write_mail(user=buyer, key="event:2", subject="Never", paragraphs=["Never"])
        transaction.set_rollback(True)
    assert outbox.send_due(now=now + timedelta(seconds=1)) == 0


def test_it_is_sent_once(written, buyer, now):
    later = now + timedelta(minutes=1)
    assert outbox.send_due(now=later) == 1
    assert outbox.send_due(now=later) == 0
    assert [message.to for message in mail.outbox] == [[buyer.email]]
    assert mail.outbox[0].alternatives[0].mimetype == "text/html"


def test_a_mail_server_that_is_away_gets_it_later(written, settings, now):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", nobody.getsockname()[1]
        later = now + timedelta(minutes=1)
        assert outbox.send_due(now=later) == 0
    written.refresh_from_db()
    assert written.attempts == 1
    assert written.error
    assert written.next_attempt_at > later
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert outbox.send_due(now=written.next_attempt_at) == 1


def test_signing_up_queues_the_confirmation(client):
    cache.clear()  # allauth counts confirmations of an address there
    answer = client.post(
        "/accounts/signup/",
        {
            "email": "new@example.net",
            "password1": "correct-horse-battery",
            "password2": "correct-horse-battery",
            "name": "New Person",
            "purpose": "buyer",
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    queued = OutgoingMail.objects.get(address="new@example.net")
    assert "type this code" in queued.text
    assert queued.recipient == "new@example.net"


def test_a_mail_that_fails_for_ever_does_not_keep_the_others_from_going_out(written, buyer, settings, now):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", nobody.getsockname()[1]
        OutgoingMail.objects.filter(pk=written.pk).update(attempts=1000)
        later = now + timedelta(minutes=1)
        outbox.write_mail(user=buyer, key="event:3", subject="Behind it", paragraphs=["Behind it"])
        assert outbox.send_due(now=later) == 0
    for row in OutgoingMail.objects.all():
        assert row.error
        assert later < row.next_attempt_at <= later + outbox.LONGEST_PAUSE + timedelta(seconds=30)
    assert OutgoingMail.objects.get(pk=written.pk).attempts == 1001


def test_a_mail_that_is_being_sent_is_not_sent_by_another(written, now):
    later = now + timedelta(minutes=1)
    OutgoingMail.objects.filter(pk=written.pk).update(next_attempt_at=later + outbox.LEASE)
    assert outbox.send_due(now=later) == 0
    assert outbox.send_due(now=later + outbox.LEASE) == 1


def test_a_link_that_lets_somebody_in_is_forgotten_once_it_is_sent(buyer, written, now):
    outbox.queue_mail(address=buyer.email, user=buyer, subject="Reset", text="https://example.com/reset/abc")
    assert outbox.send_due(now=now + timedelta(minutes=1)) == 2
    assert "abc" in mail.outbox[-1].body
    assert OutgoingMail.objects.get(subject="Reset").text == ""
    assert OutgoingMail.objects.get(pk=written.pk).text != ""
