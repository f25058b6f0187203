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
again  asked to show again who they are, and back here afterwards
403    they belong to the organization, and their role does not go so far
404    there is no such thing among theirs
405    not with this method
any    whatever it is, it is the same for everybody (here: no worker runs)
=====  =====================================================================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from accounts import unsubscribing
from accounts.models import DataExport, Scope, User, WebhookEndpoint
from accounts.services.invitations import digest, invite
from accounts.services.notifications import notify
from accounts.services.ssh_keys import add_key, add_shared_key
from accounts.services.tokens import make_token, renew_feed
from accounts.services.verification_documents import add_documents, link_token
from billing.models import Invoice, Payout, SavedCard
from billing.services import cards
from bookings.models import Booking, Budget
from bookings.services.maintenance import announce
from common.administration import MadeHere
from common.sealing import seal
from machines.models import AccessKind, Listing, Machine, Work
from tests.agents import erase, make_agent, make_agent_over
from tests.earning import make_iban
from tests.organizations import (
    book,
    book_for,
    make_cost_centre,
    make_member,
    make_organization,
    make_organization_details,
    make_project,
)
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
    make_user,
    minute,
    record_wipe,
)
from tests.stripe_server.fixtures import Processor
from tests.verifying import make_draft, make_request, png, upload

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
verification_details                  GET       login    302          302     200           302       302          302            302
verification_details                  POST      login    302          302     422           302       302          302            302
verification_documents                GET       login    302          302     200           302       302          302            302
verification_documents                POST      login    302          302     422           302       302          302            302
verification_document_remove          GET       login    405          405     405           405       405          405            405
verification_document_remove          POST      login    302          302     302           302       302          302            302
verification_check                    GET       login    302          302     200           302       302          302            302
verification_check                    POST      login    302          302     422           302       302          302            302
verification_discard                  GET       login    405          405     405           405       405          405            405
verification_discard                  POST      login    302          302     302           302       302          302            302
verification_document                 GET       login    302          404     404           404       404          404            302
verification_document                 POST      login    405          405     405           405       405          405            405
verification_file                     GET       login    200          404     404           404       404          404            404
verification_file                     POST      login    405          405     405           405       405          405            405
notification_list                     GET       login    200          200     200           200       200          200            200
notification_list                     POST      login    405          405     405           405       405          405            405
notifications_read                    GET       login    405          405     405           405       405          405            405
notifications_read                    POST      login    302          302     302           302       302          302            302
notification_read                     GET       login    405          405     405           405       405          405            405
notification_read                     POST      login    302          404     404           404       404          404            404
notification_keep                     GET       login    405          405     405           405       405          405            405
notification_keep                     POST      login    302          404     404           404       404          404            404
message_settings                      GET       login    200          200     200           200       200          200            200
message_settings                      POST      login    422          422     422           422       422          422            422
unsubscribe                           GET         200    200          200     200           200       200          200            200
unsubscribe                           POST        200    200          200     200           200       200          200            200
webhook_list                          GET       login    200          200     200           200       200          200            200
webhook_list                          POST      login    405          405     405           405       405          405            405
webhook_create                        GET       login    200          200     200           200       200          200            200
webhook_create                        POST      login    422          422     422           422       422          422            422
webhook_detail                        GET       login    200          404     404           404       404          404            404
webhook_detail                        POST      login    405          405     405           405       405          405            405
webhook_edit                          GET       login    200          404     404           404       404          404            404
webhook_edit                          POST      login    422          404     404           404       404          404            404
webhook_test                          GET       login    405          405     405           405       405          405            405
webhook_test                          POST      login    302          404     404           404       404          404            404
webhook_enable                        GET       login    405          405     405           405       405          405            405
webhook_enable                        POST      login    302          404     404           404       404          404            404
webhook_remove                        GET       login    405          405     405           405       405          405            405
webhook_remove                        POST      login    302          404     404           404       404          404            404
webhook_redeliver                     GET       login    405          405     405           405       405          405            405
webhook_redeliver                     POST      login    302          404     404           404       404          404            404
webhook_new_secret                    GET       login    405          405     405           405       405          405            405
webhook_new_secret                    POST      login    200          404     404           404       404          404            404
billing_details                       GET       login    200          200     200           200       200          200            200
billing_details                       POST      login    422          422     422           422       422          422            422
ssh_key_list                          GET       login    200          200     200           200       200          200            200
ssh_key_list                          POST      login    422          422     422           422       422          422            422
ssh_key_delete                        GET       login    405          405     405           405       405          405            405
ssh_key_delete                        POST      login    302          404     404           404       404          404            404
acting_stop                           GET       login    405          405     405           405       405          405            405
acting_stop                           POST      login    302          302     302           302       302          302            302
own_history                           GET       login    200          200     200           200       200          200            200
own_history                           POST      login    405          405     405           405       405          405            405
token_list                            GET       login      200        200        200        200        200        200        200
token_list                            POST      login      405        405        405        405        405        405        405
token_create                          GET       login      again      again      again      again      again      again      again
token_create                          POST      login      again      again      again      again      again      again      again
token_detail                          GET       login      200        404        404        404        404        404        404
token_detail                          POST      login      405        405        405        405        405        405        405
token_revoke                          GET       login      405        405        405        405        405        405        405
token_revoke                          POST      login      302        404        404        404        404        404        404
feed_list                             GET       login      200        200        200        200        200        200        200
feed_list                             POST      login      405        405        405        405        405        405        405
feed_renew                            GET       login      405        405        405        405        405        405        405
feed_renew                            POST      login      200        200        200        200        200        200        200
feed_bookings                         GET       200        200        200        200        200        200        200        200
feed_bookings                         POST      405        405        405        405        405        405        405        405
feed_machines                         GET       200        200        200        200        200        200        200        200
feed_machines                         POST      405        405        405        405        405        405        405        405
booking_keys                          GET       login      200        404        404        404        404        404        404
booking_keys                          POST      login      422        404        404        404        404        404        404
booking_key_add                       GET       login      405        405        405        405        405        405        405
booking_key_add                       POST      login      422        404        404        404        404        404        404
organization_keys                     GET       login      404        404        403        200        404        404        404
organization_keys                     POST      login      404        404        403        422        404        404        404
organization_key_delete               GET       login      405        405        405        405        405        405        405
organization_key_delete               POST      login      404        404        403        302        404        404        404
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
account_email                         POST      login  again        again   again         again     again        again          again
account_email_verification_sent       GET         302    302          302     302           302       302          302            302
account_email_verification_sent       POST        302    302          302     302           302       302          302            302
account_change_password               GET       login    200          200     200           200       200          200            200
account_change_password               POST      login    200          200     200           200       200          200            200
account_set_password                  GET       login  again        again   again         again     again        again          again
account_set_password                  POST      login  again        again   again         again     again        again          again
account_reset_password                GET         200    200          200     200           200       200          200            200
account_reset_password                POST        200    200          200     200           200       200          200            200
account_confirm_login_code            GET         302    302          302     302           302       302          302            302
account_confirm_login_code            POST        302    302          302     302           302       302          302            302
account_reset_password_from_key_done  GET         200    200          200     200           200       200          200            200
account_reset_password_from_key_done  POST        405    405          405     405           405       405          405            405
account_reset_password_from_key       GET         200    200          200     200           200       200          200            200
account_reset_password_from_key       POST        200    200          200     200           200       200          200            200
account_reset_password_done           GET         200    200          200     200           200       200          200            200
account_reset_password_done           POST        405    405          405     405           405       405          405            405
account_signup_by_passkey             GET         200    302          302     302           302       302          302            302
account_signup_by_passkey             POST        200    302          302     302           302       302          302            302
security                              GET       login    200          200     200           200       200          200            200
security                              POST      login    405          405     405           405       405          405            405
privacy_notice                        GET      200        200        200        200        200        200        200        200
privacy_notice                        POST     405        405        405        405        405        405        405        405
privacy                               GET      login      200        200        200        200        200        200        200
privacy                               POST     login      405        405        405        405        405        405        405
export_ask                            GET      login      405        405        405        405        405        405        405
export_ask                            POST     login      302        302        302        302        302        302        302
export_file                           GET      login      again      404        404        404        404        404        404
export_file                           POST     login      405        405        405        405        405        405        405
deletion                              GET      login      200        200        200        200        200        200        200
deletion                              POST     login      again      again      again      again      again      again      again
deletion_take_back                    GET      login      405        405        405        405        405        405        405
deletion_take_back                    POST     login      302        302        302        302        302        302        302
session_end                           GET       login    405          405     405           405       405          405            405
session_end                           POST      login  again          404     404           404       404          404            404
step_up_by_mail                       GET        login    302          302     302           302       302          302            302
step_up_by_mail                       POST       login    302          302     302           302       302          302            302
mfa_index                             GET       login    200          200     200           200       200          200            200
mfa_index                             POST      login    405          405     405           405       405          405            405
mfa_authenticate                      GET         302    302          302     302           302       302          302            302
mfa_authenticate                      POST        302    302          302     302           302       302          302            302
mfa_reauthenticate                    GET        login    302          302     302           302       302          302            302
mfa_reauthenticate                    POST       login    302          302     302           302       302          302            302
mfa_reauthenticate_webauthn           GET        login    302          302     302           302       302          302            302
mfa_reauthenticate_webauthn           POST       login    302          302     302           302       302          302            302
mfa_activate_totp                     GET       login  again        again   again         again     again        again          again
mfa_activate_totp                     POST      login  again        again   again         again     again        again          again
mfa_deactivate_totp                   GET       login  again        again   again         again     again        again          again
mfa_deactivate_totp                   POST      login  again        again   again         again     again        again          again
mfa_view_recovery_codes               GET       login  again        again   again         again     again        again          again
mfa_view_recovery_codes               POST      login  again        again   again         again     again        again          again
mfa_generate_recovery_codes           GET       login  again        again   again         again     again        again          again
mfa_generate_recovery_codes           POST      login  again        again   again         again     again        again          again
mfa_download_recovery_codes           GET       login  again        again   again         again     again        again          again
mfa_download_recovery_codes           POST      login  again        again   again         again     again        again          again
mfa_add_webauthn                      GET       login  again        again   again         again     again        again          again
mfa_add_webauthn                      POST      login  again        again   again         again     again        again          again
mfa_edit_webauthn                     GET       login  again        again   again         again     again        again          again
mfa_edit_webauthn                     POST      login  again        again   again         again     again        again          again
mfa_remove_webauthn                   GET       login  again        again   again         again     again        again          again
mfa_remove_webauthn                   POST      login  again        again   again         again     again        again          again
mfa_list_webauthn                     GET       login    200          200     200           200       200          200            200
mfa_list_webauthn                     POST      login    405          405     405           405       405          405            405
mfa_login_webauthn                    GET         302    302          302     302           302       302          302            302
mfa_login_webauthn                    POST        302    302          302     302           302       302          302            302
mfa_signup_webauthn                   GET         302    302          302     302           302       302          302            302
mfa_signup_webauthn                   POST        302    302          302     302           302       302          302            302
usersessions_list                     GET       login    200          200     200           200       200          200            200
usersessions_list                     POST      login  again        again   again         again     again        again          again
organization_list                     GET       login    200          200     200           200       200          200            200
organization_list                     POST      login    405          405     405           405       405          405            405
organization_create                   GET       login    200          200     200           200       200          200            200
organization_create                   POST      login    422          422     422           422       422          422            422
organization_switch                   GET       login    405          405     405           405       405          405            405
organization_switch                   POST      login    302          302     302           302       302          302            302
organization_switcher                 GET       login    302          302     302           302       302          302            302
organization_switcher                 POST      login    405          405     405           405       405          405            405
invitation                            GET         200    200          200     200           200       200          200            200
invitation                            POST      login    409          409     409           409       409          409            409
invitation_accept                     GET       login    405          405     405           405       405          405            405
invitation_accept                     POST      login    404          404     404           404       404          404            404
organization_detail                   GET       login    404          404     200           200       404          404            404
organization_detail                   POST      login    405          405     405           405       405          405            405
organization_settings                 GET       login    404          404     403           200       404          404            404
organization_settings                 POST      login    404          404     403           422       404          404            404
organization_history                  GET       login    404          404     403           200       404          404            404
organization_history                  POST      login    405          405     405           405       405          405            405
organization_policy                   GET       login    405          405     405           405       405          405            405
organization_policy                   POST      login    404          404     403           302       404          404            404
organization_billing                  GET       login    404          404     403           200       404          404            404
organization_billing                  POST      login    404          404     403           422       404          404            404
organization_transfer                 GET       login    404          404     403           200       404          404            404
organization_transfer                 POST      login    404          404     403           422       404          404            404
organization_leave                    GET       login    404          404     200           200       404          404            404
organization_leave                    POST      login    404          404     302           409       404          404            404
organization_members                  GET       login    404          404     200           200       404          404            404
organization_members                  POST      login    404          404     403           422       404          404            404
member_role                           GET       login    404          404     403           200       404          404            404
member_role                           POST      login    404          404     403           422       404          404            404
member_remove                         GET       login    404          404     403           200       404          404            404
member_remove                         POST      login    404          404     403           302       404          404            404
invitation_resend                     GET       login    405          405     405           405       405          405            405
invitation_resend                     POST      login    404          404     403           302       404          404            404
invitation_revoke                     GET       login    405          405     405           405       405          405            405
invitation_revoke                     POST      login    404          404     403           302       404          404            404
organization_bookings                 GET       login    404          404     200           200       404          404            404
organization_bookings                 POST      login    405          405     405           405       405          405            405
organization_machines                 GET       login    404          404     200           200       404          404            404
organization_machines                 POST      login    404          404     403           422       404          404            404
organization_spend                    GET       login    404          404     200           200       404          404            404
organization_spend                    POST      login    405          405     405           405       405          405            405
organization_spend_csv                GET       login    404          404     200           200       404          404            404
organization_spend_csv                POST      login    405          405     405           405       405          405            405
organization_spend_xlsx               GET       login    404          404     200           200       404          404            404
organization_spend_xlsx               POST      login    405          405     405           405       405          405            405
organization_invoices                 GET       login    404          404     403           200       404          404            404
organization_invoices                 POST      login    405          405     405           405       405          405            405
organization_statements               GET       login    404          404     403           200       404          404            404
organization_statements               POST      login    405          405     405           405       405          405            405
organization_statement_detail         GET       login    404          404     403           200       404          404            404
organization_statement_detail         POST      login    405          405     405           405       405          405            405
organization_statement_pdf            GET       login    404          404     403           200       404          404            404
organization_statement_pdf            POST      login    405          405     405           405       405          405            405
organization_statement_csv            GET       login    404          404     403           200       404          404            404
organization_statement_csv            POST      login    405          405     405           405       405          405            405
organization_budgets                  GET       login    404          404     200           200       404          404            404
organization_budgets                  POST      login    404          404     403           422       404          404            404
organization_budget_end               GET       login    405          405     405           405       405          405            405
organization_budget_end               POST      login    404          404     403           302       404          404            404
organization_approvals                GET       login    404          404     200           200       404          404            404
organization_approvals                POST      login    405          405     405           405       405          405            405
organization_approval                 GET       login    404          404     403           200       404          404            404
organization_approval                 POST      login    404          404     403           422       404          404            404
organization_projects                 GET       login    404          404     200           200       404          404            404
organization_projects                 POST      login    405          405     405           405       405          405            405
project_create                        GET       login    404          404     403           200       404          404            404
project_create                        POST      login    404          404     403           422       404          404            404
project_edit                          GET       login    404          404     403           200       404          404            404
project_edit                          POST      login    404          404     403           422       404          404            404
project_archive                       GET       login    405          405     405           405       405          405            405
project_archive                       POST      login    404          404     403           302       404          404            404
project_restore                       GET       login    405          405     405           405       405          405            405
project_restore                       POST      login    404          404     403           302       404          404            404
cost_centre_create                    GET       login    405          405     405           405       405          405            405
cost_centre_create                    POST      login    404          404     403           422       404          404            404
cost_centre_archive                   GET       login    405          405     405           405       405          405            405
cost_centre_archive                   POST      login    404          404     403           302       404          404            404
cost_centre_restore                   GET       login    405          405     405           405       405          405            405
cost_centre_restore                   POST      login    404          404     403           302       404          404            404
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
machine_history                       GET       login    404          404     404           404       200          404            200
machine_history                       POST      login    405          405     405           405       405          405            405
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
booking_history                       GET       login    200          404     404           404       200          404            200
booking_history                       POST      login    405          405     405           405       405          405            405
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
payment_history                       GET       login    404          404     404           404       404          404            200
payment_history                       POST      login    405          405     405           405       405          405            405
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
payout_accounts                       POST     login    302        302     302           302     again        again            302
payout_account_remove                 GET      login    405        405     405           405       405          405            405
payout_account_remove                 POST     login    404        404     404           404     again          404            404
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
    institute = make_organization(cast.organization_administrator)
    colleague = make_member(institute, cast.member)
    (letter,) = invite(
        organization=institute,
        by=cast.organization_administrator,
        emails=["new@institute.example"],
        role="member",
        now=now,
    )
    letter.token_hash = digest("no-secret")
    letter.save(update_fields=["token_hash"])
    project, centre = make_project(institute), make_cost_centre(institute)
    make_organization_details(institute)
    book_for(institute, cast.member, listing, start=now + 12 * DAY, asked=now)
    sent = make_request(cast.buyer, now=now).documents.get()
    make_draft(cast.member, now=now, papers=False)
    other = add_documents(user=cast.member, kind="other", uploads=[upload("other.png", png())], now=now).documents
    notify(user=cast.buyer, key="told", title="Told", now=now)
    hears = WebhookEndpoint.objects.create(
        user=cast.buyer, name="CI", url="https://93.184.215.14/in", events=["booking.access"], sealed_secret=seal("x")
    )
    delivery = hears.deliveries.create(key="sent", event="test", title="Test", body="{}", status="delivered")
    budget = Budget.objects.create(
        organization=institute, amount=1000, currency="EUR", created_by=cast.organization_administrator
    )
    institute.approval_above = 0
    institute.save(update_fields=["approval_above"])
    waiting = book(listing, colleague, now, start=now + 20 * DAY, reason="A deadline.").approval
    passkey = Authenticator.objects.create(user=make_user("keyed@example.com"), type="webauthn", data={"name": "Key"})
    token, _secret = make_token(user=cast.buyer, name="backup", scopes=[Scope.BILLING_READ], days=30, now=now)
    shared_key = add_shared_key(organization=institute, by=cast.organization_administrator, text=KEY, now=now)
    arguments = {
        "organization_budget_end": [institute.pk, budget.pk],
        "organization_approval": [institute.pk, waiting.pk],
        **{f"notification_{what}": [cast.buyer.notifications.get(key="told").pk] for what in ("read", "keep")},
        "unsubscribe": [unsubscribing.link(cast.buyer, "booking.changed").split("/")[-2]],
        **{f"webhook_{page}": [hears.pk] for page in ("detail", "edit", "test", "enable", "new_secret", "remove")},
        "webhook_redeliver": [hears.pk, delivery.pk],
        "verification_document": [sent.pk],
        "verification_document_remove": [other[0].pk],
        "verification_file": [link_token(sent, viewer=cast.buyer)],
        "invitation": ["no-secret"],
        "invitation_accept": [letter.pk],
        **{f"invitation_{what}": [institute.pk, letter.pk] for what in ("resend", "revoke")},
        **{f"member_{what}": [institute.pk, colleague.pk] for what in ("role", "remove")},
        **{f"{what}_create": [institute.pk] for what in ("project", "cost_centre")},
        **{f"project_{what}": [institute.pk, project.pk] for what in ("edit", "archive", "restore")},
        **{f"cost_centre_{what}": [institute.pk, centre.pk] for what in ("archive", "restore")},
        "maintenance_cancel": [machine.pk, upkeep.pk],
        "ssh_key_delete": [key.pk],
        "organization_key_delete": [institute.pk, shared_key.pk],
        **{f"token_{page}": [token.pk] for page in ("detail", "revoke")},
        "feed_bookings": [renew_feed(user=cast.buyer, now=now)[1]],
        "feed_machines": [renew_feed(user=cast.provider, now=now)[1]],
        "export_file": [DataExport.objects.create(user=cast.buyer, file="exports/x.zip").pk],
        "session_end": [UserSession.objects.create(user=cast.buyer, ip="127.0.0.1", session_key="x").pk],
        **{f"mfa_{what}_webauthn": [passkey.pk] for what in ("edit", "remove")},
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
        **{f"organization_statement_{page}": [institute.pk, now.date()] for page in ("detail", "pdf", "csv")},
        "booking_pay": [held.pk],
        "charge_pay": [staged.pk, staged.charges.get(number=2).pk],
        "charge_pay_card": [staged.pk, staged.charges.get(number=1).pk],
        "charge_pay_authenticated": [staged.pk, staged.charges.get(number=2).pk],
        "charge_pay_abandon": [staged.pk, staged.charges.get(number=2).pk],
        "card_default": [card.pk],
        "card_remove": [card.pk],
        **{f"payment_{page}": [paid.payments.get().pk] for page in ("detail", "history")},
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
        elif name.startswith("organization_"):
            found[name] = reverse(name, args=[institute.pk])
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
    for route, word in (("account_login", "login"), ("admin:login", "admin"), ("account_reauthenticate", "again")):
        if to.path == reverse(route) and "next" in parse_qs(to.query):
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
        "ledgeraccount", "ledgertransaction", "webhookevent", "outgoingmail", "benchmark", "apitoken", "apitokenuse",
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
