from django.urls import path

from machines.views import agents, benchmarks, health, history, listings, machines, passports

urlpatterns = [
    path("", machines.machine_list, name="machine_list"),
    path("become-provider/", machines.become_provider, name="become_provider"),
    path("new/", machines.machine_create, name="machine_create"),
    path("add/", agents.machine_add, name="machine_add"),
    path("<uuid:pk>/agent/", agents.machine_agent, name="machine_agent"),
    path("<uuid:pk>/agent/code/", agents.machine_agent_code, name="machine_agent_code"),
    path("<uuid:pk>/agent/inventory/", agents.machine_inventory, name="machine_inventory"),
    path("<uuid:pk>/agents/<uuid:agent_pk>/revoke/", agents.agent_revoke, name="agent_revoke"),
    path("<uuid:pk>/history/", history.machine_history, name="machine_history"),
    path("<uuid:pk>/health/", health.machine_health, name="machine_health"),
    path("<uuid:pk>/passport/", passports.machine_passport, name="machine_passport"),
    path("<uuid:pk>/adopt/", passports.machine_adopt, name="machine_adopt"),
    path("<uuid:pk>/", machines.machine_detail, name="machine_detail"),
    path("<uuid:pk>/edit/", machines.machine_edit, name="machine_edit"),
    path("<uuid:pk>/measure/", benchmarks.machine_measure, name="machine_measure"),
    path("<uuid:pk>/benchmarks/new/", benchmarks.benchmark_create, name="benchmark_create"),
    path("<uuid:pk>/listings/new/", listings.listing_create, name="listing_create"),
    path("listings/<uuid:pk>/edit/", listings.listing_edit, name="listing_edit"),
    path("listings/<uuid:pk>/activate/", listings.listing_activate, name="listing_activate"),
    path("listings/<uuid:pk>/pause/", listings.listing_pause, name="listing_pause"),
    path("listings/<uuid:pk>/archive/", listings.listing_archive, name="listing_archive"),
]
