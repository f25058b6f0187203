"""In which language a person reads and is written to."""

from django.utils.translation import get_language

from accounts.models import User


def choose_language(*, user: User, language: str) -> None:
    """They read it on every page, wherever they sign in, and in their mails. Empty: the browser's; mails in English.

    Raises:
        ValidationError: there are no pages in it.
    """
    user.language = language
    user.clean_fields(exclude={field.name for field in User._meta.fields if field.name != "language"})
    user.save(update_fields=["language"])


def keep_language(*, user: User, **_: object) -> None:
    """Whoever signs up reads on in the language in which they did (``user_signed_up``), unless they have one already."""
    if not user.language:
        choose_language(user=user, language=get_language() or "")
