"""``manage.py texts``: gather what pages and mails say into the catalogues of translations, and compile them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace import texts


class Command(BaseCommand):
    help = (
        "Gather every text that is marked for translation into locale/<language>/LC_MESSAGES/django.po, keeping what is"
        " translated, and compile the catalogues. Needs no gettext programs."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--compile", action="store_true", help="only compile the catalogues as they are")
        only.add_argument("--check", action="store_true", help="change nothing; fail if a catalogue is not complete")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["compile"]:
            texts.compile_all()
            return
        found = texts.gathered()
        wrong: list[str] = []
        for language in texts.languages():
            if not options["check"]:
                texts.write(language, texts.updated(language, found))
            wrong += [f"{language}: {complaint}" for complaint in texts.complaints(language, found)]
        if options["check"] and wrong:
            raise CommandError("\n".join([*wrong, f"{len(wrong)} to mend, in locale/*/LC_MESSAGES/django.po."]))
        for line in wrong:
            self.stdout.write(line)
        self.stdout.write(f"{len(found)} texts, {len(wrong)} to mend.")
