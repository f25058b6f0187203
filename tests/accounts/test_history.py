"""Every change of a row is written down by the database, with who, why, from and to; and shown to those entitled."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal

import pgtrigger
import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import BillingDetails, Organization, Role, SSHKey, User, Verification
from accounts.services.roles import set_purposes
from billing.models import Payment
from bookings.models import Booking, Charge
from bookings.services.cancel import cancel_booking
from common.history.beginning import write_down_what_is_there
from common.history.facts import also, because, recorded
from common.history.reading import History, scope_of, scopes_around, scopes_of_organization
from common.history.tracking import kind_of, kinds
from machines.models import Benchmark, Listing, Machine
from marketplace.celery import app
from tests.organizations import make_member, make_organization
from tests.people import make_billing_details, make_hold, make_user

pytestmark = pytest.mark.django_db

#: What no record may hold: whoever reads it could get in with it, or find out how.
SECRET = ("password", "hash", "secret", "token_hash", "public_key", "nonce", "seed", "stripe_customer")
#: What changes by itself every few seconds or minutes.
RESTLESS = (
    "last_",
    "health",
    "provider_agent_status",
    "sequence",
    "next_attempt",
    "attempts",
    "asked_at",
    "reliability",
)


def history_of(row, viewer, **asked):
    return list(History([scope_of(row)], viewer, **asked))


def steps_of(change):
    return {step.name: (step.before, step.after) for step in change.steps}


# What is kept -----------------------------------------------------------------------------------------


def test_neither_secrets_nor_what_changes_all_the_time_is_kept():
    for kind in kinds():
        for name in kind.fields:
            assert not any(word in name for word in SECRET), f"{kind.label}.{name}"
            assert not name.startswith(RESTLESS) or (kind.label, name) == ("bookings.approval", "asked_at"), name


@pytest.mark.parametrize(
    "label",
    [
        "accounts.User",
        "accounts.Verification",
        "accounts.Organization",
        "accounts.Membership",
        "accounts.Invitation",
        "accounts.Project",
        "accounts.BillingDetails",
        "accounts.SSHKey",
        "accounts.ApiToken",
        "accounts.WebhookEndpoint",
        "accounts.Decision",
        "accounts.Acting",
        "machines.Machine",
        "machines.Listing",
        "machines.Benchmark",
        "machines.Agent",
        "bookings.Booking",
        "bookings.Charge",
        "bookings.Access",
        "bookings.Approval",
        "bookings.Budget",
        "billing.Payment",
        "billing.Refund",
        "billing.Chargeback",
        "billing.Payout",
        "billing.PayoutAccount",
        "billing.PayoutHold",
        "billing.Subscription",
    ],
)
def test_every_kind_of_thing_that_has_a_state_is_kept(label):
    assert kind_of(apps.get_model(label)) is not None


def test_a_new_row_a_change_and_the_end_are_written_by_the_database_itself(buyer):
    key = SSHKey.objects.create(
        user=buyer, name="laptop", public_key="ssh-ed25519 A", key_type="ed25519", fingerprint="x"
    )
    SSHKey.objects.filter(pk=key.pk).update(name="desk")  # no save(), no signal
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ssh_keys WHERE id = %s", [key.pk])
    found = list(History(scopes_around(buyer, "user"), buyer, kind="accounts.sshkey"))
    assert [change.verb for change in found] == ["delete", "update", "insert"]
    assert steps_of(found[1]) == {"name": ("laptop", "desk")}
    assert steps_of(found[0])["name"] == ("desk", "–")


def test_a_write_that_touches_nothing_that_is_kept_writes_no_history(machine):
    before = machine.changes.count()
    Machine.objects.filter(pk=machine.pk).update(provider_agent_status="online", health_indicators={"cpu": 1})
    machine.save()
    assert machine.changes.count() == before


@pytest.mark.parametrize("statement", ["UPDATE bookings_changes SET currency = 'USD'", "DELETE FROM bookings_changes"])
def test_the_record_can_only_grow(held, statement):
    with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
        connection.cursor().execute(statement)
    assert held.changes.exists()


def test_whoever_must_forget_says_so_in_so_many_words(buyer):
    details = make_billing_details(buyer)
    with pgtrigger.ignore("accounts.BillingDetailsChange:append_only"):
        details.changes.all().delete()
    assert not details.changes.exists()


# Who and why ------------------------------------------------------------------------------------------


def test_facts_of_the_block_around_and_of_its_own_are_kept(buyer, administrator):
    with recorded(user=administrator.pk, address="POST /x"), because("The papers  are\nin order."):
        User.objects.filter(pk=buyer.pk).update(roles=[Role.PROVIDER])
    (change, *_rest) = history_of(buyer, administrator)
    assert (change.who, change.why) == ("you", "The papers are in order.")
    assert steps_of(change) == {"roles": ("Buyer", "Provider")}
    assert buyer.changes.latest("pgh_id").pgh_context["address"] == "POST /x"


def test_a_reason_does_not_outlive_its_block(buyer, administrator):
    with recorded(user=administrator.pk):
        with because("one"):
            User.objects.filter(pk=buyer.pk).update(roles=[Role.PROVIDER])
        User.objects.filter(pk=buyer.pk).update(is_active=False)
    User.objects.filter(pk=buyer.pk).update(is_active=True)
    after, within, first = history_of(buyer, administrator)[:3]
    assert (first.why, within.why, after.why) == ("one", "", "")
    assert (first.who, within.who, after.who) == ("you", "you", "the marketplace")
    assert first.request == within.request != after.request


def test_an_unknown_fact_is_refused(db):
    with pytest.raises(TypeError), recorded(colour="red"):
        pass
    also(user="nobody asked")  # outside of a block: nothing happens


def test_what_fails_leaves_no_fact_behind(buyer, administrator):
    def fails():
        with transaction.atomic(), recorded(user=administrator.pk):
            User.objects.filter(pk=buyer.pk).update(is_active=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with recorded(task="sweep"):
        User.objects.filter(pk=buyer.pk).update(roles=[])
    assert history_of(buyer, administrator)[0].who == "the marketplace (sweep)"


def test_a_request_that_changes_something_does_it_in_the_persons_name(client, buyer):
    client.force_login(buyer)
    assert client.post(reverse("become_provider")).status_code == 302
    change = history_of(buyer, buyer)[0]
    assert (change.who, steps_of(change)) == ("you", {"roles": ("Buyer", "Buyer, Provider")})
    assert buyer.changes.latest("pgh_id").pgh_context["address"] == "POST /machines/become-provider/"


def test_a_request_that_only_reads_asks_the_database_for_nothing_more(client, buyer, held):
    client.force_login(buyer)
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("booking_detail", args=[held.pk]))
    assert not [query for query in asked if "pghistory" in query["sql"]]


def test_a_task_does_it_in_its_own_name(held, administrator, now):
    @app.task(name="tests.cancel")
    def cancel():
        Booking.objects.filter(pk=held.pk).update(hold_expires_at=now)

    cancel()
    assert history_of(held, administrator)[0].who == "the marketplace (tests.cancel)"
    assert history_of(held, held.buyer)[0].who == "the marketplace"


def test_a_decision_in_the_administration_bears_its_reason(client, administrator, machine, now):
    run = Benchmark.objects.create(machine=machine, gpu_throughput_fp16=6000, source="by hand")
    client.force_login(administrator)
    chosen = {"action": "reject", "_selected_action": [str(run.pk)], "decided": "yes", "reason": "Measure it idle."}
    client.post(reverse("admin:machines_benchmark_changelist"), chosen)
    change = history_of(run, machine.provider)[0]
    assert (change.why, change.who) == ("Measure it idle.", "an administrator of the marketplace")


# Reading ----------------------------------------------------------------------------------------------


def test_values_are_written_for_people(listing, provider):
    Listing.objects.filter(pk=listing.pk).update(price_day=Decimal("41.50"), status="paused", max_hours=48)
    change = history_of(listing, provider)[0]
    assert steps_of(change) == {
        "price_day": ("€40.00", "€41.50"),
        "max_hours": ("672", "48"),
        "status": ("Active", "Paused"),
    }
    assert change.subject == listing.machine.name


def test_a_rate_is_a_share_and_not_money(held, organization):
    Booking.objects.filter(pk=held.pk).update(tax_rate=Decimal("0.077"))
    assert steps_of(history_of(held, held.buyer)[0])["tax_rate"][1] == "7.7\N{NO-BREAK SPACE}%"
    Organization.objects.filter(pk=organization.pk).update(approval_above=1500)
    assert steps_of(history_of(organization, organization.owner)[0]) == {"approval_above": ("–", "1,500.00")}


def test_whatever_is_no_money_says_how_it_is_written():
    """Decimals of two places are amounts, in the row's currency; what is finer is something else."""
    decimals = [(kind, kind.model._meta.get_field(name)) for kind in kinds() for name in kind.fields]
    finer = [(kind, one) for kind, one in decimals if getattr(one, "decimal_places", 2) != 2]
    assert finer
    assert all(one.name in kind.written for kind, one in finer)


def test_people_are_called_as_each_reader_may_know_them(buyer, provider, administrator):
    with recorded(user=administrator.pk):
        set_purposes(user=buyer, purposes=[Role.PROVIDER])
    assert history_of(buyer, administrator)[0].who == "you"
    assert history_of(buyer, buyer)[0].who == "an administrator of the marketplace"
    other = make_user("root@example.org", Role.PLATFORM_ADMINISTRATOR)
    assert history_of(buyer, other)[0].who == administrator.email
    assert history_of(buyer, provider)[0].who == "an administrator of the marketplace"


def test_what_was_there_before_the_record_began_is_its_beginning(buyer, now):
    details = make_billing_details(buyer)
    with pgtrigger.ignore("accounts.BillingDetailsChange:append_only"):
        details.changes.all().delete()
    with connection.schema_editor() as editor:
        write_down_what_is_there("accounts", "BillingDetails")(apps, editor)
    BillingDetails.objects.filter(pk=details.pk).update(city="Potsdam")
    newest, first = history_of(details, buyer)
    assert (first.verb, steps_of(newest)) == ("found", {"city": ("Berlin", "Potsdam")})


def test_a_page_of_it_takes_as_many_queries_however_long_it_is(held, buyer, django_assert_max_num_queries):
    for count in range(30):
        Charge.objects.filter(booking=held).update(dropped_because=f"{count}")
    with django_assert_max_num_queries(9):
        found = History([scope_of(held), *scopes_around(held, "booking")], buyer)[:50]
    assert len(found) > 30


# Pages ------------------------------------------------------------------------------------------------


def test_a_bookings_page_shows_each_side_what_concerns_it(client, paid, buyer, provider, other_buyer):
    Booking.objects.filter(pk=paid.pk).update(purchase_order="PO-7")
    page = reverse("booking_history", args=[paid.pk])
    client.force_login(buyer)
    shown = client.get(page).text
    assert "PO-7" in shown
    assert "Visa 4242" in shown
    client.force_login(provider)
    shown = client.get(page).text
    assert "PO-7" not in shown
    assert "Visa 4242" not in shown
    assert "Confirmed" in shown or "Paid at" in shown
    client.force_login(other_buyer)
    assert client.get(page).status_code == 404


def test_it_can_be_taken_along(client, held, buyer):
    Booking.objects.filter(pk=held.pk).update(purchase_order="=1+1")
    client.force_login(buyer)
    page = reverse("booking_history", args=[held.pk])
    answer = client.get(page, {"as": "csv"})
    assert answer["Content-Disposition"] == f'attachment; filename="booking-{held.reference}.csv"'
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert (rows[0]["field"], rows[0]["from"], rows[0]["to"]) == ("purchase_order", "", "'=1+1")
    assert {row["kind"] for row in rows} == {"bookings.booking", "bookings.charge"}
    told = json.loads(b"".join(client.get(page, {"as": "json"})))
    assert told[0]["to"] == "=1+1"
    assert len(told) == len(rows)


def test_a_machines_page_tells_of_its_listings_too(client, listing, provider, other_provider):
    Listing.objects.filter(pk=listing.pk).update(price_hour=Decimal("3.00"))
    client.force_login(provider)
    page = reverse("machine_history", args=[listing.machine_id])
    shown = client.get(page).text
    assert "€2.00" in shown
    assert "€3.00" in shown
    client.force_login(other_provider)
    assert client.get(page).status_code == 404


def test_ones_own_page_tells_of_ones_own(client, buyer, administrator, now):
    Verification.objects.create(
        user=buyer, kind="individual", legal_name="Bea Buyer", country="DE", statement="My page"
    )
    client.force_login(buyer)
    shown = client.get(reverse("own_history")).text
    assert "Bea Buyer" in shown
    client.force_login(administrator)
    assert "Bea Buyer" not in client.get(reverse("own_history")).text


def test_administrators_read_it_beside_what_was_done_in_the_administration(client, administrator, held):
    client.force_login(administrator)
    shown = client.get(reverse("admin:bookings_booking_history", args=[held.pk])).text
    assert "Every change" in shown
    assert "Charge" in shown


# Organizations ----------------------------------------------------------------------------------------


@pytest.fixture
def organization(organization_administrator, member, buyer) -> Organization:
    """Three belong to it; the buyer books for it."""
    row = make_organization(organization_administrator)
    for person in (member, buyer):
        make_member(row, person)
    return row


@pytest.fixture
def booked(organization, listing, buyer, now):
    """A booking of a member's for the organization, by its columns: how it came to be is told elsewhere."""
    held = make_hold(listing, buyer, start=now + timedelta(days=2), asked=now)
    Booking.objects.filter(pk=held.pk).update(organization=organization, purchase_order="PO-1")
    held.refresh_from_db()
    return held


def test_an_organization_reads_all_that_concerns_it_and_nothing_else(organization, booked, listing, other_buyer, now):
    other = make_hold(listing, other_buyer, start=now + timedelta(days=5), asked=now)
    found = list(History(scopes_of_organization(organization), organization.owner))
    assert {change.kind.label for change in found} >= {
        "accounts.organization",
        "accounts.membership",
        "bookings.booking",
        "bookings.charge",
    }
    assert str(other.pk) not in {change.pk for change in found}
    assert str(booked.pk) in {change.pk for change in found}


def test_which_card_pays_and_why_it_was_declined_is_the_buyers_alone(client, organization, paid, buyer):
    Booking.objects.filter(pk=paid.pk).update(organization=organization)
    Payment.objects.filter(booking=paid).update(failure="Your card has insufficient funds.")
    page = reverse("booking_history", args=[paid.pk])
    audit = reverse("organization_history", args=[organization.pk])
    for reader, paths in ((buyer, [page]), (organization.owner, [page, audit])):
        client.force_login(reader)
        for path in paths:
            for kind in ("", "csv", "json"):
                shown = b"".join(client.get(path, {"as": kind})).decode()
                assert "billing.payment" in shown if kind else "Payment" in shown
                told = [words in shown for words in ("4242", "insufficient funds", "card_label")]
                assert told == [reader == buyer] * 2 + [reader == buyer and bool(kind)]


def test_its_page_is_for_its_administrators(client, organization, member, other_buyer):
    page = reverse("organization_history", args=[organization.pk])
    client.force_login(organization.owner)
    assert client.get(page).status_code == 200
    client.force_login(member)
    assert client.get(page).status_code in (403, 404)
    client.force_login(other_buyer)
    assert client.get(page).status_code == 404


def test_it_is_filtered_by_person_kind_and_time(client, organization, member):
    with recorded(user=member.pk):
        Organization.objects.filter(pk=organization.pk).update(needs_project=True)
    with recorded(user=organization.owner_id):
        Organization.objects.filter(pk=organization.pk).update(needs_grant=True)
    client.force_login(organization.owner)
    page = reverse("organization_history", args=[organization.pk])

    def found(**asked):
        return list(client.get(page, asked).context["page"].object_list)

    assert [change.verb for change in found(person=str(member.pk))] == ["update"]
    assert {change.kind.label for change in found(kind="accounts.organization")} == {"accounts.organization"}
    assert found(until="2020-01-01") == []
    assert found(since="2020-01-01")
    assert client.get(page, {"kind": "accounts.user"}).context["form"].errors


def test_canceling_tells_who_canceled(booked, organization, now):
    with recorded(user=booked.buyer_id):
        cancel_booking(booking_id=booked.pk, by=booked.buyer, now=now)
    change = next(
        change
        for change in History(scopes_of_organization(organization), organization.owner)
        if change.kind.label == "bookings.booking"
    )
    assert change.who == booked.buyer.public_name
