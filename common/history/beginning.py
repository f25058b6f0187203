"""What a table holds when its history begins: without it the first change of a row would have no "from"."""

from typing import Any

from common.history.tracking import FOUND


def write_down_what_is_there(room: str, *names: str) -> Any:
    """For ``RunPython`` of the migration that makes tables of changes: a line for each row that is there already.

    Args:
        names: of the models whose changes are kept from now on, as in ``"Booking"``.
    """

    def write_down(apps: Any, editor: Any) -> None:
        quote = editor.quote_name
        for name in names:
            changes, rows = apps.get_model(room, f"{name}Change"), apps.get_model(room, name)
            columns = [quote(f.column) for f in changes._meta.concrete_fields if not f.name.startswith("pgh_")]
            listed = ", ".join(columns)
            editor.execute(
                f"INSERT INTO {quote(changes._meta.db_table)} ({listed}, pgh_obj_id, pgh_label, pgh_created_at)"  # noqa: S608
                f" SELECT {listed}, {quote(rows._meta.pk.column)}, '{FOUND}', now() FROM {quote(rows._meta.db_table)}"
            )

    return write_down


def leave(apps: Any, editor: Any) -> None:
    """For the way back: the tables go, and what they hold with them."""
