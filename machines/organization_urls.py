from django.urls import path

from machines.views import organizations

urlpatterns = [
    path("<uuid:pk>/machines/", organizations.organization_machines, name="organization_machines"),
]
