"""Agents' requests are counted in Redis, which remembers from test to test and from run to run: here each begins at none."""

import pytest

from common.rates import _limiter


@pytest.fixture(autouse=True)
def _counted_from_none() -> None:
    _limiter().storage.reset()
