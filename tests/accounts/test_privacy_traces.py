"""That nothing is left of who let their account go, and that what is others' stays theirs."""

from functools import partial

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from accounts import outbox, privacy
from accounts.decisions import OVERRIDE_VERIFICATION, SET_ADMINISTRATOR, administrator_arguments, override_arguments
from accounts.models import (
    ApiToken,
    ApiTokenUse,
    BillingDetails,
    Decision,
    OutgoingMail,
    Scope,
    SSHKey,
    User,
    WebhookEndpoint,
)
from accounts.scrubbing import INSTEAD, Traces, scrub
from accounts.services import deletions, exports
from accounts.services.decisions import DecisionError, ask, confirm
from accounts.services.exports import ask_for_export
from accounts.services.invitations import invite
from accounts.services.notifications import notify
from accounts.services.tokens import TokenRefused, admit, make_token, record_use
from billing.documents import parties
from billing.models import PayoutAccount, SavedCard, WebhookEvent
from bookings.models import Booking, BookingEvent, DataWipe
from bookings.services.history import note
from bookings.services.provision import fingerprint
from common.history.facts import recorded
from common.history.tracking import kind_of
from machines.models import Listing, ListingStatus, Work
from tests.agents import erase, make_agent, make_agent_over
from tests.deletion import gone
from tests.earning import make_iban, make_payout
from tests.organizations import make_member, make_organization
from tests.people import (
    DAY,
    HOUR,
    another_administrator,
    make_billing_details,
    make_listing,
    make_machine,
    make_over,
    make_user,
    record_wipe,
    verify,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDt4Rnel0RqYbVQmR9t8vBmJ4yQ1f9b3o5a2bqQmYwQh"


# That it is gone --------------------------------------------------------------------------------------


def columns():
    """Every column of every table that may hold words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND (data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY', 'bytea', 'inet')"
            " OR udt_name = 'citext')"
        )
        return cursor.fetchall()


def where_it_is(*words):
    """``table.column`` of each that holds one of the words."""
    found = set()
    with connection.cursor() as cursor:
        for table, column in columns():
            cursor.execute(
                f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE "{column}"::text ILIKE ANY (%s))',
                [[f"%{word}%" for word in words]],
            )
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


def lived(person, other, administrator, listing, now):
    """They have done everything that leaves a trace."""
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=True)
    EmailAddress.objects.create(user=person, email="ada.private@example.net", verified=False)
    Authenticator.objects.create(user=person, type="totp", data={"secret": "ADA"})
    make_billing_details(
        person, name="Ada M. Lovelace", street="Saint James’s Square 12", invoice_email="ada.books@example.net"
    )
    SSHKey.objects.create(
        user=person, name="Lovelace laptop", public_key=KEY, key_type="ssh-ed25519", fingerprint="SHA256:LovelaceKey"
    )
    make_token(user=person, name="Lovelace token", scopes=["bookings:read"], days=30, organization=None, now=now)
    WebhookEndpoint.objects.create(user=person, name="Lovelace hook", url="https://lovelace.example.org/", events=[])
    notify(user=person, key="to-them", title="Hello Ada Lovelace", now=now)
    notify(user=other, key="of-them", title="Ada Lovelace has booked", text="Write to ada@example.org.", now=now)
    outbox.write_mail(user=other, key="of-them", subject="Ada Lovelace", paragraphs=["Ada Lovelace <ada@example.org>"])
    outbox.write_mail(user=person, key="to-them", subject="Hello Ada Lovelace", paragraphs=["ada@example.org"])
    organization = make_organization(other)
    make_member(organization, person)
    make_token(user=person, name="Night runs", scopes=["bookings:read"], days=30, organization=organization, now=now)
    others = make_organization(other, "Institute of Mills")
    for _letter in range(2):  # one that is out, and one that is not
        outbox.send_due(now=now + HOUR)
        invite(organization=others, by=other, emails=[person.email], role="member", now=now)
    booking = make_over(listing, other, end=now - 2 * DAY)
    note(booking, "Canceled by Ada Lovelace", now=now, detail="Sorry, Ada Lovelace asked: write to ada@example.org")
    DataWipe.objects.create(
        machine=booking.machine, booking=booking, method="ssh_key_removal", status="success",
        recorded_by=booking.machine.provider, note="Of Ada Lovelace: SHA256:LovelaceKey", evidence_name="Ada Lovelace.log",
    )  # fmt: skip
    LogEntry.objects.create(
        user=administrator, content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk),
        object_repr=person.email, action_flag=CHANGE, change_message="Ada Lovelace",
    )  # fmt: skip
    SavedCard.objects.create(
        user=person, stripe_payment_method="pm_ada", brand="Visa", last4="4242", exp_month=1, exp_year=2040
    )
    WebhookEvent.objects.create(
        event_id="evt_ada", type="x", payload={"name": "Ada Lovelace", "email": "ada@example.org"}
    )
    ask_for_export(user=person, now=now)
    assert exports.make_due(now=now) == 1


WORDS = (
    "ada@example.org", "ada.private@example.net", "ada.books@example.net", "Lovelace", "Saint James",
    "AAAAC3NzaC1lZDI1NTE5AAAAIDt4", "LovelaceKey",
)  # fmt: skip


def lawful():
    return {column for room in privacy.rooms() for kept in room.kept for column in kept.columns}


def test_a_buyer_who_is_deleted_is_found_nowhere_but_where_the_law_wants_it(
    client, ada, buyer, administrator, listing, now, mailoutbox, stored
):
    lived(ada, buyer, administrator, listing, now)
    client.force_login(ada)
    agent = make_agent(make_machine(listing.machine.provider, "agent-1"))
    booking = make_agent_over(make_listing(agent.row.machine), ada, agent, end=now - DAY)
    erase(agent, now=now - HOUR)
    before = where_it_is(*WORDS)
    assert {"users.email", "ssh_keys.public_key", "notifications.title", "ssh_keys_changes.fingerprint"} <= before
    assert {"booking_events.what", "booking_events.detail", "data_wipes.note", "outgoing_mails.address"} <= before
    gone(ada, now)
    outbox.send_due(now=now + HOUR)
    assert mailoutbox[-1].to == ["ada@example.org"], "the last mail goes to the address that was"
    assert mailoutbox[-1].subject == "Your account is deleted"
    assert where_it_is(*WORDS) - lawful() == set()
    assert (
        BookingEvent.objects.get(what=f"Canceled by {INSTEAD}").detail == f"Sorry, {INSTEAD} asked: write to {INSTEAD}"
    )
    booking.refresh_from_db()
    assert booking.buyer_id == ada.pk
    assert booking.billed_to == {}
    exports.forget_due(now=now + HOUR)
    assert list((stored / "exports").iterdir()) == []


def test_a_provider_who_is_deleted_leaves_the_market(ada, buyer, administrator, now):
    machine = make_machine(ada, "Lovelace box", ssh_host="box.lovelace.example.org")
    make_listing(machine, description="Ask Ada Lovelace.")
    make_agent(machine)
    make_iban(ada, now=now)
    gone(ada, now)
    assert where_it_is("Lovelace") - lawful() == set()
    assert Listing.objects.get(machine=machine).status == ListingStatus.ARCHIVED
    assert machine.agents.get().revoked_at is not None
    assert not PayoutAccount.objects.filter(user=ada).exists(), "nothing was ever paid to it"


def test_the_account_that_a_payout_went_to_stays_with_the_books(provider, listing, buyer, now):
    payout = make_payout(listing, buyer, now=now)
    account = payout.account
    deletions.erase(provider, now=now)
    account.refresh_from_db()
    assert account.replaced_at is not None
    assert "payout_accounts.holder" in lawful() or account.method == "connect"


def test_history_keeps_that_something_happened_and_not_who_it_was(ada, now):
    make_billing_details(ada, name="Ada Lovelace")
    changes = kind_of(apps.get_model("accounts.BillingDetails")).changes.objects.filter(user=ada.pk)
    assert changes.get().name == "Ada Lovelace"
    gone(ada, now)
    assert [(row.pgh_label, row.name, row.street) for row in changes.order_by("pgh_id")] == [
        ("insert", "", ""),
        ("delete", "", ""),
    ]


def test_what_others_were_told_stays_without_the_name(ada, buyer, now):
    notify(user=buyer, key="of-them", title="Ada Lovelace has booked", now=now)
    notify(user=buyer, key="of-others", title="Adalbert Lovelaces have booked", now=now)
    gone(ada, now)
    assert set(buyer.notifications.values_list("title", flat=True)) == {
        f"{INSTEAD} has booked",
        "Adalbert Lovelaces have booked",
    }


def test_the_name_of_an_institution_that_others_bear_is_left_in_place(ada, buyer, now):
    make_user("colleague@example.org", organization_name="Lovelace Labs")
    notify(user=buyer, key="k", title="Lovelace Labs has three machines", now=now)
    gone(ada, now)
    assert buyer.notifications.get().title == "Lovelace Labs has three machines"


# What is others' stays theirs to the letter ---------------------------------------------------------------


def of_others(person):
    """What other people's rows say, and what history keeps of them."""
    return {
        "bookings": list(Booking.objects.exclude(buyer=person).order_by("pk").values()),
        "billing details": list(BillingDetails.objects.exclude(user=person).order_by("pk").values()),
        "events": list(WebhookEvent.objects.exclude(event_id="evt_theirs").order_by("pk").values()),
        "decisions": list(Decision.objects.order_by("pk").values()),
        "mails": list(OutgoingMail.objects.exclude(user=person).exclude(user=None).order_by("pk").values()),
        "history": [
            list(kind_of(model).changes.objects.filter(**others).order_by("pgh_id").values())
            for model, others in (
                (BillingDetails, {"user": Booking.objects.exclude(buyer=person).values("buyer")[:1]}),
                (Booking, {"pgh_obj__in": Booking.objects.exclude(buyer=person)}),
                (SSHKey, {"user": Booking.objects.exclude(buyer=person).values("buyer")[:1]}),
            )
        ],
    }


@pytest.mark.parametrize(
    ("name", "company", "legal"),
    [("name", "city", "street"), ("data", "email", "kind"), ("Ada Lovelace", "Siemens", "Siemens")],
    ids=["called-name", "called-data", "with-a-company-and-a-street-in-common"],
)
def test_what_others_have_in_common_with_a_deleted_person_stays_theirs(
    name, company, legal, buyer, administrator, completed, listing, now
):
    details = make_billing_details(buyer, name="Siemens", street="Werner-von-Siemens-Straße 1", vat_id="DE136695976")
    Booking.objects.filter(pk=completed.pk).update(billed_to=details.frozen())
    SSHKey.objects.create(user=buyer, name="data name", public_key=KEY, key_type="ssh-ed25519", fingerprint="SHA256:x")
    payload = {"data": {"object": {"name": "Siemens", "city": "Berlin", "email": buyer.email}}, "name": "city"}
    WebhookEvent.objects.create(event_id="evt_others", type="x", payload=payload)
    Decision.objects.create(
        action="give_back", about="payment:1", arguments={"payment": "1", "reason": "data"}, shown=[["name", "Siemens"]],
        reason="It was kind.", asked_by=administrator, expires_at=now,
    )  # fmt: skip
    outbox.write_mail(
        user=buyer,
        key="k",
        subject="name",
        paragraphs=["Siemens, city of data"],
        action=("street", "/"),
        is_for_digest=True,
    )
    person = make_user("leaves@example.org", name=name, organization_name=company)
    make_billing_details(person, name=legal, street="Werner-von-Siemens-Straße 1", vat_id="DE136695976")
    mine = make_over(make_listing(make_machine(listing.machine.provider, "gpu-9")), person, end=now - HOUR)
    record_wipe(mine, now=now)
    Booking.objects.filter(pk=mine.pk).update(billed_to=person.billing_details.frozen())
    theirs = {"data": {"object": {"object": "customer", "name": name, "email": "Leaves@example.org", "city": "Berlin"}}}
    event = WebhookEvent.objects.create(event_id="evt_theirs", type="x", payload=theirs)
    before = of_others(person)
    assert before["history"][0]
    gone(person, now)
    assert of_others(person) == before
    completed.refresh_from_db()
    assert parties.buyer(buyer, completed.billed_to).name == "Siemens"
    mine.refresh_from_db()
    assert mine.billed_to == {}
    event.refresh_from_db()
    assert event.payload == {
        "data": {"object": {"object": "customer", "name": INSTEAD, "email": INSTEAD, "city": "Berlin"}}
    }


def test_a_name_that_somebody_else_bears_is_left_in_place(ada, buyer, now):
    make_user("other.ada@example.org", name="Ada Lovelace")
    notify(user=buyer, key="k", title="Ada Lovelace has booked", text="Write to ada@example.org.", now=now)
    gone(ada, now)
    told = buyer.notifications.get()
    assert (told.title, told.text) == ("Ada Lovelace has booked", f"Write to {INSTEAD}.")


@pytest.mark.parametrize("name", ["SSH keys", "Nicht erledigt"])
def test_a_name_that_is_a_phrase_of_ours_is_left_in_place(ada, buyer, now, name):
    User.objects.filter(pk=ada.pk).update(name=name)
    notify(user=buyer, key="k", title=f"{name}: see the booking", text="Write to ada@example.org.", now=now)
    gone(ada, now)
    told = buyer.notifications.get()
    assert (told.title, told.text) == (f"{name}: see the booking", f"Write to {INSTEAD}.")


def test_an_organizations_bookings_lose_the_address_alone(ada, buyer, completed, administrator, now):
    organization = make_organization(buyer)
    make_member(organization, ada)
    billed = {"kind": "business", "name": "Ada Lovelace", "street": "S 1", "email": "ada@example.org"}
    Booking.objects.filter(pk=completed.pk).update(organization=organization, billed_to=billed)
    shown = Decision.objects.create(
        action="hold", about=f"user:{ada.pk}", arguments={"user": str(ada.pk), "holds": "yes"},
        shown=[["Of", "Ada"], ["Is", "Lovelace Labs"]], reason="Ada Lovelace asked.", asked_by=administrator, expires_at=now,
    )  # fmt: skip
    gone(ada, now)
    completed.refresh_from_db()
    assert completed.billed_to == billed | {"email": ""}
    shown.refresh_from_db()
    assert shown.shown == [["Of", INSTEAD], ["Is", INSTEAD]]
    assert (shown.arguments["user"], shown.reason) == (str(ada.pk), f"{INSTEAD} asked.")
    changes = kind_of(Decision).changes.objects.filter(pgh_obj=shown)
    assert {change.reason for change in changes} == {f"{INSTEAD} asked."}


def test_a_reason_in_history_loses_the_name_and_keeps_its_facts(ada, buyer, now):
    with recorded(user=buyer.pk, why="Ada Lovelace (why) asked for it."):
        make_billing_details(buyer)
    gone(ada, now)
    context = kind_of(BillingDetails).changes.objects.get(user=buyer.pk).pgh_context
    assert context == {"user": str(buyer.pk), "why": f"{INSTEAD} (why) asked for it."}


@pytest.mark.parametrize("name", ["O'Brien & Söhne", 'A "quoted" name', "C++ (x|y).*", "Zoë"])
def test_names_are_found_as_they_are_written_in_html_and_json(name, buyer, now):
    outbox.write_mail(user=buyer, key="k", subject=name, paragraphs=[name], is_for_digest=True)
    scrub("accounts.OutgoingMail", ["subject", "text", "html", "parts"], Traces.among([name]))
    mail = OutgoingMail.objects.get()
    assert (mail.subject, mail.parts["paragraphs"]) == (INSTEAD, [INSTEAD])
    assert INSTEAD in mail.html
    assert INSTEAD in mail.text


def test_no_text_that_is_searched_is_closed_to_it():
    texts = {apps.get_model(label)._meta.db_table for room in privacy.rooms() for label in room.texts}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE proname = 'refuse_change'"
        )
        closed = {table for (table,) in cursor.fetchall()}
    assert "ledger_entries" in closed
    assert texts & closed == set()


# What is an organization's stays with it ----------------------------------------------------------------


def test_an_organization_keeps_what_was_done_in_its_name(ada, buyer, now):
    organization = make_organization(buyer)
    make_member(organization, ada)
    make = partial(make_token, user=ada, scopes=["bookings:read"], days=30, now=now)
    shared, secret = make(name="Night runs of Ada Lovelace", organization=organization)
    own, _secret = make(name="Mine", organization=None)
    for token in (shared, own):
        record_use(token=token, method="GET", path="/api/", status=200, address="192.0.2.1", now=now)
    gone(ada, now)
    (use,) = ApiTokenUse.objects.of_organization(organization)
    assert (use.token, use.token.name, use.token.revoked_at) == (shared, f"Night runs of {INSTEAD}", now)
    with pytest.raises(TokenRefused):
        admit(secret=secret, scope=Scope.BOOKINGS_READ, now=now)
    changes = kind_of(ApiToken).changes.objects.filter(user=ada.pk)
    assert {change.name for change in changes.filter(organization=organization.pk)} == {use.token.name}
    assert {change.name for change in changes.filter(organization=None)} == {""}


def test_an_organization_keeps_its_keys_in_what_agents_were_told(ada, buyer, listing, now):
    organization, shared = make_organization(buyer), "ssh-ed25519 c2hhcmVk"
    make_member(organization, ada)
    row = SSHKey.objects.create(
        organization=organization,
        name="Runner",
        public_key=shared,
        key_type="ssh-ed25519",
        fingerprint=fingerprint(shared),
    )
    agent = make_agent(make_machine(listing.machine.provider, "agent-1"))
    booking = make_agent_over(make_listing(agent.row.machine), ada, agent, end=now - DAY)
    Booking.objects.filter(pk=booking.pk).update(organization=organization)
    work = Work.objects.filter(booking_id=booking.pk, kind="provision")
    mine = "ssh-ed25519 bWluZQ=="
    prints = [fingerprint(shared), fingerprint(mine)]
    work.update(payload={"keys": [mine, shared]}, result={"keys": prints})
    row.delete()
    deletions.erase(ada, now=now)
    assert (work.get().payload, work.get().result) == ({"keys": [shared]}, {"keys": prints[:1]})


# Decisions about somebody who is gone -------------------------------------------------------------------


def test_a_decision_about_somebody_who_was_deleted_cannot_be_confirmed(ada, administrator, now):
    second = another_administrator()
    row = verify(ada, by=administrator, now=now)
    arguments = override_arguments(row, approve=False)
    wanted = ask(action=OVERRIDE_VERIFICATION, arguments=arguments, reason="Forged.", by=administrator, now=now)
    gone(ada, now)
    with pytest.raises(DecisionError, match="not there any more"):
        confirm(decision=wanted, by=second, now=now)


def test_what_a_decision_shows_loses_a_company_and_a_name_of_one_word(administrator, now):
    another_administrator()
    person = make_user("ada@example.org", name="Ada", organization_name="Lovelace Labs")
    arguments = administrator_arguments(person, holds=True)
    wanted = ask(action=SET_ADMINISTRATOR, arguments=arguments, reason="New.", by=administrator, now=now)
    assert {"ada@example.org", "Lovelace Labs"} <= {value for _label, value in wanted.details}
    gone(person, now)
    wanted.refresh_from_db()
    assert [value for _label, value in wanted.details][:2] == [INSTEAD, INSTEAD]
