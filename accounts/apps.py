from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from accounts import checks, decisions, middleware, personal, privacy  # noqa: F401  # they register what is theirs

        privacy.contribute(personal.ROOM)
        user_logged_in.connect(middleware.note_belonging, dispatch_uid="accounts.note_belonging")
