"""What members buy for an organization: whose its invoices are, who sees them, and what of its price went back."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from accounts.models import Membership, OrganizationRole, OutgoingMail
from billing.gateway import Dispute, Intent
from billing.models import Chargeback, Invoice, Payment, Series
from billing.services import payments, statements
from billing.services.chargebacks import take_dispute
from billing.services.check import problems
from billing.services.invoice_checks import findings
from billing.services.refunds import ask_again, give_up, refund_booking
from bookings.models import Booking
from bookings.services import run
from bookings.services.cancel import cancel_booking
from bookings.services.stages import cut_to_paid
from common.ids import uuid7
from common.money import to_minor
from tests.organizations import book_for, leave, make_member, make_organization, make_organization_details
from tests.people import (
    DAY,
    HOUR,
    enter_access,
    make_billing_details,
    make_listing,
    make_machine,
    make_paid,
    mark_charge_paid,
    verify,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def institute(organization_administrator, member):
    """With one member who books, and an address for its invoices."""
    institute = make_organization(organization_administrator)
    make_member(institute, member)
    make_organization_details(institute, invoice_email="accounts@institute.example", purchase_order="=1+1")
    return institute


@pytest.fixture
def billing(institute, other_buyer):
    make_member(institute, other_buyer, OrganizationRole.BILLING)
    return other_buyer


@pytest.fixture
def booking(institute, member, listing, now) -> Booking:
    """Of 8 EUR, paid."""
    return book_for(institute, member, listing, start=now + 2 * DAY, asked=now)


@pytest.fixture
def month() -> datetime:
    """Noon of a day in the middle of the month before the present one, in UTC."""
    today = datetime.now(tz=UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    return (today - DAY).replace(day=15)


def give_back(booking: Booking, amount: str, now: datetime) -> None:
    with transaction.atomic():
        refund_booking(booking=booking, amount=Decimal(amount), reason="goodwill", by=None, now=now)


def back(booking: Booking) -> Decimal:
    return Booking.objects.values_list("given_back", flat=True).get(pk=booking.pk)


# What went back -------------------------------------------------------------------------------------------------


def test_what_is_refunded_has_gone_back(booking, now):
    assert back(booking) == 0
    give_back(booking, "3.00", now)
    assert back(booking) == 3
    give_back(booking, "5.00", now)
    assert back(booking) == booking.price_total == 8


def test_a_refund_that_fails_and_is_asked_for_again_has_gone_back_once(booking, administrator, now):
    give_back(booking, "3.00", now)
    refund = booking.payments.get().refunds.get()
    give_up(refund_id=refund.pk, why="The card is closed.", now=now)
    assert back(booking) == 3
    ask_again(refund=refund, by=administrator, now=now)
    assert back(booking) == 3


def dispute(payment: Payment, status: str, now: datetime, amount: str = "8.00") -> Chargeback:
    units = to_minor(Decimal(amount), payment.currency)
    intent = payment.stripe_payment_intent
    return take_dispute(Dispute("du_1", status, units, payment.currency, "fraudulent", intent, now, None), now=now)


def test_what_a_bank_takes_has_gone_back_once_it_is_lost_and_not_when_it_is_won_after_all(booking, now):
    payment = booking.payments.get()
    steps = [("needs_response", 0), ("lost", 8), ("won", 0), ("lost", 8), ("needs_response", 0), ("won", 0)]
    for status, expected in steps:
        dispute(payment, status, now)
        assert back(booking) == expected, status


def test_a_refund_and_a_lost_chargeback_are_never_more_than_the_price(booking, now):
    give_back(booking, "3.00", now)
    dispute(booking.payments.get(), "lost", now)
    assert back(booking) == 8
    assert problems() == []


def test_what_was_paid_twice_or_too_late_is_no_part_of_it(institute, member, listing, booking, now):
    """It goes back by itself, and was never what the booking cost."""
    charge = booking.charges.get()
    again = Payment.objects.create(
        booking=booking, charge=charge, machine=booking.machine, payer=member, provider=booking.machine.provider,
        amount_total=charge.amount, currency="EUR", commission_rate=Decimal("0.1"), timestamp=now, asked_at=now,
        payment_method="pm_again",
    )  # fmt: skip
    intent = Intent(f"pi_{uuid7().hex}", "succeeded", to_minor(charge.amount, "EUR"), "EUR", "", str(again.pk), "")
    again.stripe_payment_intent = intent.id
    again.save()
    payments.apply(intent, now=now)
    assert again.refunds.get().amount == 8
    assert back(booking) == 0
    assert Invoice.objects.filter(booking=booking).count() == 1


def test_what_is_canceled_has_gone_back_as_far_as_the_terms_give_it(institute, member, provider, now):
    listing = make_listing(make_machine(provider, "strict-1"), cancellation_terms="strict")
    booking = book_for(institute, member, listing, start=now + 9 * DAY, asked=now)
    cancel_booking(booking_id=booking.pk, by=member, now=now)
    assert back(booking) == 4


def test_a_stage_that_stays_unpaid_takes_what_follows_off_the_price_and_not_twice(
    institute, member, provider, administrator, now
):
    """What was paid for time after it is no part of the price any more, so it did not go back of it either."""
    verify(member, by=administrator, now=now)
    listing = make_listing(make_machine(provider, "long-1"), max_hours=24 * 90)
    asked = now - 30 * DAY
    booking = book_for(institute, member, listing, start=asked + DAY, hours=24 * 84, asked=asked)
    first, second, third = booking.charges.order_by("number")
    mark_charge_paid(third, now=asked)
    enter_access(booking, now=booking.start)
    assert run.start_booking(booking_id=booking.pk, now=booking.start)
    assert cut_to_paid(charge_id=second.pk, now=second.covers_from)
    booking.refresh_from_db()
    assert booking.price_total == first.amount
    assert booking.given_back == 0
    assert sum(payment.refunded for payment in booking.payments.all()) == third.amount
    give_back(booking, "1.00", now)
    assert back(booking) == 1


def test_of_a_persons_booking_it_is_kept_too(listing, buyer, now):
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    give_back(booking, "3.00", now)
    assert back(booking) == 3


# Whose the invoices are -----------------------------------------------------------------------------------------


def test_an_invoice_names_the_organization_and_its_credit_note_follows_it(booking, institute, member, now):
    give_back(booking, "3.00", now)
    invoice, note = Invoice.objects.filter(booking=booking).order_by("issued_at", "-series")
    assert (invoice.series, note.series) == (Series.INVOICE, Series.CREDIT_NOTE)
    for document in (invoice, note):
        assert (document.organization, document.owner) == (institute, member)
        assert document.document["buyer"]["name"] == institute.name
        assert document.document["buyer"]["email"] == "accounts@institute.example"
    assert list(findings()) == []


def test_the_check_finds_an_invoice_in_the_wrong_books(booking, member):
    assert list(findings()) == []
    number = Invoice.objects.get(booking=booking).number
    for organization in (None, make_organization(member, "Another")):
        Booking.objects.filter(pk=booking.pk).update(organization=organization)
        (said,) = findings()
        assert said.startswith(f"{number} is not in the books")


def test_whose_it_is_never_changes(booking, member):
    invoice = Invoice.objects.get(booking=booking)
    for change in ({"organization": None}, {"organization": make_organization(member, "Another")}):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            Invoice.objects.filter(pk=invoice.pk).update(**change)


def test_what_a_bank_gives_back_after_all_is_invoiced_to_the_organization_again(booking, institute, now):
    for status in ("lost", "won"):
        dispute(booking.payments.get(), status, now)
    documents = Invoice.objects.filter(booking=booking)
    assert documents.count() == 3
    assert set(documents.values_list("organization", flat=True)) == {institute.pk}


def test_an_invoice_is_mailed_to_the_organizations_address(booking, institute, member):
    (mail,) = OutgoingMail.objects.filter(key__startswith="invoice-issued:")
    assert (mail.user, mail.recipient) == (institute.owner, "accounts@institute.example")
    assert f"{member.known_as} bought this for {institute.name}." in mail.text


def test_without_an_address_an_invoice_is_mailed_to_the_owner(institute, member, listing, now):
    institute.billing_details.invoice_email = ""
    institute.billing_details.save()
    book_for(institute, member, listing, start=now + 2 * DAY, asked=now)
    (mail,) = OutgoingMail.objects.filter(key__startswith="invoice-issued:")
    assert mail.recipient == institute.owner.email


# Who sees them --------------------------------------------------------------------------------------------------


def documents_of(invoice: Invoice) -> list[str]:
    return [f"/billing/invoices/{invoice.pk}/{file}" for file in ("", "pdf/", "xml/")]


def statuses(client, user, addresses) -> set[int]:
    client.force_login(user)
    return {client.get(address).status_code for address in addresses}


@pytest.mark.parametrize(
    ("role", "status"), [("administrator", 200), ("billing", 200), ("member", 404), ("viewer", 404)]
)
def test_an_invoice_is_seen_by_members_whose_role_shows_it(client, cast, booking, institute, role, status):
    addresses = documents_of(Invoice.objects.get(booking=booking))
    membership = make_member(institute, cast.stranger, role)
    assert statuses(client, cast.stranger, addresses) == {status}
    leave(membership, at=membership.joined_at)
    assert statuses(client, cast.stranger, addresses) == {404}


def test_whoever_paid_sees_the_invoice_also_after_they_have_left(client, cast, booking, institute):
    invoice = Invoice.objects.get(booking=booking)
    payment = booking.payments.get()
    for user in (cast.member, cast.administrator):
        assert statuses(client, user, documents_of(invoice)) == {200}
    assert statuses(client, cast.provider, documents_of(invoice)) == {404}
    leave(Membership.objects.get(organization=institute, user=cast.member), at=booking.created_at)
    assert statuses(client, cast.member, documents_of(invoice)) == {200}
    page = client.get(f"/billing/payments/{payment.pk}/").text
    assert invoice.number in page
    assert f"/billing/payments/{payment.pk}/" in client.get(f"/billing/invoices/{invoice.pk}/").text


def test_ones_own_list_leaves_the_organizations_documents_out(
    client, booking, institute, member, listing, billing, now
):
    own = make_paid(listing, member, start=now + 5 * DAY, asked=now)
    client.force_login(member)
    page = client.get("/billing/invoices/")
    assert [row.booking_id for row in page.context["page"]] == [own.pk]
    assert page.context["totals"][0].bought == own.price_total
    client.force_login(billing)
    page = client.get(f"/organizations/{institute.pk}/invoices/")
    assert [row.booking_id for row in page.context["page"]] == [booking.pk]
    assert page.context["totals"][0].bought == booking.price_total
    assert f"Bought by {member.known_as}" in page.text


PAGES = ["invoices/", "statements/", "statements/{month}/", "statements/{month}/pdf/", "statements/{month}/csv/"]


@pytest.mark.parametrize(
    ("role", "status"), [("administrator", 200), ("billing", 200), ("member", 403), ("viewer", 403), (None, 404)]
)
def test_the_organizations_pages_are_for_those_who_see_invoices(
    client, stranger, booking, institute, now, role, status
):
    if role:
        make_member(institute, stranger, role)
    addresses = [f"/organizations/{institute.pk}/{page.format(month=f'{now:%Y-%m}')}" for page in PAGES]
    assert statuses(client, stranger, addresses) == {status}
    assert {client.post(address).status_code for address in addresses} == {405}


def test_another_organizations_id_shows_its_own_documents_alone(client, booking, billing, now):
    other = make_organization(billing, "Another")
    client.force_login(billing)
    assert not client.get(f"/organizations/{other.pk}/invoices/").context["page"].object_list
    assert client.get(f"/organizations/{other.pk}/statements/{now:%Y-%m}/").status_code == 404


# Statements -----------------------------------------------------------------------------------------------------


def test_a_statement_of_an_organization_is_its_members_together(
    client, institute, organization_administrator, member, listing, month
):
    first = book_for(institute, member, listing, start=month + 2 * DAY, asked=month)
    second = book_for(institute, organization_administrator, listing, start=month + 3 * DAY, asked=month + HOUR)
    make_paid(listing, member, start=month + 4 * DAY, asked=month)
    give_back(first, "3.00", month + 2 * HOUR)
    (total,) = statements.statement_of(institute, month.date()).totals
    assert [line.reference for line in total.lines] == [first.reference, second.reference, first.reference]
    assert total.amount == first.price_total + second.price_total - 3
    ((found,), (own,)) = statements.months_of(institute), statements.months_of(member)
    assert (found.documents, own.documents) == (3, 1)
    assert found.amounts == (("EUR", total.amount),)

    client.force_login(organization_administrator)
    page = client.get(f"/organizations/{institute.pk}/statements/").text
    assert f'href="{month:%Y-%m}/"' in page
    address = f"/organizations/{institute.pk}/statements/{month:%Y-%m}/"
    assert first.reference in client.get(address).text
    assert client.get(f"{address}pdf/").content.startswith(b"%PDF")
    head, *rows = csv.reader(io.StringIO(client.get(f"{address}csv/").text))
    assert tuple(head) == statements.COLUMNS
    assert [row[4] for row in rows] == ["'=1+1"] * 3
    assert sum(Decimal(row[-1]) for row in rows) == total.amount


def test_organizations_are_told_of_their_statement_once_and_members_of_theirs(institute, member, listing, month):
    make_billing_details(member, vat_id="DE136695976")
    book_for(institute, member, listing, start=month + 2 * DAY, asked=month)
    start = (month.replace(day=1) + 32 * DAY).replace(day=1, hour=1)
    assert [statements.mail_statements(now=start + hours * HOUR) for hours in (0, 1)] == [1, 0]
    (mail,) = OutgoingMail.objects.filter(key__startswith="statement:")
    assert (mail.user, mail.recipient) == (institute.owner, "accounts@institute.example")
    assert mail.subject == f"{institute.name}: Statement for {month:%B %Y}"
    assert f"/organizations/{institute.pk}/statements/{month:%Y-%m}/" in mail.text
    make_paid(listing, member, start=month + 4 * DAY, asked=month)
    assert statements.mail_statements(now=start + timedelta(hours=2)) == 1
