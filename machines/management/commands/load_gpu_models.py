"""``manage.py load_gpu_models``: the data sheets of ``data/gpu_specs.csv``, inserted or brought up to date."""

from typing import Any

from django.core.management.base import BaseCommand

from machines.demo import gpu_specs


class Command(BaseCommand):
    help = (
        "Load the GPU models' data sheets from data/gpu_specs.csv. May be run as often as one likes, in production too."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = gpu_specs.load(gpu_specs.read())
        self.stdout.write(f"{count} GPU models are up to date.")
