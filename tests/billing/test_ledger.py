"""The rules that the database keeps for the ledger, and posting an event once."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import Error, IntegrityError, connection, transaction

from billing.models import AccountKind, LedgerAccount, LedgerEntry, LedgerTransaction, Posting
from billing.services.check import problems
from billing.services.ledger import Side, account_of, balance, post
from common.ids import uuid7
from tests.racing import at_once, twice_at_once

pytestmark = pytest.mark.django_db

INSERT = "INSERT INTO ledger_entries (id, transaction_id, account_id, currency, amount) VALUES "


@pytest.fixture
def posted(now):
    """10 EUR from the bank to the processor."""
    return correct("first", "10", now)


def correct(key: str, amount: str, now, currency: str = "EUR") -> LedgerTransaction | None:
    sides = [Side(AccountKind.PROCESSOR, Decimal(amount)), Side(AccountKind.BANK, -Decimal(amount))]
    return post(kind=Posting.CORRECTION, key=key, currency=currency, sides=sides, now=now)


def say(sql: str, *params) -> None:
    """Plain SQL, as somebody would type it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_entries_that_do_not_sum_to_zero_are_refused_by_the_database(posted):
    account = posted.entries.first().account_id
    with pytest.raises(IntegrityError, match="not to zero"):
        say(INSERT + "(%s, %s, %s, 'EUR', 5)", uuid7(), posted.pk, account)
    with pytest.raises(IntegrityError, match="not to zero"):
        say(
            INSERT + "(%s, %s, %s, 'EUR', 5), (%s, %s, %s, 'EUR', -4.99)",
            *(uuid7(), posted.pk, account, uuid7(), posted.pk, account),
        )
    assert LedgerEntry.objects.count() == 2


def test_two_currencies_cannot_stand_for_one_another(posted, now):
    euros = posted.entries.first().account_id
    dollars = account_of(AccountKind.PROCESSOR, owner=None, currency="USD").pk
    with pytest.raises(IntegrityError, match="not to zero"):
        say(
            INSERT + "(%s, %s, %s, 'EUR', 5), (%s, %s, %s, 'USD', -5)",
            *(uuid7(), posted.pk, euros, uuid7(), posted.pk, dollars),
        )


def test_an_entry_is_in_the_currency_of_its_account(posted):
    euros = posted.entries.first().account_id
    with pytest.raises(IntegrityError, match="ledger_entries_in_the_accounts_currency"):
        say(
            INSERT + "(%s, %s, %s, 'USD', 5), (%s, %s, %s, 'USD', -5)",
            *(uuid7(), posted.pk, euros, uuid7(), posted.pk, euros),
        )


def test_an_entry_of_nothing_is_refused(posted):
    with pytest.raises(IntegrityError, match="ledger_entries_not_zero"):
        say(INSERT + "(%s, %s, %s, 'EUR', 0)", uuid7(), posted.pk, posted.entries.first().account_id)


def test_a_transaction_that_has_its_entries_is_given_no_more(posted):
    first, second = (entry.account_id for entry in posted.entries.all())
    with pytest.raises(IntegrityError, match="has its entries"):
        say(
            INSERT + "(%s, %s, %s, 'EUR', 5), (%s, %s, %s, 'EUR', -5)",
            *(uuid7(), posted.pk, first, uuid7(), posted.pk, second),
        )
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_entries SET amount = 2 * amount",
        "UPDATE ledger_entries SET booking_id = NULL",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_transactions SET note = 'otherwise'",
        "DELETE FROM ledger_transactions",
        "UPDATE ledger_accounts SET currency = 'USD'",
        "DELETE FROM ledger_accounts",
    ],
)
def test_nothing_in_it_is_ever_changed_or_deleted(posted, sql):
    with pytest.raises(Error, match=r"never change|append-only|changed|restrict"):
        say(sql)
    assert balance(AccountKind.PROCESSOR, currency="EUR") == 10


def test_the_same_event_is_posted_once(posted, now):
    assert correct("first", "10", now) is None
    assert LedgerTransaction.objects.count() == 1


def test_what_moves_nothing_is_not_posted(now):
    assert correct("nothing", "0", now) is None
    assert not LedgerTransaction.objects.exists()


def test_sides_that_do_not_sum_to_zero_are_refused_before_the_database_is_asked(now):
    with pytest.raises(ValueError, match="not to zero"):
        post(kind=Posting.CORRECTION, key="k", currency="EUR", sides=[Side(AccountKind.BANK, Decimal(1))], now=now)


def test_an_amount_finer_than_its_currency_is_refused(now):
    with pytest.raises(ValueError, match="finer"):
        correct("yen", "0.5", now, currency="JPY")


def test_an_account_belongs_to_a_person_where_it_is_personal_and_only_there(buyer):
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerAccount.objects.create(kind=AccountKind.BUYER, currency="EUR")
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerAccount.objects.create(kind=AccountKind.BANK, owner=buyer, currency="EUR")


def test_every_currency_has_accounts_of_its_own(now):
    correct("euros", "10", now)
    correct("yen", "700", now, currency="JPY")
    assert balance(AccountKind.PROCESSOR, currency="EUR") == 10
    assert balance(AccountKind.PROCESSOR, currency="JPY") == 700
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_two_that_post_at_the_same_moment_make_one_account(now):
    results = at_once(partial(_in_transaction, f"k{number}", now) for number in range(6))
    assert all(isinstance(result, LedgerTransaction) for result in results), results
    assert LedgerAccount.objects.count() == 2
    assert balance(AccountKind.PROCESSOR, currency="EUR") == 6
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_the_same_event_posted_twice_at_the_same_moment_stands_once(now):
    """The rows that it tells of are locked where it matters; without that, the key is what holds."""

    def once():
        try:
            return _in_transaction("same", now)
        except IntegrityError:
            return None

    twice_at_once(once)
    assert LedgerTransaction.objects.count() == 1
    assert balance(AccountKind.PROCESSOR, currency="EUR") == 1


@transaction.atomic
def _in_transaction(key: str, now) -> LedgerTransaction | None:
    return correct(key, "1", now)
