from django.urls import path

from bookings.views import booking, browse, handover, listing

urlpatterns = [
    path("listings/", browse.listing_list, name="listing_list"),
    path("listings/<uuid:pk>/", listing.listing_detail, name="listing_detail"),
    path("listings/<uuid:pk>/availability/", listing.listing_availability, name="listing_availability"),
    path("listings/<uuid:pk>/quote/", listing.listing_quote, name="listing_quote"),
    path("listings/<uuid:pk>/book/", listing.listing_book, name="listing_book"),
    path("bookings/", booking.booking_list, name="booking_list"),
    path("bookings/<uuid:pk>/", booking.booking_detail, name="booking_detail"),
    path("bookings/<uuid:pk>/cancel/", booking.booking_cancel, name="booking_cancel"),
    path("bookings/<uuid:pk>/access/", handover.booking_access, name="booking_access"),
    path("bookings/<uuid:pk>/wipe/", handover.booking_wipe, name="booking_wipe"),
    path("bookings/<uuid:pk>/wipes/<uuid:wipe_pk>/evidence/", handover.wipe_evidence, name="wipe_evidence"),
    path("machines/<uuid:pk>/calendar/", handover.machine_calendar, name="machine_calendar"),
]
