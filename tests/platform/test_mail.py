"""Without a mail server every mail is a file, and the console says which."""

import logging
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection

BACKEND = "marketplace.embedded.mail.FolderBackend"


def send(folder: Path, **parts) -> int:
    message = EmailMultiAlternatives(
        **{"subject": "Confirm your address", "body": "Hello", "to": ["buyer@example.com"], **parts},
        connection=get_connection(BACKEND, file_path=str(folder)),
    )
    message.attach_alternative("<p>Hello</p>", "text/html")
    return message.send()


def test_a_mail_is_written_to_read_and_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "marketplace.mail"):
        assert send(tmp_path, body="Follow http://127.0.0.1:8000/accounts/confirm-email/abc/.\nThank you") == 1
    text = next(tmp_path.glob("*.txt"))
    assert "Follow http://127.0.0.1:8000/accounts/confirm-email/abc/" in text.read_text()
    assert next(tmp_path.glob("*.html")).read_text() == "<p>Hello</p>"
    assert b"To: buyer@example.com" in next(tmp_path.glob("*.eml")).read_bytes()
    assert caplog.messages == [
        f"mail to buyer@example.com: Confirm your address → {text.as_uri()}"
        "  http://127.0.0.1:8000/accounts/confirm-email/abc/"
    ]


def test_a_code_to_type_is_on_the_console(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "marketplace.mail"):
        send(tmp_path, body="Type this code:\n\nBCDF-GHJK\n\n-- \nhttp://127.0.0.1:8000\n")
    assert caplog.messages[0].endswith("  BCDF-GHJK")


def test_two_mails_of_one_second_are_two_files(tmp_path: Path) -> None:
    send(tmp_path)
    send(tmp_path)
    assert len(list(tmp_path.glob("*.eml"))) == 2


def test_a_header_cannot_smuggle_another_one_in(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="newline"):
        send(tmp_path, subject="Hello\nBcc: everybody@example.com")
    assert list(tmp_path.iterdir()) == []
