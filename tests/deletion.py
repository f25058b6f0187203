"""People who let their account go."""

from datetime import datetime

import pytest

from accounts.models import User
from accounts.services.deletions import ask_for_deletion, delete_due
from tests.people import DAY, make_user


def gone(user: User, now: datetime, days: int = 14) -> User:
    """Asked for so long ago that it is due now, and done."""
    ask_for_deletion(user=user, by=user, now=now - days * DAY)
    assert delete_due(now=now) == 1
    user.refresh_from_db()
    return user


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada@example.org", "buyer", "provider", name="Ada Lovelace", organization_name="Lovelace Labs")
