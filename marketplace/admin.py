"""The platform administrators' site."""

from django.conf import settings
from django.contrib import admin


class Site(admin.AdminSite):
    site_header = f"{settings.SITE_NAME} administration"
    site_title = f"{settings.SITE_NAME} administration"
    index_title = "What needs a decision, and everything else"
