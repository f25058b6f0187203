from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MachinesConfig(AppConfig):
    name = "machines"

    def ready(self) -> None:
        from machines import partitions

        post_migrate.connect(partitions.after_migrations, sender=self, dispatch_uid="machines.partitions")
