"""Prove that invoice numbers have no gap, that every document adds up, and that all agree with the ledger."""

from typing import Any

from django.core.management.base import BaseCommand

from billing.models import Invoice
from billing.services.invoice_checks import findings


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for words in findings():
            self.stdout.write(self.style.ERROR(words))
            found += 1
        self.stdout.write(f"{Invoice.objects.count()} documents checked, {found} findings.")
        if found:
            raise SystemExit(1)
