"""History as files: a line for each field that changed, in CSV or JSON, written while it is read."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.http import StreamingHttpResponse

from common.history.reading import Change

COLUMNS = ("at", "kind", "id", "subject", "what", "field", "from", "to", "who", "who_id", "acting_id", "why", "request")
KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def as_file(changes: Iterable[Change], *, name: str, kind: str) -> StreamingHttpResponse:
    """A download of all of them. ``kind``: one of :data:`KINDS`."""
    return rows_as_file(COLUMNS, rows(changes), name=name, kind=kind)


def rows_as_file(
    columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, name: str, kind: str
) -> StreamingHttpResponse:
    """A download of these, each with a text for every column. ``kind``: one of :data:`KINDS`."""
    lines = _csv(columns, rows) if kind == "csv" else _json(columns, rows)
    response = StreamingHttpResponse(lines, content_type=KINDS[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "private, no-store"
    return response


def rows(changes: Iterable[Change]) -> Iterator[dict[str, str]]:
    """A row for each field; of a change without any, one that says so."""
    for change in changes:
        about = {
            "at": change.at.isoformat(),
            "kind": change.kind.label,
            "id": change.pk,
            "subject": change.subject,
            "what": change.verb,
            "who": change.who,
            "who_id": change.who_id,
            "acting_id": change.acting_id,
            "why": change.why,
            "request": change.request,
        }
        for step in change.steps:
            yield about | {"field": step.name, "from": step.raw_before, "to": step.raw_after}
        if not change.steps:
            yield about | {"field": "", "from": "", "to": ""}


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_harmless(row[column]) for column in columns])


def _json(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + json.dumps({column: row[column] for column in columns}, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _harmless(cell: str) -> str:
    """Without a formula in it: people open these files in spreadsheets, and others have typed what stands in them."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
