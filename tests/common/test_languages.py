"""Who reads which language, and what stays in English whoever reads it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import Context, Template
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.text import capfirst

from accounts.event_kinds import EventKind
from accounts.models import MessagePreferences, Notification, OutgoingMail, User
from accounts.outbox import written_for
from billing.services.invoices import issue_invoice
from bookings import mails, records
from bookings.models import BookingEvent, WipeMethod, WipeStatus
from bookings.services import history
from bookings.services.cancel import CancelReason, cancel_booking
from bookings.services.request import request_booking
from bookings.spend import columns
from common import formats
from common.history.tracking import kinds
from common.history.words import NAMES, named
from common.languages import in_english, in_language, said_later
from tests.people import DAY, HOUR, make_paid, minute

GERMAN, ENGLISH = "Server finden", "Find a server"


@pytest.fixture
def german(buyer: User) -> User:
    buyer.language = "de"
    buyer.save(update_fields=["language"])
    return buyer


# Which one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,de;q=0.5", "de"),
        ("fr", "en"),
        ("en-GB,de;q=0.9", "en"),
    ],
)
def test_a_visitor_reads_the_first_of_the_browsers_languages_that_there_is(client, db, header, language):
    response = client.get(reverse("how_it_works"), headers={"Accept-Language": header} if header else {})
    assert (GERMAN if language == "de" else ENGLISH) in response.text
    assert f'<html lang="{language}">' in response.text
    assert response["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in response["Vary"].split(",")}


def test_the_switch_is_kept_in_the_browser_and_counts_more_than_its_languages(client, db):
    answer = client.post(reverse("language"), {"language": "de", "next": "/how-it-works/?a=b"})
    assert (answer.status_code, answer["Location"]) == (302, "/how-it-works/?a=b")
    assert GERMAN in client.get("/how-it-works/", headers={"Accept-Language": "en"}).text
    client.post(reverse("language"), {"language": "en"})
    assert ENGLISH in client.get("/how-it-works/", headers={"Accept-Language": "de"}).text


@pytest.mark.parametrize("there", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""])
def test_the_switch_leads_nowhere_else(client, db, there):
    assert client.post(reverse("language"), {"language": "de", "next": there})["Location"] == "/"


@pytest.mark.parametrize("code", ["", "xx", "fr", "de-de", "../de"])
def test_a_language_that_there_is_not_changes_nothing(client, german, code):
    client.force_login(german)
    client.post(reverse("language"), {"language": code})
    german.refresh_from_db()
    assert german.language == "de"
    assert "language" not in client.cookies


def test_the_accounts_language_counts_more_than_the_browser(client, german):
    client.force_login(german)
    client.cookies["language"] = "en"
    response = client.get(reverse("profile"), headers={"Accept-Language": "en-GB"})
    assert GERMAN in response.text
    client.post(reverse("language"), {"language": "en"})
    german.refresh_from_db()
    assert german.language == "en"
    assert ENGLISH in client.get(reverse("profile"), headers={"Accept-Language": "de"}).text


def test_a_page_that_depends_on_no_browser_says_so(client, german):
    german.country = "DE"
    german.save(update_fields=["country"])
    client.force_login(german)
    assert "Accept-Language" not in client.get(reverse("profile"))["Vary"]


def test_the_profile_keeps_a_language_and_answers_in_it(client, buyer):
    client.force_login(buyer)
    form = {"name": "Ada", "purposes": ["buyer"], "language": "de"}
    assert "Ihr Profil ist gespeichert." in client.post(reverse("profile"), form, follow=True).text
    buyer.refresh_from_db()
    assert buyer.language == "de"
    wrong = client.post(reverse("profile"), form | {"language": "xx"})
    assert wrong.status_code == 422


def test_whoever_signs_up_reads_on_in_the_same_language(client, db):
    password = "correct-horse-battery-staple-42"
    form = {
        "email": "neu@example.com", "password1": password, "password2": password, "name": "Neu", "purpose": "buyer",
    }  # fmt: skip
    client.post(reverse("account_signup"), form, headers={"Accept-Language": "de"})
    person = User.objects.get(email="neu@example.com")
    assert person.language == "de"
    assert "Code" in OutgoingMail.objects.get(user=person).text
    assert '<html lang="de">' in OutgoingMail.objects.get(user=person).html


def test_a_language_does_not_outlive_its_request(client, db):
    client.get("/", headers={"Accept-Language": "de"})
    assert translation.get_language() == "en"
    client.get("/no-such-page/", headers={"Accept-Language": "de"})
    assert translation.get_language() == "en"


# What is German ------------------------------------------------------------------------------------------


def test_pages_that_are_looked_at_by_turns_keep_their_readers_language(client, listing):
    """What was remembered for one is there when the next one looks."""
    for page in (reverse("listing_list"), reverse("listing_detail", args=[listing.pk])):
        for language in ("de", "en", "de", "en"):
            text = client.get(page, headers={"Accept-Language": language}).text
            assert (GERMAN in text, ENGLISH in text) == (language == "de", language == "en")


def test_form_errors_are_in_the_readers_language(client, german):
    client.force_login(german)
    response = client.post(reverse("profile"), {"name": "", "purposes": []})
    assert "Wählen Sie mindestens" in response.text
    assert "Choose at least one" not in response.text


def test_what_a_service_refuses_is_in_the_readers_language(listing, german, now):
    with in_language("de"), pytest.raises(Exception, match="Dieser Beginn ist vorbei"):
        request_booking(listing=listing, buyer=german, start=minute(now) - DAY, end=minute(now), now=now)


def test_dates_and_money_are_written_as_in_german():
    at = datetime(2026, 11, 27, 9, 5, tzinfo=UTC)
    with in_language("de"), timezone.override(UTC):
        assert formats.when(at, now=at) == "Fr_27._Nov, 09:05".replace("_", formats.NBSP)
        assert formats.day(at, now=at + 400 * DAY) == "Fr 27. Nov 2026".replace(" ", formats.NBSP)
        assert formats.month(datetime(2026, 3, 1, tzinfo=UTC)) == "März 2026"
        assert formats.ago(at - 3 * DAY, now=at) == "vor 3 Tagen"
        assert formats.ago(at + HOUR, now=at) == "in 1 Stunde"
        assert formats.duration(timedelta(days=3, hours=4)) == "3 Tage 4 Stunden"
        assert formats.money("1236", "EUR") == "1.236,00\N{NO-BREAK SPACE}€"
        assert formats.counted("day", -2, "€5") == "abzüglich 2 Tage × €5"
        with formats.in_region("US"):  # where German is not spoken
            assert formats.money("1236", "EUR") == "1.236,00\N{NO-BREAK SPACE}€"


def test_what_browsers_read_keeps_the_notation_of_html():
    day = datetime(2026, 11, 27, 9, 5, tzinfo=UTC).date()
    field = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    with in_language("de"):
        assert Template("{{ x }} {{ y }}").render(Context({"x": 0.5, "y": Decimal("12345.6")})) == "0.5 12345.6"
        assert 'value="2026-11-27"' in field.widget.render("day", day)
        assert field.clean("2026-11-27") == day == field.clean("27.11.2026")


def test_mails_and_notices_are_in_the_recipients_language(listing, german, provider, now):
    booking = make_paid(listing, german, start=now + DAY, asked=now)
    with in_language("en"):
        mails.confirmed(booking)
    mine, theirs = (OutgoingMail.objects.filter(user=user, key__startswith="booking-confirmed").first()
                    for user in (german, provider))  # fmt: skip
    assert mine.subject.startswith("Bestätigt: ")
    assert "Nothing is charged" not in mine.text
    assert '<html lang="de">' in mine.html
    assert theirs.subject.startswith("Booked: ")


def test_why_something_comes_back_is_said_to_each_in_their_own_language(listing, german, provider, now):
    MessagePreferences.objects.create(user=german, page={EventKind.CANCELED.value: True})
    booking = make_paid(listing, german, start=now + 3 * DAY, asked=now)
    with in_language("en"):
        cancel_booking(booking_id=booking.pk, by=provider, now=now)
    mail = OutgoingMail.objects.get(user=german, key__startswith="booking-canceled")
    assert "Der Anbieter storniert: Alles kommt zurück." in mail.text
    assert Notification.objects.get(user=german, key=mail.key).title.startswith("Storniert: ")
    theirs = OutgoingMail.objects.get(user=provider, key__startswith="booking-canceled")
    assert "Canceled by the provider" in theirs.text


def test_written_for_is_english_where_nothing_is_chosen(buyer):
    with in_language("de"), written_for(buyer):
        assert translation.get_language() == "en"


def test_what_is_said_later_is_said_in_the_language_of_then():
    words = said_later(lambda: translation.gettext("The window is free again."))
    with in_language("de"):
        assert str(words) == "Das Zeitfenster ist wieder frei."
    with in_english():
        assert str(words) == "The window is free again."


# What stays in English -----------------------------------------------------------------------------------


def test_the_administration_is_in_english(client, administrator):
    administrator.language = "de"
    administrator.save(update_fields=["language"])
    client.force_login(administrator)
    response = client.get(reverse("admin:index"))
    assert "Site administration" in response.text or "What needs a decision" in response.text
    assert response["Content-Language"] == "en"
    assert translation.get_language() == "en"


def test_history_is_written_in_english_and_read_in_german(held, now):
    with in_language("de"):
        history.note(held, CancelReason.NOT_PAID.label, now=now, detail=said_later(lambda: formats.duration(HOUR)))
        event = BookingEvent.objects.latest("at", "id")
        assert (event.what, event.detail) == ("Canceled: not paid in time", "1 hour")
        assert records.said(event.what) == "Storniert: nicht rechtzeitig bezahlt"
        assert records.said("Stage 3 paid") == "Abschnitt 3 bezahlt"
        # Nobody knows of which year.
        assert records.said("To Fri 27 Nov, 09:00 UTC. It costs nothing.").startswith("Bis Fri 27 Nov")
        assert records.said("Something that nobody knows") == "Something that nobody knows"
    assert records.said("Stage 3 paid") == "Stage 3 paid"


def test_history_is_in_no_countrys_way_and_in_utc(held, now):
    with in_language("de"), formats.in_region("CH"), timezone.override(ZoneInfo("Europe/Berlin")):
        price, end = said_later(lambda: formats.money(1236, "EUR")), said_later(lambda: formats.when_both(now))
        event = history.note(held, price, now=now, detail=end)
        assert event.what == "€1,236.00" != str(price)
        assert event.detail == f"{now:%a} {now.day} {now:%b, %H:%M} UTC"
        assert (formats.region(), timezone.get_current_timezone_name()) == ("CH", "Europe/Berlin")


def test_the_timeline_still_knows_a_step_of_a_wipe_that_failed():
    with in_language("de"):
        line = f"{WipeMethod.HOME.label}: {WipeStatus.FAILED.label}"
        with in_english():
            written = f"{WipeMethod.HOME.label}: {WipeStatus.FAILED.label.lower()}"
        assert records.said(written) == line != written


def test_an_invoice_is_in_english_whoever_pays(listing, german, now):
    booking = make_paid(listing, german, start=now + DAY, asked=now)
    payment = booking.payments.get()
    with in_language("de"):
        invoice = issue_invoice(payment=payment, now=now)
    stored = str(invoice.document)
    assert "Server" in stored
    assert not any(word in stored for word in ("Buchung", "Rechnung", "Stunde"))


def test_history_has_words_for_all_that_it_keeps():
    names = {str(capfirst(kind.model._meta.verbose_name)) for kind in kinds()}
    names |= {str(capfirst(kind.model._meta.get_field(name).verbose_name)) for kind in kinds() for name in kind.fields}
    assert names == NAMES
    with in_language("de"):
        assert named("booking") == "Buchung"


def test_files_have_english_columns():
    with in_language("de"):
        assert columns()[:2] == ["Booking", "Asked for (UTC)"]
