"""What a provider sees of their money: the overview, the CSV, a payout, and where they are paid to."""

import csv
import io
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.urls import reverse

from accounts.models import Decision, Role
from accounts.services.decisions import confirm
from billing import earnings
from billing.models import Payout, PayoutAccount, PayoutHold, SepaFile
from billing.services import payout_holds, payouts, sepa_files
from billing.services.payout_accounts import begin_stripe
from billing.services.refunds import refund_booking
from common.spreadsheets import plain
from machines.models import Listing
from tests.earning import EARNED, IBAN, make_due, make_earned, make_iban, make_payout, make_stripe_account
from tests.people import DAY, HOUR, PASSWORD, another_administrator, make_listing, make_machine, make_paid
from tests.signing_in import step_up
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db

PAGE = "/machines/earnings/"


@pytest.fixture
def page(client, provider):
    """What the provider reads, without its HTML's line breaks."""
    client.force_login(provider)
    step_up(client)

    def read(address: str = PAGE, **query: object) -> str:
        response = client.get(address, query)
        assert response.status_code == 200
        return response.content.decode()

    return read


def totals_of(user, now, **choice):
    return {total.currency: total for total in earnings.totals(user, earnings.Choice(**choice), now=now)}


# At this moment ------------------------------------------------------------------------------------------------


def test_who_has_earned_nothing_is_told_how_it_goes(page):
    said = page()
    assert "Nothing earned yet" in said
    assert "Say where you are paid to" in said


def test_money_is_upcoming_until_the_dispute_window_has_closed(listing, buyer, provider, page, now, settings):
    booking = make_earned(listing, buyer, end=now - HOUR)
    total = totals_of(provider, now)["EUR"]
    assert (total.upcoming, total.due, total.held) == (EARNED, 0, 0)
    assert total.next_at == booking.end + settings.MARKETPLACE_DISPUTE_WINDOW
    said = page()
    assert "Upcoming" in said
    assert "Paid out from" in said


def test_a_currency_that_cannot_be_paid_here_waits_and_says_so(listing, buyer, provider, page, now, settings):
    settings.STRIPE_CONNECT = False
    Listing.objects.update(currency="USD")
    listing.refresh_from_db()
    make_due(listing, buyer, now=now)
    total = totals_of(provider, now)["USD"]
    assert (total.due, total.waits, total.waits_for_account) == (EARNED, "cannot be paid here yet", False)
    said = page()
    assert "USD cannot be paid here yet." in said
    assert "Say where you are paid to" not in said
    assert "With the next payout" not in said


def test_what_is_due_waits_for_an_account_and_says_so(listing, buyer, provider, page, now):
    make_due(listing, buyer, now=now)
    total = totals_of(provider, now)["EUR"]
    assert (total.due, total.waits_for_account) == (EARNED, True)
    assert "There is no account that it could be paid to." in page()
    make_iban(provider, now=now)
    assert totals_of(provider, now)["EUR"].waits == ""
    assert "With the next payout" in page()


def test_what_is_held_says_why(listing, buyer, provider, administrator, page, now):
    booking = make_due(listing, buyer, now=now)
    payout_holds.place_hold(
        booking=booking, amount=Decimal("2"), reason="Two hours are disputed.", by=administrator, now=now
    )
    total = totals_of(provider, now)["EUR"]
    assert (total.held, total.due) == (Decimal("2.00"), EARNED - 2)
    assert "Two hours are disputed." in page()


def test_a_payout_goes_from_scheduled_to_sent_to_received(listing, buyer, provider, administrator, page, now):
    payout = make_payout(listing, buyer, now=now)
    assert totals_of(provider, now)["EUR"].scheduled == EARNED
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    assert totals_of(provider, now)["EUR"].sent == EARNED
    payouts.mark_received(payout=payout, by=administrator, now=now)
    total = totals_of(provider, now)["EUR"]
    assert (total.received, total.sent, total.scheduled, total.due, total.upcoming) == (EARNED, 0, 0, 0, 0)
    assert payout.reference in page()


def test_a_payout_that_failed_says_what_to_do(listing, buyer, provider, administrator, page, now):
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="The account is closed.", by=administrator, now=now)
    assert totals_of(provider, now)["EUR"].failed == EARNED
    said = page()
    assert "A payout failed." in said
    assert "The account is closed." in said
    payouts.retry_payout(payout=payout, by=administrator, now=now)
    total = totals_of(provider, now)["EUR"]
    assert (total.failed, total.scheduled) == (0, EARNED)


def test_what_is_to_settle_is_told(listing, buyer, provider, page, now):
    payout = make_payout(listing, buyer, now=now)
    with transaction.atomic():
        refund_booking(booking=payout.lines.get().booking, amount=Decimal("4"), reason="goodwill", by=None, now=now)
    assert totals_of(provider, now)["EUR"].due == Decimal("-3.03")
    assert "taken off the next payout" in page()


def test_currencies_are_never_added_up(listing, buyer, provider, now):
    make_due(listing, buyer, now=now)
    make_due(make_listing(make_machine(provider, "usd"), currency="USD"), buyer, now=now)
    assert {currency: total.due for currency, total in totals_of(provider, now).items()} == {
        "EUR": EARNED,
        "USD": EARNED,
    }


def test_the_page_is_narrowed_to_a_machine_and_a_year(listing, buyer, provider, page, now):
    other = make_listing(make_machine(provider, "the-other-one"))
    make_due(listing, buyer, now=now)
    make_due(other, buyer, now=now, hours=24)
    assert totals_of(provider, now, machine=listing.machine_id)["EUR"].due == EARNED
    said = page(machine=listing.machine_id, year=now.year)
    assert said.count(">the-other-one<") == 1, "in the list of machines alone"
    assert "No booking of this time" in page(year=now.year - 3)
    assert ">the-other-one<" in page(year="x", machine="y"), "what makes no sense narrows nothing"


def test_the_chart_shows_what_was_earned_in_each_month(listing, buyer, provider, now):
    make_due(listing, buyer, now=now)
    (chart,) = earnings.by_month(provider, earnings.Choice(), now.year)
    shown = dict(chart.rows)
    assert len(shown) == 12
    assert list(shown.values()).count("€6.05") == 1
    (row,) = earnings.by_machine(provider, earnings.Choice())
    assert (row.machine, row.earned, row.received) == (listing.machine, EARNED, 0)


# CSV -------------------------------------------------------------------------------------------------------------


def table(client, **query) -> list[dict[str, str]]:
    response = client.get("/machines/earnings.csv", query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.streaming
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def test_the_csv_has_each_movement_in_the_column_of_its_currency(client, listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date())
    payouts.mark_received(payout=payout, by=administrator, now=now)
    yen = make_listing(make_machine(provider, "jpy"), currency="JPY", price_hour=500, price_day=9000, price_week=None)
    make_due(yen, buyer, now=now)
    client.force_login(provider)

    rows = table(client)

    assert sorted((row["Movement"], row["EUR"], row["JPY"], row["Payout"]) for row in rows) == [
        ("Charge earned", "", "1513", ""),
        ("Charge earned", "6.05", "", ""),
        ("Payout received", "-6.05", "", payout.reference),
    ]
    assert sum(Decimal(row["EUR"] or 0) for row in rows) == 0
    assert {row["Booking"] for row in rows} == {booking.reference for booking in buyer.bookings.all()}
    assert table(client, year=now.year - 5) == []


def test_a_name_cannot_become_a_formula(client, listing, buyer, provider, now):
    machine = listing.machine
    machine.name = '=HYPERLINK("http://example.com")'
    machine.save(update_fields=["name"])
    make_due(listing, buyer, now=now)
    client.force_login(provider)
    (row,) = table(client)
    assert row["Machine"] == '\'=HYPERLINK("http://example.com")'


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("-6.05", "-6.05"),
        ("+1+1", "'+1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("gpu-1", "gpu-1"),
        ("-x", "'-x"),
    ],
)
def test_what_a_spreadsheet_would_run_is_text(cell, safe):
    assert plain(cell) == safe


# A payout --------------------------------------------------------------------------------------------------------


def test_a_payout_shows_what_is_in_it_and_where_it_is(listing, buyer, provider, administrator, page, now):
    payout = make_payout(listing, buyer, now=now)
    address = f"/billing/payouts/{payout.pk}/"
    said = page(address)
    booking = payout.lines.get().booking
    assert booking.reference in said
    assert payout.invoices.get().number in said
    assert "With the next file for our bank" in said
    payouts.mark_failed(payout=payout, reason="The account is closed.", by=administrator, now=now)
    assert "This payout failed." in page(address)
    retry = payouts.retry_payout(payout=payout, by=administrator, now=now)
    assert f"Tried again as {retry.reference}" in page(address)
    assert payout.invoices.get().number in page(f"/billing/payouts/{retry.pk}/"), "the first one's invoice stands"


def test_a_payout_is_seen_by_its_provider_and_administrators(client, listing, buyer, cast, now):
    address = f"/billing/payouts/{make_payout(listing, buyer, now=now).pk}/"
    for name, expected in {"provider": 200, "administrator": 200, "other_provider": 404, "buyer": 404}.items():
        client.force_login(getattr(cast, name))
        assert client.get(address).status_code == expected


# Where one is paid to ----------------------------------------------------------------------------------------------

ACCOUNTS = "/billing/payout-accounts/"


def test_an_iban_is_entered_replaced_and_removed(client, provider, page):
    form = {"holder": "Provider University", "iban": "de89 3704 0044 0532 0130 00", "bic": ""}
    assert client.post(ACCOUNTS, form).status_code == 302
    account = PayoutAccount.objects.get(user=provider)
    assert (account.iban, account.is_ready) == (IBAN, True)
    said = page(ACCOUNTS)
    assert "DE89 … 3000" in said
    assert IBAN not in said, "the whole number is not shown"

    assert client.post(ACCOUNTS, {**form, "iban": "FR1420041010050500013M02606"}).status_code == 302
    assert PayoutAccount.objects.current().get(user=provider).iban.startswith("FR")
    assert PayoutAccount.objects.filter(user=provider).count() == 2

    current = PayoutAccount.objects.current().get(user=provider)
    assert client.post(f"{ACCOUNTS}{current.pk}/remove/").status_code == 302
    assert not PayoutAccount.objects.current().filter(user=provider).exists()
    assert "Earlier accounts" in page(ACCOUNTS)


def test_what_was_typed_stays_when_it_is_wrong(client, provider):
    client.force_login(provider)
    step_up(client)
    response = client.post(ACCOUNTS, {"holder": "Provider University", "iban": "DE00", "bic": ""})
    assert response.status_code == 422
    assert 'value="Provider University"' in response.text
    assert "This is no IBAN" in response.text


def test_where_one_is_paid_to_is_changed_only_by_who_shows_again_who_they_are(client, provider, now):
    """Somebody at a browser that was left open; the form is not lost when it was the provider after all."""
    client.force_login(provider)
    assert client.get(ACCOUNTS).status_code == 200
    form = {"holder": "Provider University", "iban": IBAN, "bic": ""}
    asked = client.post(ACCOUNTS, form)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not PayoutAccount.objects.exists()
    client.post(asked["Location"], {"password": PASSWORD, "next": ACCOUNTS})
    account = PayoutAccount.objects.get(user=provider)
    step_up(client, seconds_ago=11 * 60)
    assert client.post(f"{ACCOUNTS}{account.pk}/remove/")["Location"].startswith("/accounts/reauthenticate/")
    assert PayoutAccount.objects.current().filter(user=provider).exists()


def test_an_account_of_somebody_else_is_not_removed(client, provider, other_provider, now):
    account = make_iban(provider, now=now)
    client.force_login(other_provider)
    assert client.post(f"{ACCOUNTS}{account.pk}/remove/").status_code == 404


def test_who_offers_no_servers_is_sent_to_where_one_begins(client, buyer):
    client.force_login(buyer)
    response = client.get(ACCOUNTS)
    assert response["Location"] == "/machines/"
    assert "offer servers" in str(next(iter(get_messages(response.wsgi_request))))


def test_without_stripe_it_is_not_offered(client, provider, page):
    assert "Make an account at Stripe" not in page(ACCOUNTS)
    assert client.post(f"{ACCOUNTS}stripe/", {"country": "DE"}).status_code == 404
    for place in ("continue", "return", "dashboard"):
        assert client.get(f"{ACCOUNTS}stripe/{place}/").status_code == 404


def test_the_way_through_stripe(client, processor, provider, page, settings):
    settings.STRIPE_CONNECT = True
    assert "Make an account at Stripe" in page(ACCOUNTS)
    assert client.post(f"{ACCOUNTS}stripe/", {"country": ""}).status_code == 422
    assert client.post(f"{ACCOUNTS}stripe/", {"country": "DE"}).status_code == 302
    said = page(ACCOUNTS)
    assert "Go on at Stripe" in said
    assert "Stripe still wants:" in said

    onward = client.get(f"{ACCOUNTS}stripe/continue/")
    assert onward["Location"].startswith("https://connect.stripe.com/")
    (account,) = processor.holds("account")
    processor.finish_onboarding(account["id"], "eur", "gbp")
    client.get(f"{ACCOUNTS}stripe/return/", follow=True)
    assert PayoutAccount.objects.get(user=provider).is_ready
    said = page(ACCOUNTS)
    assert "Pays EUR, GBP" in said
    assert client.get(f"{ACCOUNTS}stripe/dashboard/")["Location"].startswith("https://connect.stripe.com/")


def test_when_stripe_is_away_the_page_says_so(client, processor, provider, settings, now):
    settings.STRIPE_CONNECT = True
    begin_stripe(user=provider, country="DE", now=now)

    def away(asked, answer):
        raise lost()

    processor.fault = away
    client.force_login(provider)
    step_up(client)
    for place in ("continue", "return", "dashboard"):
        assert client.get(f"{ACCOUNTS}stripe/{place}/").status_code == 503


def test_euros_that_stripe_could_pay_go_to_the_iban_and_the_page_says_it(provider, page, settings, now):
    settings.STRIPE_CONNECT = True
    make_stripe_account(provider, "EUR", "USD")
    make_iban(provider, now=now)
    assert "these go to your IBAN" in page(ACCOUNTS)


# The administration ------------------------------------------------------------------------------------------------


@pytest.fixture
def administering(client, administrator):
    client.force_login(administrator)

    def act(model: str, action: str, *rows, **data):
        address = reverse(f"admin:billing_{model}_changelist")
        chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
        return client.post(address, {**chosen, **data}, follow=True)

    return act


def test_a_file_is_made_handed_out_and_its_payouts_marked(client, administering, listing, buyer, now):
    payout = make_payout(listing, buyer, now=now)
    add = reverse("admin:billing_sepafile_add")
    assert payout.reference in client.get(add).text
    assert "DE89 … 3000" in client.get(add).text
    response = client.post(add, {"execute_on": now.date().isoformat()}, follow=True)
    file = SepaFile.objects.get()
    assert f"{file.message_id} is made." in response.text

    handed_out = client.get(reverse("admin:billing_sepafile_download", args=[file.pk]))
    assert handed_out["Content-Disposition"] == f'attachment; filename="{file.message_id}.xml"'
    assert payout.reference in handed_out.text

    assert "1 marked as received." in administering("payout", "received", payout).text
    payout.refresh_from_db()
    assert payout.status == "received"


def test_a_file_of_nothing_or_of_a_wrong_day_is_refused_on_the_page(client, administering, listing, buyer, now):
    add = reverse("admin:billing_sepafile_add")
    assert "No SEPA payout waits." in client.post(add, {"execute_on": now.date().isoformat()}).text
    make_payout(listing, buyer, now=now)
    assert "30 days ahead" in client.post(add, {"execute_on": "2000-01-01"}).text
    assert not SepaFile.objects.exists()


def test_a_payout_is_marked_as_failed_with_a_reason_and_tried_again(administering, listing, buyer, now):
    payout = make_payout(listing, buyer, now=now)
    assert "These payouts failed" in administering("payout", "failed", payout).text
    said = administering("payout", "failed", payout, decided="yes", reason="A wrong account.").text
    assert "1 marked as failed." in said
    assert "1 tried again." in administering("payout", "retry", payout).text
    assert Payout.objects.filter(retry_of=payout).exists()
    assert "tried again already" in administering("payout", "retry", payout).text


def test_stripe_is_not_asked_about_a_transfer_of_the_bank(administering, listing, buyer, now):
    payout = make_payout(listing, buyer, now=now)
    administering("payout", "ask_the_processor", payout)
    payout.refresh_from_db()
    assert payout.attempts == 0


def test_a_hold_is_placed_and_released_by_an_administrator(client, administering, listing, buyer, now):
    booking = make_due(listing, buyer, now=now)
    add = reverse("admin:billing_payouthold_add")
    assert client.get(add).status_code == 200
    assert "no such booking" in client.post(add, {"booking": listing.pk, "reason": "x"}).text
    assert "above zero" in client.post(add, {"booking": booking.pk, "amount": "0", "reason": "x"}).text
    client.post(add, {"booking": booking.pk, "amount": "2", "reason": "Disputed."})
    hold = PayoutHold.objects.get()
    assert (hold.amount, hold.placed_by.email) == (Decimal("2.00"), "administrator@example.com")
    second = another_administrator()
    said = administering("payouthold", "release", hold, decided="yes", reason="Settled.").text
    assert "1 asked for: a second administrator confirms it." in said
    hold.refresh_from_db()
    assert hold.released_at is None
    confirm(decision=Decision.objects.get(), by=second, now=now)
    hold.refresh_from_db()
    assert (hold.released_by, hold.released_because) == (hold.placed_by, "Settled.")


def test_staff_without_the_permission_make_neither_files_nor_holds(client, member, listing, buyer, now):
    member.is_staff = True
    member.save(update_fields=["is_staff"])
    client.force_login(member)
    for model in ("sepafile", "payouthold"):
        assert client.get(reverse(f"admin:billing_{model}_add")).status_code == 403
    make_payout(listing, buyer, now=now)
    assert client.post(reverse("admin:billing_sepafile_add"), {"execute_on": now.date()}).status_code == 403
    assert not SepaFile.objects.exists()
    assert Role.PLATFORM_ADMINISTRATOR not in member.roles


def test_a_booking_not_over_yet_is_upcoming(listing, buyer, provider, now):
    make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    assert totals_of(provider, now)["EUR"].upcoming == EARNED
