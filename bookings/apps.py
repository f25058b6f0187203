from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"

    def ready(self) -> None:
        from bookings import observers
        from machines import events

        events.work_reported.connect(observers.take_report, dispatch_uid="bookings.take_report")
