from django.urls import path

from bookings.views import booking, browse, erasure, extend, handover, listing, maintenance, reliability

urlpatterns = [
    path("listings/", browse.listing_list, name="listing_list"),
    path("listings/<uuid:pk>/", listing.listing_detail, name="listing_detail"),
    path("listings/<uuid:pk>/availability/", listing.listing_availability, name="listing_availability"),
    path("listings/<uuid:pk>/quote/", listing.listing_quote, name="listing_quote"),
    path("listings/<uuid:pk>/book/", listing.listing_book, name="listing_book"),
    path("listings/<uuid:pk>/reliability/", reliability.listing_reliability, name="listing_reliability"),
    path("bookings/", booking.booking_list, name="booking_list"),
    path("bookings/<uuid:pk>/", booking.booking_detail, name="booking_detail"),
    path("bookings/<uuid:pk>/cancel/", booking.booking_cancel, name="booking_cancel"),
    path("bookings/<uuid:pk>/leave/", booking.booking_leave, name="booking_leave"),
    path("bookings/<uuid:pk>/extend/", extend.booking_extend, name="booking_extend"),
    path("bookings/<uuid:pk>/extend/give-back/", extend.booking_extend_give_back, name="booking_extend_give_back"),
    path("bookings/<uuid:pk>/end/", extend.booking_end, name="booking_end"),
    path("bookings/<uuid:pk>/access/", handover.booking_access, name="booking_access"),
    path("bookings/<uuid:pk>/wipe/", handover.booking_wipe, name="booking_wipe"),
    path("bookings/<uuid:pk>/wipes/<uuid:wipe_pk>/evidence/", handover.wipe_evidence, name="wipe_evidence"),
    path("bookings/<uuid:pk>/wipe/retry/", erasure.booking_wipe_retry, name="booking_wipe_retry"),
    path("bookings/<uuid:pk>/certificate/", erasure.booking_certificate, name="booking_certificate"),
    path("bookings/<uuid:pk>/evidence/<uuid:evidence_pk>/logs/", erasure.evidence_logs, name="evidence_logs"),
    path("erasure/", erasure.erasure_lookup, name="erasure_lookup"),
    path("erasure/keys", erasure.erasure_keys, name="erasure_keys"),
    path("erasure/<uuid:pk>/", erasure.erasure_check, name="erasure_check"),
    path("erasure/<uuid:pk>/<str:name>", erasure.erasure_file, name="erasure_file"),
    path("machines/<uuid:pk>/calendar/", handover.machine_calendar, name="machine_calendar"),
    path("machines/<uuid:pk>/maintenance/", maintenance.machine_maintenance, name="machine_maintenance"),
    path(
        "machines/<uuid:pk>/maintenance/<uuid:window_pk>/cancel/",
        maintenance.maintenance_cancel,
        name="maintenance_cancel",
    ),
]
