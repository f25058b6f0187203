from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class MarketplaceConfig(AppConfig):
    name = "marketplace"


class AdminConfig(admin_apps.AdminConfig):
    default_site = "marketplace.admin.Site"
