from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from allauth.account.signals import user_signed_up
        from django.contrib.auth.signals import user_logged_in

        # Some of them are here to register what is theirs.
        from accounts import checks, decisions, middleware, personal, privacy, security_log, sessions  # noqa: F401
        from accounts.services.languages import keep_language

        privacy.contribute(personal.ROOM)
        user_logged_in.connect(middleware.note_belonging, dispatch_uid="accounts.note_belonging")
        user_logged_in.connect(sessions.note_sign_in, dispatch_uid="accounts.note_sign_in")
        user_signed_up.connect(keep_language, dispatch_uid="accounts.keep_language")
        security_log.connect()
