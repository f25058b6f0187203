"""The file for the bank: valid by its schema, right to the cent, and sent once."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import sepaxml
import xmlschema
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from lxml import etree

from billing.errors import PaymentError
from billing.forms import IbanForm
from billing.models import Payout, PayoutStatus, SepaFile
from billing.payouts import sepa, strategy_for
from billing.services import payout_holds, payouts, sepa_files
from billing.services.refunds import refund_booking
from common.files import StorageAway
from tests.earning import EARNED, IBAN, make_due, make_iban, make_payout
from tests.people import DAY, another_administrator, make_listing, make_machine
from tests.racing import at_once

pytestmark = pytest.mark.django_db

SCHEMA = xmlschema.XMLSchema(Path(sepaxml.__file__).with_name("schemas") / f"{sepa.SCHEMA}.xsd")
NAMES = {"p": f"urn:iso:std:iso:20022:tech:xsd:{sepa.SCHEMA}"}


def made(administrator, now) -> tuple[SepaFile, bytes]:
    file = sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date() + timedelta(days=1))
    return file, sepa_files.content_of(file)


def said(data: bytes, path: str) -> list[str]:
    return [found.text for found in etree.fromstring(data).iterfind(f".//{path}", NAMES)]


def test_the_file_is_valid_and_says_who_pays_whom_how_much_and_when(listing, buyer, administrator, now, settings):
    payout = make_payout(listing, buyer, now=now)
    file, data = made(administrator, now)

    SCHEMA.validate(data.decode())
    assert said(data, "p:MsgId") == [file.message_id]
    assert said(data, "p:ReqdExctnDt/p:Dt") == [(now.date() + timedelta(days=1)).isoformat()]
    assert said(data, "p:DbtrAcct//p:IBAN") == [settings.MARKETPLACE_SELLER_IBAN]
    assert said(data, "p:CdtrAcct//p:IBAN") == [IBAN]
    assert said(data, "p:Cdtr/p:Nm") == ["Provider University"]
    assert said(data, "p:InstdAmt") == ["6.05"]
    assert [found.get("Ccy") for found in etree.fromstring(data).iterfind(".//p:InstdAmt", NAMES)] == ["EUR"]
    assert said(data, "p:EndToEndId") == [payout.reference]
    assert said(data, "p:Ustrd") == [f"{payout.reference} Remote Servers earnings"]
    assert said(data, "p:SvcLvl/p:Cd") == ["SEPA"]


def test_all_that_wait_go_in_one_file_whose_sums_are_right(
    listing, other_listing, buyer, provider, other_provider, administrator, now
):
    make_payout(listing, buyer, now=now)
    make_iban(other_provider, now=now)
    make_due(other_listing, buyer, now=now, hours=24)
    payouts.schedule_payouts(now=now)
    file, data = made(administrator, now)

    total = sum(Payout.objects.values_list("amount", flat=True))
    assert (file.count, file.total) == (2, total)
    assert set(said(data, "p:CtrlSum")) == {str(total)}
    assert set(said(data, "p:NbOfTxs")) == {"2"}
    assert sum(map(Decimal, said(data, "p:InstdAmt"))) == total > EARNED
    assert {payout.sepa_file for payout in Payout.objects.all()} == {file}
    assert {payout.status for payout in Payout.objects.all()} == {PayoutStatus.SENT}


def test_what_is_held_or_not_owed_any_more_is_left_out(
    listing, other_listing, buyer, provider, other_provider, administrator, client, now
):
    held = make_payout(listing, buyer, now=now)
    booking = held.lines.get().booking
    hold = payout_holds.place_hold(booking=booking, amount=None, reason="Looked into.", by=None, now=now)
    with pytest.raises(PaymentError, match="Looked into"):
        made(administrator, now)

    fine = make_payout(other_listing, buyer, now=now)
    client.force_login(administrator)
    page = client.post(reverse("admin:billing_sepafile_add"), {"execute_on": timezone.now().date()}, follow=True)
    assert f"Not in the file: {held.reference}: Booking {booking.reference} is held. Looked into." in page.text
    assert list(SepaFile.objects.get().payouts.all()) == [fine]

    payout_holds.release_hold(hold=hold, reason="Settled.", by=administrator, second=another_administrator(), now=now)
    with transaction.atomic():
        refund_booking(booking=booking, amount=Decimal(4), reason="goodwill", by=None, now=now)
    with pytest.raises(PaymentError, match="not owed any more"):
        made(administrator, now)
    make_due(listing, buyer, now=now, days=2)
    payouts.schedule_payouts(now=now)
    assert made(administrator, now)[0].total == EARNED + EARNED - Decimal("3.03")


def test_names_are_written_as_banks_take_them(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    type(payout.account).objects.update(holder="Universität Łódź & Söhne <GmbH> 北京", bic="COBADEFFXXX")
    _, data = made(administrator, now)
    SCHEMA.validate(data.decode())
    assert said(data, "p:Cdtr/p:Nm") == ["Universitat Lodz + Sohne GmbH Bei Jing"]
    assert said(data, "p:CdtrAgt//p:BICFI") == ["COBADEFFXXX"]


def test_a_payout_in_another_currency_is_never_in_a_file(provider, buyer, administrator, now):
    payout = make_payout(make_listing(make_machine(provider, "x")), buyer, now=now)
    Payout.objects.filter(pk=payout.pk).update(currency="USD")
    with pytest.raises(PaymentError, match="euros alone"):
        made(administrator, now)
    payout.refresh_from_db()
    assert payout.status == PayoutStatus.SCHEDULED
    assert not SepaFile.objects.exists()


def test_when_nothing_waits_there_is_no_file(administrator, now):
    with pytest.raises(PaymentError, match="No SEPA payout waits"):
        made(administrator, now)


@pytest.mark.parametrize("days", [-1, 31])
def test_the_day_of_execution_is_one_that_banks_take(listing, buyer, administrator, now, days):
    make_payout(listing, buyer, now=now)
    with pytest.raises(PaymentError, match="30 days ahead"):
        sepa_files.make_sepa_file(by=administrator, now=now, execute_on=now.date() + timedelta(days=days))


def test_only_administrators_make_files(listing, buyer, provider, now):
    make_payout(listing, buyer, now=now)
    with pytest.raises(Exception, match="administrator"):
        made(provider, now)


def test_the_file_is_kept_as_it_was_made(listing, buyer, administrator, now, monkeypatch):
    make_payout(listing, buyer, now=now)
    file, _ = made(administrator, now)
    monkeypatch.setattr(sepa_files, "read", lambda _: b"<Document/>")
    with pytest.raises(PaymentError, match="not the one that was made"):
        sepa_files.content_of(file)


def test_without_the_storage_nothing_is_sent(listing, buyer, administrator, now, monkeypatch):
    payout = make_payout(listing, buyer, now=now)

    def away(*_):
        raise StorageAway("away")

    monkeypatch.setattr(sepa_files, "store", away)
    with pytest.raises(StorageAway):
        made(administrator, now)
    payout.refresh_from_db()
    assert (payout.status, payout.sent_at) == (PayoutStatus.SCHEDULED, None)


def test_nobody_but_a_person_sends_and_hears_of_sepa_payouts(listing, buyer, now):
    payout = make_payout(listing, buyer, now=now)
    assert strategy_for(payout).send(payout, is_held=False).status == PayoutStatus.SCHEDULED
    assert strategy_for(payout).synchronise(payout).status == PayoutStatus.SCHEDULED
    assert payouts.send_due_payouts(now=now + DAY) == payouts.ask_after_payouts(now=now + DAY) == 0


@pytest.mark.django_db(transaction=True)
def test_two_administrators_at_once_send_each_payout_once(listing, buyer, administrator, now):
    make_payout(listing, buyer, now=now)
    make = partial(sepa_files.make_sepa_file, by=administrator, now=now, execute_on=now.date())
    results = at_once([make, make, make])
    assert sorted(type(result).__name__ for result in results) == ["PaymentError", "PaymentError", "SepaFile"]
    assert SepaFile.objects.get().count == 1


# What a provider types ---------------------------------------------------------------------------------------


def typed(**fields: str) -> IbanForm:
    form = IbanForm({"holder": "Provider University", "iban": IBAN, "bic": "", **fields})
    form.is_valid()
    return form


def test_an_iban_may_have_spaces_and_small_letters():
    assert typed(iban="de89 3704 0044 0532 0130 00").cleaned_data["iban"] == IBAN


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("iban", "DE89370400440532013001", "A digit in this IBAN is wrong"),
        ("iban", "12345", "This is no IBAN"),
        ("iban", "TR330006100519786457841326", "no SEPA transfers"),
        ("bic", "XX", "This is no BIC"),
        ("holder", "", "This field is required"),
        ("iban", "CH9300762011623852957", "needs the bank's BIC"),
    ],
)
def test_what_is_wrong_with_an_account_is_said(field, value, words):
    form = typed(**{field: value})
    said_of_it = " ".join(error for errors in form.errors.values() for error in errors)
    assert words in said_of_it
