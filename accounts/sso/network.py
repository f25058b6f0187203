"""What is asked of providers, whose addresses an organization's administrator gives us: only through :mod:`common.outward`."""

from collections.abc import Mapping
from typing import Any

import requests
from django.conf import settings
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from common import outward

#: A discovery document or a set of keys has some kilobytes.
MOST_READ = 500_000
#: Seconds for one question and its whole answer.
WITHIN = 10.0


class Unreachable(requests.ConnectionError):
    """The provider cannot be asked: the address is refused, or nobody answers. The sentence says why."""


class OutwardAdapter(BaseAdapter):
    """What :mod:`requests` sends goes to public addresses alone, and to the very address that was looked at."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """
        Raises:
            Unreachable: not to such an address, or no whole answer in time.
        """
        body = request.body.encode() if isinstance(request.body, str) else request.body
        # No compression: so many bytes are read, and a small answer must not grow into a large one.
        headers = {str(name): str(value) for name, value in request.headers.items()} | {"Accept-Encoding": "identity"}
        try:
            status, answered, content = outward.ask(
                request.method or "GET",
                request.url or "",
                body,  # type: ignore[arg-type]
                headers,
                ports=settings.MARKETPLACE_WEBHOOK_PORTS,
                within=WITHIN,
                most=MOST_READ,
            )
        except (outward.TargetRefused, outward.NoAnswer) as error:
            raise Unreachable(error.message, request=request) from error
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url or "", request
        response.headers = CaseInsensitiveDict(answered)
        response.encoding = "utf-8"
        response._content = content
        return response

    def close(self) -> None:
        """Every question has a connection of its own."""


def outward_session() -> requests.Session:
    """For django-allauth. It follows no redirect, uses no proxy and keeps no cookie."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.mount("https://", OutwardAdapter())
    session.mount("http://", OutwardAdapter())  # only to hosts that the operator has named; others are refused inside
    return session
