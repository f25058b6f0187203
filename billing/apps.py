from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from accounts import privacy
        from billing import decisions, observers, personal, records  # noqa: F401  # decisions: what takes two people
        from bookings import events
        from bookings import records as history

        privacy.contribute(personal.ROOM)
        history.contribute(records.LINES)
        events.booking_canceled.connect(observers.refund_canceled, dispatch_uid="billing.refund_canceled")
        events.booking_ended_early.connect(observers.refund_ended_early, dispatch_uid="billing.refund_ended_early")
        events.booking_cut.connect(observers.refund_cut, dispatch_uid="billing.refund_cut")
        events.booking_time_lost.connect(observers.refund_lost_time, dispatch_uid="billing.refund_lost_time")
        events.booking_undelivered.connect(observers.refund_undelivered, dispatch_uid="billing.refund_undelivered")
