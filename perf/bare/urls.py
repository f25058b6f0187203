from django.urls import path

from perf.bare import views

urlpatterns = [
    path("ok/", views.ok),
    path("rows/", views.rows),
]
