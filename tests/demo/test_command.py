"""When ``load_demo`` refuses, and what it says then."""

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command

from accounts.models import User
from bookings.models import Booking
from machines.models import GPUModel, Machine
from marketplace.demo import progress
from marketplace.demo.progress import Progress

pytestmark = pytest.mark.django_db


def _counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (User, Machine, Booking, LogEntry))


@pytest.mark.usefixtures("demo")
def test_a_second_load_is_refused_and_changes_nothing():
    before = _counts()
    assert progress.progress() == Progress.LOADED
    assert not progress.wanted()
    with pytest.raises(CommandError, match="loaded already"):
        call_command("load_demo", skip_checks=True)
    assert _counts() == before


@pytest.mark.usefixtures("demo")
def test_a_database_with_other_people_is_refused():
    LogEntry.objects.all().delete()
    assert progress.progress() == Progress.FOREIGN
    with pytest.raises(CommandError, match="People have signed up here"):
        call_command("load_demo", skip_checks=True)


@pytest.mark.usefixtures("demo")
def test_a_load_that_broke_off_is_seen_and_finished():
    LogEntry.objects.filter(change_message=progress.FINISHED).delete()
    assert progress.progress() == Progress.HALF
    assert progress.wanted()
    before, out = _counts(), StringIO()
    call_command("load_demo", bookings=0, stdout=out, skip_checks=True)
    assert "goes on" in out.getvalue()
    assert progress.progress() == Progress.LOADED
    assert _counts()[:3] == before[:3]


def test_a_real_site_is_refused(settings):
    settings.SITE_URL = "https://servers.example"
    with pytest.raises(CommandError, match="is a real site"):
        call_command("load_demo", skip_checks=True)


def test_a_live_key_is_refused(settings):
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    with pytest.raises(CommandError, match="live key"):
        call_command("load_demo", skip_checks=True)


def test_gpu_models_load_without_the_demonstration():
    out = StringIO()
    for _ in range(2):
        call_command("load_gpu_models", stdout=out, skip_checks=True)
    assert GPUModel.objects.count() == 122
    assert out.getvalue().count("122 GPU models are up to date.") == 2
