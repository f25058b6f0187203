"""Many operations of one migration at once.

Django draws the state of all models anew after each operation that touches one, which takes longer than the operation
with as many models as these: a database was made in half a minute and more. Together they draw it once.
"""

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterUniqueTogether,
    CreateModel,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

#: What a table that is made at once brings with it.
IN_THE_TABLE = (AddField, AlterField, AddConstraint, AddIndex, AlterUniqueTogether)


class Together(SeparateDatabaseAndState):
    """Operations of which each is given the state after all of them.

    A table is made as it is in the end: what the others add to it is in it already. What else builds on one before it
    (a column renamed and then altered, data moved in between) has no place here.
    """

    serialization_expand_args = ["operations"]

    def __init__(self, operations: Sequence[Operation]) -> None:
        super().__init__(database_operations=operations, state_operations=operations)
        self.operations = operations

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [], {"operations": self.operations}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)  # drawn when it is next asked for, once
        super().state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        made = {operation.name_lower for operation in self.operations if isinstance(operation, CreateModel)}
        for operation in self.operations:
            if not (isinstance(operation, IN_THE_TABLE) and _model_of(operation) in made):
                operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return f"{len(self.operations)} operations at once"


def _model_of(operation: Operation) -> str:
    name: str = getattr(operation, "model_name", None) or operation.name  # type: ignore[attr-defined]
    return name.lower()
