from django.urls import path, register_converter

from billing.views import cards, earnings, history, invoices, pay, payments, payout_accounts, plan, statements, webhook
from billing.views.months import MonthConverter

register_converter(MonthConverter, "month")

urlpatterns = [
    path("bookings/<uuid:pk>/pay/", pay.pay, name="booking_pay"),
    path("bookings/<uuid:pk>/pay/card/", pay.begin_card, name="booking_pay_card"),
    path("bookings/<uuid:pk>/pay/authenticated/", pay.authenticated, name="booking_pay_authenticated"),
    path("bookings/<uuid:pk>/pay/abandon/", pay.abandon, name="booking_pay_abandon"),
    path("bookings/<uuid:pk>/charges/<uuid:charge_pk>/pay/", pay.pay, name="charge_pay"),
    path("bookings/<uuid:pk>/charges/<uuid:charge_pk>/pay/abandon/", pay.abandon, name="charge_pay_abandon"),
    path("bookings/<uuid:pk>/charges/<uuid:charge_pk>/pay/card/", pay.begin_card, name="charge_pay_card"),
    path(
        "bookings/<uuid:pk>/charges/<uuid:charge_pk>/pay/authenticated/",
        pay.authenticated,
        name="charge_pay_authenticated",
    ),
    path("billing/payments/", payments.payment_list, name="payment_list"),
    path("billing/payments/<uuid:pk>/", payments.payment_detail, name="payment_detail"),
    path("billing/payments/<uuid:pk>/history/", history.payment_history, name="payment_history"),
    path("billing/invoices/", invoices.invoice_list, name="invoice_list"),
    path("billing/invoices/<uuid:pk>/", invoices.invoice_detail, name="invoice_detail"),
    path("billing/invoices/<uuid:pk>/pdf/", invoices.invoice_pdf, name="invoice_pdf"),
    path("billing/invoices/<uuid:pk>/xml/", invoices.invoice_xml, name="invoice_xml"),
    path("billing/statements/", statements.statement_list, name="statement_list"),
    path("billing/statements/<month:month>/", statements.statement_detail, name="statement_detail"),
    path("billing/statements/<month:month>/pdf/", statements.statement_pdf, name="statement_pdf"),
    path("billing/statements/<month:month>/csv/", statements.statement_csv, name="statement_csv"),
    path("organizations/<uuid:pk>/invoices/", invoices.organization_invoices, name="organization_invoices"),
    path("organizations/<uuid:pk>/statements/", statements.organization_statements, name="organization_statements"),
    path(
        "organizations/<uuid:pk>/statements/<month:month>/",
        statements.organization_statement_detail,
        name="organization_statement_detail",
    ),
    path(
        "organizations/<uuid:pk>/statements/<month:month>/pdf/",
        statements.organization_statement_pdf,
        name="organization_statement_pdf",
    ),
    path(
        "organizations/<uuid:pk>/statements/<month:month>/csv/",
        statements.organization_statement_csv,
        name="organization_statement_csv",
    ),
    path("billing/cards/", cards.card_list, name="card_list"),
    path("billing/cards/begin/", cards.card_begin, name="card_begin"),
    path("billing/cards/<uuid:pk>/default/", cards.card_default, name="card_default"),
    path("billing/cards/<uuid:pk>/remove/", cards.card_remove, name="card_remove"),
    path("billing/plan/", plan.plan, name="plan"),
    path("billing/plan/pay/", plan.plan_pay, name="plan_pay"),
    path("billing/plan/bank/", plan.plan_authenticate, name="plan_authenticate"),
    path("billing/plan/<str:tier>/", plan.plan_change, name="plan_change"),
    path("billing/payout-accounts/", payout_accounts.payout_accounts, name="payout_accounts"),
    path(
        "billing/payout-accounts/<uuid:pk>/remove/",
        payout_accounts.payout_account_remove,
        name="payout_account_remove",
    ),
    path("billing/payout-accounts/stripe/", payout_accounts.payout_stripe_begin, name="payout_stripe_begin"),
    path(
        "billing/payout-accounts/stripe/continue/",
        payout_accounts.payout_stripe_continue,
        name="payout_stripe_continue",
    ),
    path("billing/payout-accounts/stripe/return/", payout_accounts.payout_stripe_return, name="payout_stripe_return"),
    path(
        "billing/payout-accounts/stripe/dashboard/",
        payout_accounts.payout_stripe_dashboard,
        name="payout_stripe_dashboard",
    ),
    path("billing/payouts/<uuid:pk>/", earnings.payout_detail, name="payout_detail"),
    path("machines/earnings/", earnings.earnings, name="earnings"),
    path("machines/earnings.csv", earnings.earnings_csv, name="earnings_csv"),
    path("billing/stripe/webhook/", webhook.stripe_webhook, name="stripe_webhook"),
]
