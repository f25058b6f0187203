"""The marketplace's addresses, and the bare views beside them."""

from django.urls import include, path

urlpatterns = [
    path("bare/", include("perf.bare.urls")),
    path("", include("marketplace.urls")),
]
handler403 = "marketplace.views.forbidden"
handler404 = "marketplace.views.not_found"
handler500 = "marketplace.views.broken"
