from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"

    def ready(self) -> None:
        from accounts import events as account_events
        from accounts import privacy
        from bookings import observers, personal
        from machines import events

        privacy.contribute(personal.ROOM)
        events.work_reported.connect(observers.take_report, dispatch_uid="bookings.take_report")
        account_events.membership_changed.connect(
            observers.follow_membership, dispatch_uid="bookings.follow_membership"
        )
