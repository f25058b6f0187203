"""The agent itself, as one file that anyone may take, and its SHA-256."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from agent import building

NAME = "rsm-agent.pyz"


def program() -> tuple[bytes, str]:
    """The program and its SHA-256 in hex: built once, and again when a file of it has changed."""
    source = Path(settings.BASE_DIR)
    files = sorted((source / "agent").rglob("*.py"))
    return _built(source, tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(1)
def _built(source: Path, files: tuple[tuple[Path, int], ...]) -> tuple[bytes, str]:
    data = building.build(source)
    return data, building.sha256(data)


def _etag(request: HttpRequest) -> str:
    return f'"{program()[1]}"'


# "no-cache": it may be kept, but is asked for each time, so that a new program never meets an old checksum.
@require_safe
@cache_control(public=True, no_cache=True)
@condition(etag_func=_etag)
def agent_program(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(program()[0], content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{NAME}"'
    return response


@require_safe
@cache_control(public=True, no_cache=True)
@condition(etag_func=_etag)
def agent_program_sha256(request: HttpRequest) -> HttpResponse:
    """As ``sha256sum`` writes it, so that ``sha256sum -c`` reads it."""
    return HttpResponse(f"{program()[1]}  {NAME}\n", content_type="text/plain; charset=utf-8")
