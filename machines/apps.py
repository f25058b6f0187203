from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MachinesConfig(AppConfig):
    name = "machines"

    def ready(self) -> None:
        from accounts import events, privacy
        from machines import observers, partitions, personal

        privacy.contribute(personal.ROOM)
        events.verification_changed.connect(observers.follow_verification, dispatch_uid="machines.follow_verification")

        events.ownership_transferred.connect(observers.follow_owner, dispatch_uid="machines.follow_owner")
        post_migrate.connect(partitions.after_migrations, sender=self, dispatch_uid="machines.partitions")
