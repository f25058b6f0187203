"""Mail without a mail server: each one a file to read, and a line on the console that says where, with its code or first link."""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone
from django.utils.text import slugify

log = logging.getLogger("marketplace.mail")

LINK = re.compile(r"https?://[^\s<>\"']+")
#: A code that a mail asks to type, on a line of its own.
CODE = re.compile(r"^[A-Z0-9]{3,5}-[A-Z0-9]{3,5}$", re.MULTILINE)


class FolderBackend(BaseEmailBackend):
    """Writes every mail to ``EMAIL_FILE_PATH``: ``.eml`` as it would be sent, ``.txt`` and ``.html`` to read."""

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self.folder = Path(kwargs.get("file_path") or settings.EMAIL_FILE_PATH)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        sent = 0
        for message in email_messages:
            if not message.recipients():
                continue
            try:
                self._write(message)
            except OSError:
                if not self.fail_silently:
                    raise
            else:
                sent += 1
        return sent

    def _write(self, message: EmailMessage) -> None:
        parsed = message.message()  # refuses line breaks in headers, as a real backend would
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        to = ", ".join(message.recipients())
        stem = self._free_stem(message)
        stem.with_suffix(".eml").write_bytes(parsed.as_bytes())
        for body, kind in getattr(message, "alternatives", None) or ():
            if kind == "text/html":
                stem.with_suffix(".html").write_text(str(body))
        body = str(message.body)
        text = stem.with_suffix(".txt")
        text.write_text(f"From: {message.from_email}\nTo: {to}\nSubject: {message.subject}\n\n{body}\n")
        found = CODE.search(body) or LINK.search(body)
        where = f"{text.as_uri()}  {found.group().rstrip('.,;:!?)]') if found else ''}".rstrip()
        log.info("mail to %s: %s → %s", to, message.subject, where)

    def _free_stem(self, message: EmailMessage) -> Path:
        """A name not yet used, taken by making its ``.eml``: several processes write here."""
        first = (
            f"{timezone.now():%Y%m%d-%H%M%S}-{slugify(message.recipients()[0])[:40]}-{slugify(message.subject)[:50]}"
        )
        for number in range(1, 10_000):
            stem = self.folder / (first if number == 1 else f"{first}-{number}")
            try:
                os.close(os.open(stem.with_suffix(".eml"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            return stem
        raise FileExistsError(first)
