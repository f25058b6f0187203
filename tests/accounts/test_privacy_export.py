"""A copy of one's data: of every table, made once, by a task that may be killed, and for its person alone."""

import json
import re
from datetime import timedelta
from functools import partial
from io import BytesIO
from zipfile import ZipFile

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.files.storage import default_storage
from django.db.models import F

from accounts import outbox, privacy, tasks
from accounts.models import DataExport, Organization, OutgoingMail, User
from accounts.services import deletions, exports
from accounts.services.exports import ask_for_export
from accounts.services.notifications import notify
from billing.models import Invoice
from billing.services import printing
from common.errors import MarketplaceError
from common.files import StorageAway
from common.history.tracking import kinds
from common.rates import TooManyRequests
from tests.organizations import make_member, make_organization
from tests.people import make_billing_details
from tests.racing import twice_at_once
from tests.signing_in import step_up

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]

PAGE = "/accounts/privacy/"
HOUR = timedelta(hours=1)


def made(user, now):
    export = ask_for_export(user=user, now=now)
    assert exports.make_due(now=now) == 1
    export.refresh_from_db()
    return export


def opened(export):
    with default_storage.open(export.file) as file:
        return ZipFile(BytesIO(file.read()))


def records(archive, kind):
    name = f"{kind}.json"
    return json.loads(archive.read(name)) if name in archive.namelist() else []


# That nothing is left out -----------------------------------------------------------------------------


def keys_to_people():
    """Every foreign key to a person, but those of history, which repeats columns of the tables that it is of."""
    repeated = {kind.changes for kind in kinds()}
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields if model not in repeated else ():
            if field.related_model is User:
                yield f"{model._meta.label}.{field.name}"


def test_every_table_about_people_is_in_the_copy_or_excused():
    covered = {key for export in privacy.exports() for key in export.covers}
    excused = {key: why for room in privacy.rooms() for key, why in room.not_exported.items()}
    there = set(keys_to_people())
    assert there - covered - excused.keys() == set(), "name them in <room>/personal.py"
    assert (covered | excused.keys()) - there == set(), "these are gone"
    assert covered & excused.keys() == set()
    assert all(excused.values())


def test_each_kind_has_a_file_of_its_own():
    names = [export.name for export in privacy.exports()]
    assert len(set(names)) == len(names)
    assert {name.partition("/")[0] for name in names} == {room.name for room in privacy.rooms()}


SECRET = re.compile("password|secret|hash|^data$")


def test_no_secret_is_in_it(buyer, completed, now):
    archive = opened(made(buyer, now))
    for name in archive.namelist():
        for record in json.loads(archive.read(name)) if name.endswith(".json") else ():
            assert not [key for key in record if SECRET.search(key)], name


# What is in it ----------------------------------------------------------------------------------------


def test_a_buyer_gets_everything(buyer, completed, now):
    EmailAddress.objects.create(user=buyer, email=buyer.email, primary=True, verified=True)
    make_billing_details(buyer)
    notify(user=buyer, key="k", title="Hello – „Bea“", now=now)
    printing.print_invoices(now=now)
    archive = opened(made(buyer, now))
    (profile,) = records(archive, "accounts/profile")
    assert (profile["email"], profile["name"]) == (buyer.email, "Bea Buyer")
    assert [row["email"] for row in records(archive, "accounts/email-addresses")] == [buyer.email]
    assert records(archive, "accounts/billing-details")[0]["street"] == "Invalidenstraße 44"
    assert "Hello – „Bea“" in [row["title"] for row in records(archive, "accounts/notifications")]
    assert [row["id"] for row in records(archive, "bookings/bookings")] == [str(completed.pk)]
    assert records(archive, "bookings/access")[0]["host"] == "gpu-1.example.org"
    assert len(records(archive, "bookings/wipes")) == 5
    assert records(archive, "billing/payments")[0]["card_label"] == "Visa 4242"
    invoice = Invoice.objects.get(owner=buyer)
    assert archive.read(f"billing/invoices/{invoice.number}.pdf").startswith(b"%PDF")
    page = archive.read("index.html").decode()
    assert buyer.email in page
    assert 'href="bookings/bookings.json"' in page
    assert "<script" not in page
    assert archive.testzip() is None


def test_a_provider_learns_no_more_of_a_buyer_than_the_public_name(provider, buyer, completed, now):
    archive = opened(made(provider, now))
    (row,) = records(archive, "bookings/bookings-of-your-machines")
    assert row["buyer_public_name"] == "Bea Buyer"
    assert records(archive, "machines/machines")[0]["name"] == "gpu-1"
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert buyer.email.encode() not in everything


def test_nobody_elses_data_is_in_it(stranger, buyer, completed, now):
    make_billing_details(buyer)
    archive = opened(made(stranger, now))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for words in (buyer.email, buyer.name, str(buyer.pk), str(completed.pk), "Invalidenstraße"):
        assert words.encode() not in everything, words


def test_of_an_organization_that_one_has_left_its_name_is_in_it(buyer, other_buyer, now):
    left, here = make_organization(buyer), make_organization(buyer, "Institute of Mills")
    make_member(left, other_buyer, "administrator")
    Organization.objects.filter(pk=left.pk).update(owner=other_buyer, approval_above="100.00")
    buyer.memberships.filter(organization=left).update(left_at=now)
    archive = opened(made(buyer, now))
    (row,) = records(archive, "accounts/organizations-left")
    assert row.keys() == {"name", "created_at"}
    assert [row["id"] for row in records(archive, "accounts/organizations")] == [str(here.pk)]


# Asking and making ------------------------------------------------------------------------------------


def test_one_is_made_at_a_time(buyer, now):
    first = ask_for_export(user=buyer, now=now)
    assert ask_for_export(user=buyer, now=now) == first
    assert exports.make_due(now=now) == 1
    assert exports.make_due(now=now + HOUR) == 0
    assert ask_for_export(user=buyer, now=now) != first


def test_asking_too_often_is_refused(buyer, now, settings):
    settings.MARKETPLACE_EXPORT_RATE = "2/day"
    for _ in range(2):
        made(buyer, now)
    with pytest.raises(TooManyRequests):
        ask_for_export(user=buyer, now=now)


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_it_once(buyer, now, stored):
    ask_for_export(user=buyer, now=now)
    assert sorted(twice_at_once(partial(exports.make_due, now=now))) == [0, 0, 1]
    assert len(list((stored / "exports").iterdir())) == 1
    assert OutgoingMail.objects.filter(key__startswith="export-ready:").count() == 1


class Killed(BaseException):
    """As when the machine goes away: nothing is caught, nothing is written down."""


def test_what_was_killed_is_begun_anew_once_it_has_been_silent(buyer, now, monkeypatch, stored):
    export = ask_for_export(user=buyer, now=now)

    def killed(*_args, **_more):
        raise Killed

    for place in ("_finish", "_write_kind"):
        with monkeypatch.context() as patch:
            patch.setattr(exports, place, killed)
            with pytest.raises(Killed):
                exports.make_due(now=now)
        assert exports.make_due(now=now) == 0, "whoever is at it has not been silent for long"
        now += exports.LEASE + HOUR
    assert exports.make_due(now=now) == 1
    export.refresh_from_db()
    assert export.is_there(now=now)
    assert export.attempts == 3
    assert [file.name for file in (stored / "exports").iterdir()] == [export.file.removeprefix("exports/")]


def test_what_fails_is_tried_again_and_then_given_up(buyer, now, monkeypatch):
    export = ask_for_export(user=buyer, now=now)

    def away(*_args):
        raise StorageAway("away")

    monkeypatch.setattr(exports.files, "put", away)
    for _attempt in range(exports.MOST_ATTEMPTS):
        assert exports.make_due(now=now) == 0
        assert exports.make_due(now=now) == 0, "not at once"
        now += HOUR
    export.refresh_from_db()
    assert not export.is_open
    assert export.ready_at is None
    assert buyer.notifications.get().title == "The copy of your data could not be made"
    monkeypatch.undo()
    assert made(buyer, now).is_there(now=now)


@pytest.mark.parametrize("is_forgotten", [True, False], ids=["and-its-row-forgotten", "and-its-row-left"])
def test_what_is_made_while_its_account_is_deleted_leaves_no_file(buyer, now, monkeypatch, stored, is_forgotten):
    ask_for_export(user=buyer, now=now)
    put = exports.files.put

    def deleted_meanwhile(name, file):
        put(name, file)
        deletions.erase(buyer, now=now)
        if is_forgotten:
            DataExport.objects.all().delete()

    monkeypatch.setattr(exports.files, "put", deleted_meanwhile)
    assert exports.make_due(now=now) == 0
    assert list((stored / "exports").iterdir()) == []


def test_what_somebody_else_makes_meanwhile_keeps_its_file(buyer, now, monkeypatch, stored):
    ask_for_export(user=buyer, now=now)
    put = exports.files.put

    def begun_anew(name, file):
        put(name, file)
        DataExport.objects.update(attempts=F("attempts") + 1)

    monkeypatch.setattr(exports.files, "put", begun_anew)
    assert exports.make_due(now=now) == 0
    assert len(list((stored / "exports").iterdir())) == 1


def test_it_says_how_far_it_is(buyer, completed, now, monkeypatch):
    seen = []
    monkeypatch.setattr(exports, "SAYS_SO_SECONDS", -1)
    say = exports._Progress.say

    def listening(progress, **changes):
        say(progress, **changes)
        row = DataExport.objects.get()
        seen.append((row.doing, row.done, row.total))

    monkeypatch.setattr(exports._Progress, "say", listening)
    export = made(buyer, now)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {"Profile", "Bookings"} <= {doing for doing, _, _ in seen}
    assert export.share == 1.0
    assert export.size == default_storage.size(export.file)


def test_a_copy_is_deleted_with_its_file_when_its_time_is_over(buyer, now, stored, settings):
    export = made(buyer, now)
    assert exports.forget_due(now=now + settings.MARKETPLACE_EXPORT - HOUR) == 0
    assert exports.forget_due(now=now + settings.MARKETPLACE_EXPORT + HOUR) == 1
    assert not DataExport.objects.filter(pk=export.pk).exists()
    assert list((stored / "exports").iterdir()) == []


def test_an_expired_copy_cannot_be_opened(buyer, now, settings):
    export = made(buyer, now)
    with pytest.raises(MarketplaceError, match="not there any more"):
        exports.open_export(export=export, now=now + settings.MARKETPLACE_EXPORT + HOUR)


# The page ---------------------------------------------------------------------------------------------


def test_the_page_asks_shows_how_far_it_is_and_hands_it_out(client, buyer):
    client.force_login(buyer)
    assert "Ask for a copy" in client.get(PAGE).text
    assert client.post(f"{PAGE}export/").status_code == 302
    waiting = client.get(PAGE).text
    assert 'hx-trigger="every 2s"' in waiting
    assert "Ask for a copy" not in waiting
    assert tasks.make_exports() == 1
    fragment = client.get(PAGE, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "Your copy is ready" in fragment
    address = re.search(r'href="(/accounts/privacy/export/[^"]+)"', fragment).group(1)
    assert "reauthenticate" in client.get(address).headers["Location"]
    step_up(client)
    answer = client.get(address)
    assert answer.headers["Content-Type"] == "application/zip"
    assert "no-store" in answer.headers["Cache-Control"]
    assert ZipFile(BytesIO(b"".join(answer.streaming_content))).testzip() is None


def test_a_copy_is_its_persons_alone(client, buyer, other_buyer, administrator, now):
    export = made(buyer, now)
    for outsider in (other_buyer, administrator):
        client.force_login(outsider)
        step_up(client)
        assert client.get(f"{PAGE}export/{export.pk}/").status_code == 404


def test_a_copy_that_the_storage_has_lost_says_so(client, buyer, now):
    export = made(buyer, now)
    default_storage.delete(export.file)
    client.force_login(buyer)
    step_up(client)
    answer = client.get(f"{PAGE}export/{export.pk}/", follow=True)
    assert "is not in the storage" in answer.text


def test_its_mail_warns_whoever_did_not_ask(buyer, now, mailoutbox):
    made(buyer, now)
    outbox.send_due(now=now + HOUR)
    (mail,) = mailoutbox
    assert mail.to == [buyer.email]
    assert "somebody else can sign in as you" in mail.body
