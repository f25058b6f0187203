"""Letting an account go: what has to be settled first, the time to reconsider, and that nothing is left of who it was."""

from functools import partial

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.urls import reverse

from accounts import outbox, privacy
from accounts.decisions import (
    OVERRIDE_VERIFICATION,
    SET_ADMINISTRATOR,
    administrator_arguments,
    override_arguments,
)
from accounts.models import (
    ApiToken,
    ApiTokenUse,
    BillingDetails,
    Decision,
    DeletionRequest,
    OutgoingMail,
    Scope,
    SSHKey,
    User,
    WebhookEndpoint,
)
from accounts.scrubbing import INSTEAD, Traces, scrub
from accounts.services import deletions, exports
from accounts.services.decisions import DecisionError, ask, confirm
from accounts.services.deletions import CannotGo, ask_for_deletion, delete_due, take_back
from accounts.services.exports import ask_for_export
from accounts.services.invitations import accept_invitation, invite
from accounts.services.notifications import notify
from accounts.services.organizations import OrganizationError, locked_organization
from accounts.services.tokens import TokenRefused, admit, make_token, record_use
from billing.documents import parties
from billing.models import PayoutAccount, SavedCard, StripeCustomer, WebhookEvent
from billing.services.forgetting import forget_customers
from bookings.models import Booking, BookingEvent, DataWipe
from bookings.services.history import note
from bookings.services.provision import fingerprint
from common.errors import MarketplaceError
from common.history.facts import recorded
from common.history.tracking import kind_of
from machines.models import Listing, ListingStatus, Work
from tests.agents import erase, make_agent, make_agent_over
from tests.earning import make_iban, make_payout
from tests.organizations import confirm_address, make_member, make_organization
from tests.people import (
    DAY,
    HOUR,
    PASSWORD,
    another_administrator,
    make_billing_details,
    make_listing,
    make_machine,
    make_over,
    make_user,
    record_wipe,
    verify,
)
from tests.racing import twice_at_once
from tests.signing_in import step_up

pytestmark = pytest.mark.django_db

PAGE = "/accounts/privacy/delete/"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDt4Rnel0RqYbVQmR9t8vBmJ4yQ1f9b3o5a2bqQmYwQh"


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "files")},
        }
    }
    return tmp_path / "files"


def gone(user, now, days=14):
    """Asked for so long ago that it is due now, and done."""
    ask_for_deletion(user=user, by=user, now=now - days * DAY)
    assert delete_due(now=now) == 1
    user.refresh_from_db()
    return user


# What keeps it from going -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["held", "paid", "running", "over"])
def test_a_booking_that_is_not_over_keeps_both_sides(request, state, buyer, provider, now):
    booking = request.getfixturevalue(state)
    for person in (buyer, provider):
        with pytest.raises(CannotGo, match=booking.reference) as refusal:
            ask_for_deletion(user=person, by=person, now=now)
        assert refusal.value.obstacles[0].link == reverse("booking_detail", args=[booking.pk])
    assert not DeletionRequest.objects.exists()


def test_a_provider_who_is_still_owed_money_stays(provider, buyer, completed, now):
    with pytest.raises(CannotGo, match="We owe you money"):
        ask_for_deletion(user=provider, by=provider, now=now)
    assert ask_for_deletion(user=buyer, by=buyer, now=now)


def test_a_refund_on_its_way_keeps_its_buyer(buyer, completed, now):
    completed.payments.get().refunds.create(amount="1.00", currency="EUR", reason="goodwill")
    with pytest.raises(CannotGo, match="refund"):
        ask_for_deletion(user=buyer, by=buyer, now=now)


def test_the_last_administrator_and_the_owner_of_an_organization_stay(buyer, other_buyer, now):
    organization = make_organization(buyer)
    with pytest.raises(CannotGo, match="only administrator"):
        ask_for_deletion(user=buyer, by=buyer, now=now)
    make_member(organization, other_buyer, "administrator")
    with pytest.raises(CannotGo, match="You own this organization"):
        ask_for_deletion(user=buyer, by=buyer, now=now)
    assert ask_for_deletion(user=other_buyer, by=other_buyer, now=now)


def test_who_administers_the_marketplace_lays_that_down_first(administrator, now):
    with pytest.raises(CannotGo, match="administer the marketplace"):
        ask_for_deletion(user=administrator, by=administrator, now=now)


def test_what_came_up_meanwhile_holds_it_up_and_is_told_once(buyer, listing, now, settings, monkeypatch):
    request = ask_for_deletion(user=buyer, by=buyer, now=now)
    make_organization(buyer)
    for days in (14, 15, 16):
        assert delete_due(now=now + days * DAY) == 0
    request.refresh_from_db()
    assert request.is_open
    assert request.state == "held up"
    assert buyer.notifications.filter(key__startswith="deletion-held-up:").count() == 1
    buyer.refresh_from_db()
    assert buyer.email == "buyer@example.com"


# The time to reconsider -------------------------------------------------------------------------------


def test_nothing_happens_before_its_time_and_it_can_be_taken_back(buyer, now, mailoutbox):
    request = ask_for_deletion(user=buyer, by=buyer, now=now)
    assert ask_for_deletion(user=buyer, by=buyer, now=now) == request
    assert delete_due(now=now + 13 * DAY) == 0
    assert take_back(user=buyer, by=buyer, now=now + 13 * DAY)
    assert not take_back(user=buyer, by=buyer, now=now + 13 * DAY)
    assert delete_due(now=now + 15 * DAY) == 0
    outbox.send_due(now=now + HOUR)
    assert [mail.subject for mail in mailoutbox] == ["Your account will be deleted", "Your account stays"]
    assert ask_for_deletion(user=buyer, by=buyer, now=now + 15 * DAY) != request


def test_the_page_says_what_goes_and_what_stays(client, buyer, now):
    client.force_login(buyer)
    page = client.get(PAGE).text
    assert "tax law" in page.lower()
    assert "14 days" in page
    assert "reauthenticate" in client.post(PAGE).headers["Location"]
    step_up(client)
    assert client.post(PAGE).status_code == 302
    assert "Keep my account" in client.get(PAGE).text
    assert "Your account is to be deleted" in client.get("/accounts/privacy/").text
    client.logout()
    assert client.login(email=buyer.email, password=PASSWORD), "sign-in is possible to take it back"
    assert client.post(f"{PAGE}take-back/").status_code == 302
    assert not DeletionRequest.objects.open().exists()


def test_the_page_says_what_to_settle_first(client, buyer, paid):
    client.force_login(buyer)
    step_up(client)
    page = client.get(PAGE).text
    assert paid.reference in page
    assert "Delete my account" not in page
    assert client.post(PAGE).status_code == 422
    assert not DeletionRequest.objects.exists()


def test_an_administrator_begins_it_at_a_persons_request(client, administrator, buyer, now):
    client.force_login(administrator)
    step_up(client)
    action = {"action": "delete_on_request", "_selected_action": [str(buyer.pk)]}
    address = reverse("admin:accounts_user_changelist")
    assert "reason" in client.post(address, action).text
    client.post(address, action | {"decided": "1", "reason": "Wrote from the address of the account."})
    request = DeletionRequest.objects.get()
    assert (request.user, request.asked_by) == (buyer, administrator)
    assert "Wrote from the address" in OutgoingMail.objects.get(user=buyer).text
    assert delete_due(now=request.due_at) == 1
    request.refresh_from_db()
    assert request.reason == ""


def test_nobody_else_can_ask_for_it_or_take_it_back(buyer, other_buyer, now):
    for act in (ask_for_deletion, take_back):
        with pytest.raises(MarketplaceError):
            act(user=buyer, by=other_buyer, now=now)


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


@pytest.fixture
def ada(db):
    return make_user("ada@example.org", "buyer", "provider", name="Ada Lovelace", organization_name="Lovelace Labs")


def lawful():
    return {column for room in privacy.rooms() for kept in room.kept for column in kept.columns}


def test_a_buyer_who_is_deleted_is_found_nowhere_but_where_the_law_wants_it(
    client, ada, buyer, administrator, listing, now, mailoutbox, files
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
    assert list((files / "exports").iterdir()) == []


def test_a_deleted_account_lets_nobody_in_and_its_address_is_free(client, ada, now):
    client.force_login(ada)
    gone(ada, now)
    assert not ada.is_active
    assert not ada.has_usable_password()
    assert client.get("/accounts/privacy/").status_code == 302
    assert not client.login(email="ada@example.org", password=PASSWORD)
    assert make_user("ada@example.org")
    assert f"Member {ada.pk.hex[-6:]}" == ada.public_name


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


def test_what_is_killed_on_the_way_is_done_by_the_next_sweep(ada, administrator, now, monkeypatch):
    lived_before = ada.email
    request = ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)

    def broken(*_args):
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(deletions, "scrub_history", broken)
        for _sweep in range(2):
            assert delete_due(now=now) == 0
    assert administrator.notifications.get().title == "An account could not be deleted"
    ada.refresh_from_db()
    assert ada.email == lived_before, "all of it, or nothing"
    assert delete_due(now=now) == 1
    assert delete_due(now=now) == 0
    request.refresh_from_db()
    assert request.done_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_delete_it_once(now):
    ada = make_user("ada@example.org", name="Ada Lovelace")
    ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)
    assert sorted(twice_at_once(partial(delete_due, now=now))) == [0, 0, 1]
    assert OutgoingMail.objects.filter(user=None).count() == 1


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


def test_who_joins_an_organization_meanwhile_is_met_by_the_next_sweep(ada, buyer, other_buyer, now, monkeypatch):
    make_member(make_organization(buyer), ada)
    other = make_organization(other_buyer, "Institute of Mills")
    ask_for_deletion(user=ada, by=ada, now=now - 14 * DAY)

    def joins_another(pk):
        make_member(other, ada)
        return locked_organization(pk)

    with monkeypatch.context() as patch:
        patch.setattr(deletions, "locked_organization", joins_another)
        assert delete_due(now=now) == 0
    assert delete_due(now=now) == 1
    assert not ada.memberships.current().exists()


def test_nobody_joins_with_an_account_that_was_closed_meanwhile(ada, buyer, now):
    confirm_address(ada)
    (invitation,) = invite(organization=make_organization(buyer), by=buyer, emails=[ada.email], role="member", now=now)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(OrganizationError, match="account is closed"):
        accept_invitation(invitation=invitation, user=ada, now=now)


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


def test_erasing_twice_is_quiet(ada, now):
    gone(ada, now)
    deletions.erase(ada, now=now)
    assert ada.email.endswith("@deleted.invalid")


def test_the_processor_forgets_its_customer(processor, buyer, now):
    from billing.services.cards import customer_of

    customer_of(buyer)
    gone(buyer, now)
    assert forget_customers() == 1
    assert not StripeCustomer.objects.exists()
    assert forget_customers() == 0
