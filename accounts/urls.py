from django.urls import path

from accounts import views

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("verification/", views.verification_request, name="verification_request"),
    path("notifications/", views.notification_list, name="notification_list"),
    path("notifications/read/", views.notifications_read, name="notifications_read"),
    path("billing/", views.billing_details, name="billing_details"),
    path("keys/", views.ssh_key_list, name="ssh_key_list"),
    path("keys/<uuid:pk>/delete/", views.ssh_key_delete, name="ssh_key_delete"),
]
