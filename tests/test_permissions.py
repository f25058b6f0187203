"""Who may do what: every address of the site × everybody, in one table.

A route that the table does not name fails the test. Of a booking and a machine, ``buyer`` and ``provider`` are the
two that have a part in it; to everybody else they do not exist.

=====  =====================================================================================================
200    the page or the form
302    done, or sent on to another page of their own
422    the form comes back, because the test sends it empty: the person may
409    the person may, and it does not fit the state that the thing is in
400    not understood: what agents call, without a signed message
401    for agents, and nobody here has an agent's token
login  sent to the sign-in page, and back here afterwards
admin  sent to the administration's sign-in
404    there is no such thing among theirs
405    not with this method
any    whatever it is, it is the same for everybody (here: no worker runs)
=====  =====================================================================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from accounts.models import User
from accounts.services.ssh_keys import add_key
from billing.models import Invoice, Payout, SavedCard
from billing.services import cards
from bookings.models import Booking
from bookings.services.maintenance import announce
from common.administration import MadeHere
from machines.models import AccessKind, Listing, Machine, Work
from tests.agents import erase, make_agent, make_agent_over
from tests.earning import make_iban
from tests.people import (
    DAY,
    HOUR,
    Cast,
    enter_access,
    make_hold,
    make_listing,
    make_machine,
    make_over,
    make_paid,
    minute,
    record_wipe,
)
from tests.stripe_server.fixtures import Processor

CAST = (
    "anonymous", "buyer", "other_buyer", "member", "organization_administrator", "provider", "other_provider",
    "administrator",
)  # fmt: skip

TABLE = """
route                                       anonymous  buyer  other_buyer  member  organization  provider  other_prov.  administrator

home                                  GET         200    200          200     200           200       200          200            200
home                                  POST        405    405          405     405           405       405          405            405
how_it_works                          GET         200    200          200     200           200       200          200            200
how_it_works                          POST        405    405          405     405           405       405          405            405
healthz                               GET         any    any          any     any           any       any          any            any
healthz                               POST        405    405          405     405           405       405          405            405
profile                               GET       login    200          200     200           200       200          200            200
profile                               POST      login    422          422     422           302       422          422            302
verification_request                  GET       login    200          200     200           200       200          200            200
verification_request                  POST      login    422          422     422           422       422          422            422
notification_list                     GET       login    200          200     200           200       200          200            200
notification_list                     POST      login    405          405     405           405       405          405            405
notifications_read                    GET       login    405          405     405           405       405          405            405
notifications_read                    POST      login    302          302     302           302       302          302            302
billing_details                       GET       login    200          200     200           200       200          200            200
billing_details                       POST      login    422          422     422           422       422          422            422
ssh_key_list                          GET       login    200          200     200           200       200          200            200
ssh_key_list                          POST      login    422          422     422           422       422          422            422
ssh_key_delete                        GET       login    405          405     405           405       405          405            405
ssh_key_delete                        POST      login    302          404     404           404       404          404            404
account_login                         GET         200    302          302     302           302       302          302            302
account_login                         POST        200    302          302     302           302       302          302            302
account_logout                        GET         302    200          200     200           200       200          200            200
account_logout                        POST        302    302          302     302           302       302          302            302
account_inactive                      GET         200    200          200     200           200       200          200            200
account_inactive                      POST        405    405          405     405           405       405          405            405
account_signup                        GET         200    302          302     302           302       302          302            302
account_signup                        POST        200    302          302     302           302       302          302            302
account_reauthenticate                GET       login    200          200     200           200       200          200            200
account_reauthenticate                POST      login    200          200     200           200       200          200            200
account_email                         GET       login    200          200     200           200       200          200            200
account_email                         POST      login    302          302     302           302       302          302            302
account_email_verification_sent       GET         200    200          200     200           200       200          200            200
account_email_verification_sent       POST        405    405          405     405           405       405          405            405
account_change_password               GET       login    200          200     200           200       200          200            200
account_change_password               POST      login    200          200     200           200       200          200            200
account_set_password                  GET       login    302          302     302           302       302          302            302
account_set_password                  POST      login    302          302     302           302       302          302            302
account_reset_password                GET         200    200          200     200           200       200          200            200
account_reset_password                POST        200    200          200     200           200       200          200            200
account_confirm_login_code            GET         302    302          302     302           302       302          302            302
account_confirm_login_code            POST        302    302          302     302           302       302          302            302
account_confirm_email                 GET         200    200          200     200           200       200          200            200
account_confirm_email                 POST        404    404          404     404           404       404          404            404
account_reset_password_from_key_done  GET         200    200          200     200           200       200          200            200
account_reset_password_from_key_done  POST        405    405          405     405           405       405          405            405
account_reset_password_from_key       GET         200    200          200     200           200       200          200            200
account_reset_password_from_key       POST        200    200          200     200           200       200          200            200
account_reset_password_done           GET         200    200          200     200           200       200          200            200
account_reset_password_done           POST        405    405          405     405           405       405          405            405
machine_list                          GET       login    200          200     200           200       200          200            200
machine_list                          POST      login    405          405     405           405       405          405            405
become_provider                       GET       login    405          405     405           405       405          405            405
become_provider                       POST      login    302          302     302           302       302          302            302
machine_create                        GET       login    302          302     302           302       200          200            302
machine_create                        POST      login    302          302     302           302       422          422            302
machine_detail                        GET       login    404          404     404           404       200          404            404
machine_detail                        POST      login    405          405     405           405       405          405            405
machine_edit                          GET       login    404          404     404           404       200          404            404
machine_edit                          POST      login    404          404     404           404       422          404            404
machine_measure                       GET       login    405          405     405           405       405          405            405
machine_measure                       POST      login    404          404     404           404       302          404            404
machine_add                           GET       login    302          302     302           302       200          200            302
machine_add                           POST      login    302          302     302           302       422          422            302
machine_agent                         GET       login    404          404     404           404       200          404            404
machine_agent                         POST      login    405          405     405           405       405          405            405
machine_agent_code                    GET       login    405          405     405           405       405          405            405
machine_agent_code                    POST      login    404          404     404           404       302          404            404
machine_inventory                     GET       login    405          405     405           405       405          405            405
machine_inventory                     POST      login    404          404     404           404       302          404            404
machine_health                        GET       login    404          404     404           404       200          404            200
machine_health                        POST      login    405          405     405           405       405          405            405
machine_passport                      GET       login    404          404     404           404       200          404            404
machine_passport                      POST      login    405          405     405           405       405          405            405
machine_adopt                         GET       login    405          405     405           405       405          405            405
machine_adopt                         POST      login    404          404     404           404       302          404            404
agent_revoke                          GET       login    405          405     405           405       405          405            405
agent_revoke                          POST      login    404          404     404           404       302          404            404
agent_heartbeat                       GET         405    405          405     405           405       405          405            405
agent_heartbeat                       POST        401    401          401     401           401       401          401            401
agent_enroll                          GET          405    405          405     405           405       405          405            405
agent_enroll                          POST         400    400          400     400           400       400          400            400
agent_work_next                       GET          401    401          401     401           401       401          401            401
agent_work_next                       POST         401    401          401     401           401       401          401            401
agent_work_ack                        GET          401    401          401     401           401       401          401            401
agent_work_ack                        POST         401    401          401     401           401       401          401            401
agent_work_report                     GET          401    401          401     401           401       401          401            401
agent_work_report                     POST         401    401          401     401           401       401          401            401
agent_self_test                       GET          401    401          401     401           401       401          401            401
agent_self_test                       POST         401    401          401     401           401       401          401            401
agent_rotate                          GET          401    401          401     401           401       401          401            401
agent_rotate                          POST         401    401          401     401           401       401          401            401
agent_unenroll                        GET          401    401          401     401           401       401          401            401
agent_unenroll                        POST         401    401          401     401           401       401          401            401
agent_speed                           GET          401    401          401     401           401       401          401            401
agent_speed                           POST         401    401          401     401           401       401          401            401
agent_program                         GET         200    200          200     200           200       200          200            200
agent_program                         POST        405    405          405     405           405       405          405            405
agent_program_sha256                  GET         200    200          200     200           200       200          200            200
agent_program_sha256                  POST        405    405          405     405           405       405          405            405
benchmark_create                      GET       login    404          404     404           404       200          404            404
benchmark_create                      POST      login    404          404     404           404       422          404            404
listing_create                        GET       login    404          404     404           404       200          404            404
listing_create                        POST      login    404          404     404           404       422          404            404
listing_edit                          GET       login    404          404     404           404       200          404            404
listing_edit                          POST      login    404          404     404           404       422          404            404
listing_activate                      GET       login    405          405     405           405       405          405            405
listing_activate                      POST      login    404          404     404           404       302          404            404
listing_pause                         GET       login    405          405     405           405       405          405            405
listing_pause                         POST      login    404          404     404           404       302          404            404
listing_archive                       GET       login    405          405     405           405       405          405            405
listing_archive                       POST      login    404          404     404           404       302          404            404
listing_list                          GET         200    200          200     200           200       200          200            200
listing_list                          POST        405    405          405     405           405       405          405            405
listing_detail                        GET         200    200          200     200           200       200          200            200
listing_detail                        POST        405    405          405     405           405       405          405            405
listing_availability                  GET         200    200          200     200           200       200          200            200
listing_availability                  POST        405    405          405     405           405       405          405            405
listing_quote                         GET         200    200          200     200           200       200          200            200
listing_quote                         POST        405    405          405     405           405       405          405            405
listing_reliability                   GET         200    200          200     200           200       200          200            200
listing_reliability                   POST        405    405          405     405           405       405          405            405
listing_book                          GET         405    405          405     405           405       405          405            405
listing_book                          POST      login    422          422     422           422       422          422            422
booking_list                          GET       login    200          200     200           200       200          200            200
booking_list                          POST      login    405          405     405           405       405          405            405
booking_detail                        GET       login    200          404     404           404       200          404            200
booking_detail                        POST      login    405          405     405           405       405          405            405
booking_cancel                        GET       login    200          404     404           404       200          404            200
booking_cancel                        POST      login    302          404     404           404       302          404            409
booking_leave                         GET       login    200          404     404           404       404          404            404
booking_leave                         POST      login    409          404     404           404       404          404            404
booking_extend                        GET       login    200          404     404           404       404          404            404
booking_extend                        POST      login    422          404     404           404       404          404            404
booking_extend_give_back              GET       login    405          405     405           405       405          405            405
booking_extend_give_back              POST      login    302          404     404           404       404          404            404
booking_end                           GET       login    200          404     404           404       404          404            404
booking_end                           POST      login    409          404     404           404       404          404            404
booking_access                        GET       login    404          404     404           404       200          404            404
booking_access                        POST      login    404          404     404           404       422          404            404
booking_wipe                          GET       login    404          404     404           404       200          404            404
booking_wipe                          POST      login    404          404     404           404       422          404            404
wipe_evidence                         GET       login    200          404     404           404       200          404            200
wipe_evidence                         POST      login    405          405     405           405       405          405            405
booking_wipe_retry                    GET       login    405          405     405           405       405          405            405
booking_wipe_retry                    POST      login    404          404     404           404       302          404            302
booking_certificate                   GET       login    200          404     404           404       200          404            200
booking_certificate                   POST      login    405          405     405           405       405          405            405
evidence_logs                         GET       login    200          404     404           404       200          404            200
evidence_logs                         POST      login    405          405     405           405       405          405            405
erasure_lookup                        GET         200    200          200     200           200       200          200            200
erasure_lookup                        POST        405    405          405     405           405       405          405            405
erasure_keys                          GET         200    200          200     200           200       200          200            200
erasure_keys                          POST        405    405          405     405           405       405          405            405
erasure_check                         GET         200    200          200     200           200       200          200            200
erasure_check                         POST        405    405          405     405           405       405          405            405
erasure_file                          GET         200    200          200     200           200       200          200            200
erasure_file                          POST        405    405          405     405           405       405          405            405
machine_calendar                      GET       login    404          404     404           404       200          404            404
machine_calendar                      POST      login    405          405     405           405       405          405            405
machine_maintenance                   GET       login    404          404     404           404       200          404            404
machine_maintenance                   POST      login    404          404     404           404       422          404            404
maintenance_cancel                    GET       login    405          405     405           405       405          405            405
maintenance_cancel                    POST      login    404          404     404           404       302          404            404
booking_pay                           GET       login    200          404     404           404       404          404            404
booking_pay                           POST      login    422          404     404           404       404          404            404
booking_pay_card                      GET       login    405          405     405           405       405          405            405
booking_pay_card                      POST      login    409          404     404           404       404          404            404
booking_pay_authenticated             GET       login    405          405     405           405       405          405            405
booking_pay_authenticated             POST      login    302          404     404           404       404          404            404
booking_pay_abandon                   GET       login    405          405     405           405       405          405            405
booking_pay_abandon                   POST      login    302          404     404           404       404          404            404
charge_pay                            GET       login    200          404     404           404       404          404            404
charge_pay                            POST      login    422          404     404           404       404          404            404
charge_pay_card                       GET       login    405          405     405           405       405          405            405
charge_pay_card                       POST      login    409          404     404           404       404          404            404
charge_pay_authenticated              GET       login    405          405     405           405       405          405            405
charge_pay_authenticated              POST      login    302          404     404           404       404          404            404
charge_pay_abandon                    GET       login    405          405     405           405       405          405            405
charge_pay_abandon                    POST      login    302          404     404           404       404          404            404
card_list                             GET       login    200          200     200           200       200          200            200
card_list                             POST      login    422          422     422           422       422          422            422
card_begin                            GET       login    405          405     405           405       405          405            405
card_begin                            POST      login    200          200     200           200       200          200            200
card_default                          GET       login    405          405     405           405       405          405            405
card_default                          POST      login    302          404     404           404       404          404            404
card_remove                           GET       login    405          405     405           405       405          405            405
card_remove                           POST      login    302          404     404           404       404          404            404
payment_list                          GET       login    200          200     200           200       200          200            200
payment_list                          POST      login    405          405     405           405       405          405            405
payment_detail                        GET       login    200          404     404           404       404          404            200
payment_detail                        POST      login    405          405     405           405       405          405            405
invoice_list                          GET       login    200          200     200           200       200          200            200
invoice_list                          POST      login    405          405     405           405       405          405            405
invoice_detail                        GET       login    200          404     404           404       404          404            200
invoice_detail                        POST      login    405          405     405           405       405          405            405
invoice_pdf                           GET       login    200          404     404           404       404          404            200
invoice_pdf                           POST      login    405          405     405           405       405          405            405
invoice_xml                           GET       login    200          404     404           404       404          404            200
invoice_xml                           POST      login    405          405     405           405       405          405            405
statement_list                        GET       login    200          200     200           200       200          200            200
statement_list                        POST      login    405          405     405           405       405          405            405
statement_detail                      GET       login    200          404     404           404       404          404            404
statement_detail                      POST      login    405          405     405           405       405          405            405
statement_pdf                         GET       login    200          404     404           404       404          404            404
statement_pdf                         POST      login    405          405     405           405       405          405            405
statement_csv                         GET       login    200          404     404           404       404          404            404
statement_csv                         POST      login    405          405     405           405       405          405            405
plan                                  GET       login    200          200     200           200       200          200            200
plan                                  POST      login    405          405     405           405       405          405            405
plan_pay                              GET       login    302          302     302           302       302          302            302
plan_pay                              POST      login    302          302     302           302       302          302            302
plan_authenticate                     GET       login    302          302     302           302       302          302            302
plan_authenticate                     POST      login    302          302     302           302       302          302            302
plan_change                           GET       login    302          302     302           302       302          302            302
plan_change                           POST      login    422          422     422           422       422          422            422
earnings                              GET      login    200        200     200           200       200          200            200
earnings                              POST     login    405        405     405           405       405          405            405
earnings_csv                          GET      login    200        200     200           200       200          200            200
earnings_csv                          POST     login    405        405     405           405       405          405            405
payout_detail                         GET      login    404        404     404           404       200          404            200
payout_detail                         POST     login    405        405     405           405       405          405            405
payout_accounts                       GET      login    302        302     302           302       200          200            302
payout_accounts                       POST     login    302        302     302           302       422          422            302
payout_account_remove                 GET      login    405        405     405           405       405          405            405
payout_account_remove                 POST     login    404        404     404           404       302          404            404
payout_stripe_begin                   GET      login    302        302     302           302       405          405            302
payout_stripe_begin                   POST     login    302        302     302           302       404          404            302
payout_stripe_continue                GET      login    404        404     404           404       404          404            404
payout_stripe_continue                POST     login    405        405     405           405       405          405            405
payout_stripe_return                  GET      login    404        404     404           404       404          404            404
payout_stripe_return                  POST     login    405        405     405           405       405          405            405
payout_stripe_dashboard               GET      login    404        404     404           404       404          404            404
payout_stripe_dashboard               POST     login    405        405     405           405       405          405            405
stripe_webhook                        GET         405    405          405     405           405       405          405            405
stripe_webhook                        POST        400    400          400     400           400       400          400            400
admin:index                           GET       admin  admin        admin   admin         admin     admin        admin            200
admin:index                           POST      admin  admin        admin   admin         admin     admin        admin            200
"""

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl buyer@laptop"

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Row:
    route: str
    method: str
    expected: dict[str, str]


def table() -> list[Row]:
    rows = []
    for line in filter(None, TABLE.splitlines()[3:]):
        route, method, *expected = line.split()
        rows.append(Row(route, method, dict(zip(CAST, expected, strict=True))))
    return rows


def routes(patterns=None, namespace: str = "") -> Iterator[tuple[str, str]]:
    """Every route of the site: its name and its pattern."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", str(pattern.pattern)
        else:
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, inner)


def test_the_table_names_every_route():
    named = {row.route for row in table()}
    there = {name for name, _ in routes() if not name.startswith("admin:")}
    assert sorted(there - named) == [], "routes without a row in the table"
    assert sorted(named - there - {"admin:index"}) == [], "rows for routes that do not exist"
    assert {(row.route, row.method) for row in table()} == {(name, method) for name in named for method in METHODS}


METHODS = ("GET", "POST")


@pytest.fixture
def card(processor: Processor, buyer: User, now) -> SavedCard:
    """The buyer's, kept."""
    form = cards.begin_card(user=buyer).split("_secret_")[0]
    processor.fill_card_form(form)
    return cards.add_card(user=buyer, setup_intent=form, now=now)


@pytest.fixture
def staged(cast: Cast, now) -> Booking:
    """The buyer's, of more than 28 days: its second stage can be paid."""
    listing = make_listing(make_machine(cast.provider, "for-long"), max_hours=24 * 40)
    return make_paid(listing, cast.buyer, start=now + 2 * DAY, hours=24 * 30, asked=now)


@pytest.fixture
def addresses(cast: Cast, listing: Listing, staged: Booking, card: SavedCard, now) -> dict[str, str]:
    """The address of each route, with the buyer's booking and the provider's machine in a state that fits it."""
    machine = listing.machine
    held = make_hold(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    paid = make_paid(listing, cast.buyer, start=now + 3 * DAY, asked=now)
    erased = make_over(listing, cast.buyer, end=now - 2 * DAY)
    (wipe, *_) = record_wipe(erased, now=now - DAY)
    signed = make_agent_over(listing, cast.buyer, agent := make_agent(machine), end=now - 3 * DAY)
    evidence = erase(agent, now=now - 2 * DAY - HOUR)
    asked = Work.objects.filter(agent=agent.row)[0]
    Machine.objects.filter(pk=machine.pk).update(access_kind=AccessKind.MANUAL)
    over = make_over(listing, cast.buyer, end=now - HOUR)
    key = add_key(user=cast.buyer, text=KEY, name="laptop")
    upkeep = announce(
        machine=machine,
        by=cast.provider,
        kind="power",
        start=minute(now) + 9 * DAY,
        end=minute(now) + 10 * DAY,
        now=now,
    )
    payout = Payout.objects.create(
        provider=cast.provider,
        account=make_iban(cast.provider, now=now),
        method="sepa",
        currency="EUR",
        amount=1,
        status="received",
        sent_at=now,
        received_at=now,
    )
    arguments = {
        "maintenance_cancel": [machine.pk, upkeep.pk],
        "ssh_key_delete": [key.pk],
        "account_confirm_email": ["no-such-key"],
        "account_reset_password_from_key": ["0", "no-such-key"],
        "agent_revoke": [machine.pk, agent.row.pk],
        "agent_work_ack": [asked.pk],
        "agent_work_report": [asked.pk],
        "booking_wipe": [over.pk],
        "wipe_evidence": [erased.pk, wipe.pk],
        "booking_certificate": [signed.pk],
        "evidence_logs": [signed.pk, evidence.pk],
        "erasure_check": [signed.certificate.pk],
        "erasure_file": [signed.certificate.pk, "evidence.json"],
        "plan_change": ["professional"],
        **{f"invoice_{page}": [Invoice.objects.get(booking=paid).pk] for page in ("detail", "pdf", "xml")},
        **{f"statement_{page}": [now.date()] for page in ("detail", "pdf", "csv")},
        "booking_pay": [held.pk],
        "charge_pay": [staged.pk, staged.charges.get(number=2).pk],
        "charge_pay_card": [staged.pk, staged.charges.get(number=1).pk],
        "charge_pay_authenticated": [staged.pk, staged.charges.get(number=2).pk],
        "charge_pay_abandon": [staged.pk, staged.charges.get(number=2).pk],
        "card_default": [card.pk],
        "card_remove": [card.pk],
        "payment_detail": [paid.payments.get().pk],
        "payout_detail": [payout.pk],
        "payout_account_remove": [payout.account_id],
        "booking_pay_authenticated": [held.pk],
        "booking_pay_abandon": [held.pk],
    }
    found = {}
    for name, pattern in routes():
        if name.startswith("admin:") and name != "admin:index":
            continue
        if name in arguments:
            found[name] = reverse(name, args=arguments[name])
        elif "<uuid:" not in pattern:
            found[name] = reverse(name)
        elif name.startswith("booking_"):
            found[name] = reverse(name, args=[paid.pk])
        elif name.startswith(("machine_", "benchmark_")) or name == "listing_create":
            found[name] = reverse(name, args=[machine.pk])
        else:
            found[name] = reverse(name, args=[listing.pk])
    return found


def person(cast: Cast, name: str) -> User | None:
    return None if name == "anonymous" else getattr(cast, name)


def outcome(client: Client, user: User | None, method: str, address: str) -> str:
    """What the table says of an answer. Whatever was changed is undone."""
    with transaction.atomic():
        client.cookies.clear()
        if user is not None:
            client.force_login(user)
        response = client.get(address) if method == "GET" else client.post(address, {"nothing": "that fits"})
        said = words(response, address)
        transaction.set_rollback(True)
    return said


def words(response: HttpResponse, address: str) -> str:
    if response.status_code != 302:
        return str(response.status_code)
    to = urlsplit(response["Location"])
    for path, word in ((reverse("account_login"), "login"), (reverse("admin:login"), "admin")):
        if to.path == path and "next" in parse_qs(to.query):
            return word
    return "302"


def test_everybody_gets_what_the_table_says(client, addresses, cast):
    wrong = []
    for row in table():
        answers = {}
        for name, expected in row.expected.items():
            met = answers[name] = outcome(client, person(cast, name), row.method, addresses[row.route])
            if expected not in (met, "any"):
                wrong.append(f"{row.route} {row.method} as {name}: {met}, should be {expected}")
        if "any" in row.expected.values() and len(set(answers.values())) > 1:
            wrong.append(f"{row.route} {row.method}: {answers}, should be one for all")
    assert not wrong, "\n".join(wrong)


# Things of other people, by their ids -----------------------------------------------------------------------


def test_evidence_is_shown_only_under_its_own_booking(client, listing, other_listing, buyer, other_buyer, now):
    """A person's own booking in the address does not open the evidence of somebody else's."""
    mine = make_over(listing, buyer, end=now - HOUR)
    (my_wipe, *_) = record_wipe(mine, now=now)
    theirs = make_over(other_listing, other_buyer, end=now - HOUR)
    (their_wipe, *_) = record_wipe(theirs, now=now)

    client.force_login(buyer)
    assert client.get(f"/bookings/{mine.pk}/wipes/{my_wipe.pk}/evidence/").status_code == 200
    assert client.get(f"/bookings/{mine.pk}/wipes/{their_wipe.pk}/evidence/").status_code == 404
    assert client.get(f"/bookings/{theirs.pk}/wipes/{their_wipe.pk}/evidence/").status_code == 404
    assert client.get(f"/bookings/{theirs.pk}/wipes/{my_wipe.pk}/evidence/").status_code == 404


def test_evidence_of_an_earlier_booking_of_ones_own_belongs_to_that(client, listing, buyer, now):
    first = make_over(listing, buyer, end=now - 2 * DAY)
    (wipe, *_) = record_wipe(first, now=now - DAY)
    second = make_over(listing, buyer, end=now - HOUR)
    client.force_login(buyer)
    assert client.get(f"/bookings/{second.pk}/wipes/{wipe.pk}/evidence/").status_code == 404


def test_evidence_is_a_download_and_never_a_page(client, listing, buyer, now):
    over = make_over(listing, buyer, end=now - HOUR)
    (wipe, *_) = record_wipe(over, now=now)
    client.force_login(buyer)
    response = client.get(f"/bookings/{over.pk}/wipes/{wipe.pk}/evidence/")
    assert response["Content-Disposition"].startswith("attachment;")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert b"".join(response.streaming_content) == b"userdel: done\n"


def test_the_same_person_can_be_buyer_of_one_booking_and_stranger_to_the_next(client, listing, cast, now):
    """Two bookings of one machine: each buyer sees their own, the provider both, and no one the other's payment."""
    one = make_paid(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    two = make_paid(listing, cast.other_buyer, start=now + 4 * DAY, asked=now)
    for user, sees in ((cast.buyer, [one]), (cast.other_buyer, [two]), (cast.provider, [one, two]), (cast.member, [])):
        client.force_login(user)
        for booking in (one, two):
            expected = 200 if booking in sees else 404
            assert client.get(f"/bookings/{booking.pk}/").status_code == expected
            assert client.get(f"/bookings/{booking.pk}/cancel/").status_code == expected


def test_another_providers_machine_is_not_changed_through_ones_own(client, listing, cast, now):
    """A listing of one's own machine in the address, a field that names another machine in the form: it stays."""
    theirs = make_machine(cast.other_provider, "theirs")
    client.force_login(cast.provider)
    form = {
        "machine": theirs.pk, "currency": "EUR", "price_hour": "3", "min_hours": 1, "max_hours": 24,
        "max_ahead_days": 30, "cancellation_terms": "strict", "status": "archived",
    }  # fmt: skip
    assert client.post(f"/machines/listings/{listing.pk}/edit/", form).status_code == 302
    before, listing = listing, Listing.objects.get(pk=listing.pk)
    assert (listing.machine_id, listing.status) == (before.machine_id, before.status)


def test_the_buyer_sees_how_to_get_in_only_while_the_booking_runs(client, listing, cast, now):
    booking = make_paid(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    access = enter_access(booking, now=now)
    address = f"/bookings/{booking.pk}/"
    client.force_login(cast.buyer)
    assert access.command not in client.get(address).content.decode()
    client.force_login(cast.provider)
    assert access.command in client.get(address).content.decode()


# The administration -----------------------------------------------------------------------------------------


def test_the_administration_is_for_administrators(client, cast):
    """Every list of every model, and the form to add one: for nobody else."""
    for model in admin.site._registry:
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for page in (reverse(f"{place}_changelist"), reverse(f"{place}_add")):
            for name in CAST:
                allowed = {"200", "403"} if name == "administrator" else {"admin"}
                assert outcome(client, person(cast, name), "GET", page) in allowed, (page, name)
        assert outcome(client, cast.administrator, "GET", reverse(f"{place}_changelist")) == "200"


def test_state_history_and_money_are_not_typed_by_administrators(client, cast):
    """What services write is looked at there, not added. What asks for less than a row is a form of a service's:
    :class:`common.administration.MadeHere`."""
    client.force_login(cast.administrator)
    shown = {
        "booking", "bookingevent", "datawipe", "charge", "payment", "chargeback", "savedcard", "invoice", "payout",
        "ledgeraccount", "ledgertransaction", "webhookevent", "outgoingmail", "benchmark",
    }  # fmt: skip
    for model in admin.site._registry:
        if model._meta.model_name in shown:
            place = f"admin:{model._meta.app_label}_{model._meta.model_name}_add"
            assert client.get(reverse(place)).status_code == 403, model
    made = {model._meta.model_name for model, page in admin.site._registry.items() if isinstance(page, MadeHere)}
    assert made == {"refund", "sepafile", "payouthold"}


def test_staff_without_permissions_see_no_rows(client, stranger, listing):
    stranger.is_staff = True
    stranger.save(update_fields=["is_staff"])
    client.force_login(stranger)
    for model in admin.site._registry:
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert client.get(reverse(place)).status_code == 403, model
