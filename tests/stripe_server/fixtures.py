"""``processor``: the application talks to a fresh server of ours, in the same process and without a socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from tests.stripe_server.client import Fault, InProcess
from tests.stripe_server.server import StripeServer


class Processor(StripeServer):
    """The server, with the line to it: ``fault`` is asked before and after each call of the application."""

    line: InProcess

    @property
    def fault(self) -> Fault | None:
        return self.line.fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self.line.fault = fault


@contextmanager
def connected(processor: Processor) -> Iterator[None]:
    """The application's client (billing.gateway.client) is made anew, with a line to ``processor``."""
    client = import_module("billing.gateway.client")
    processor.line = InProcess(processor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "http_client", lambda: processor.line)
        client.client.cache_clear()
        yield
    client.client.cache_clear()


@pytest.fixture
def processor(settings: Any) -> Iterator[Processor]:
    """Fails the test at its end if anything was sent that the ``stripe`` package's types do not allow."""
    settings.STRIPE_SECRET_KEY = "sk_test_processor"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_processor"
    settings.STRIPE_WEBHOOK_SECRET = "whsec_processor"
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = "whsec_processor_connect"
    processor = Processor()
    with connected(processor):
        yield processor
    assert processor.violations == []
