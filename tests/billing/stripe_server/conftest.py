"""The small Stripe of the tests by itself, without the application, and the real ``stripe`` package talking to it."""

import pytest
import stripe

from tests.billing.stripe_server.asking import NOON
from tests.stripe_server.client import InProcess
from tests.stripe_server.server import StripeServer
from tests.stripe_server.world import API_VERSION


@pytest.fixture
def server():
    """At noon on 31 January; whatever the types refuse fails the test, unless it takes it away itself."""
    server = StripeServer(now=NOON)
    yield server
    assert server.violations == []


@pytest.fixture
def line(server: StripeServer) -> InProcess:
    return InProcess(server)


@pytest.fixture
def client(line: InProcess) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_x", http_client=line, stripe_version=API_VERSION)


@pytest.fixture
def api(client: stripe.StripeClient):
    return client.v1


@pytest.fixture
def customer(api) -> str:
    return api.customers.create({"email": "ada@example.org", "name": "Ada"}).id
