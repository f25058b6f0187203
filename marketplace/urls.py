"""Every address of the site. What belongs to an app stands in the app's own ``urls.py``."""

from django.contrib import admin
from django.urls import include, path

from accounts.views.privacy import privacy_notice
from marketplace import health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("how-it-works/", views.how_it_works, name="how_it_works"),
    path("privacy/", privacy_notice, name="privacy_notice"),
    path("healthz", health.healthz, name="healthz"),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("accounts.allauth_urls")),
    path("organizations/", include("accounts.organization_urls")),
    path("organizations/", include("machines.organization_urls")),
    path("agent/", include("machines.agent_urls")),
    path("machines/", include("machines.urls")),
    path("", include("bookings.urls")),
    path("", include("billing.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "marketplace.views.not_understood"
handler403 = "marketplace.views.forbidden"
handler404 = "marketplace.views.not_found"
handler500 = "marketplace.views.broken"
