from django.urls import path

from machines.views import benchmarks, listings, machines

urlpatterns = [
    path("", machines.machine_list, name="machine_list"),
    path("become-provider/", machines.become_provider, name="become_provider"),
    path("new/", machines.machine_create, name="machine_create"),
    path("<uuid:pk>/", machines.machine_detail, name="machine_detail"),
    path("<uuid:pk>/edit/", machines.machine_edit, name="machine_edit"),
    path("<uuid:pk>/benchmarks/new/", benchmarks.benchmark_create, name="benchmark_create"),
    path("<uuid:pk>/listings/new/", listings.listing_create, name="listing_create"),
    path("listings/<uuid:pk>/edit/", listings.listing_edit, name="listing_edit"),
    path("listings/<uuid:pk>/activate/", listings.listing_activate, name="listing_activate"),
    path("listings/<uuid:pk>/pause/", listings.listing_pause, name="listing_pause"),
    path("listings/<uuid:pk>/archive/", listings.listing_archive, name="listing_archive"),
]
