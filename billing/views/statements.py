"""Monthly statements of a person and of an organization: which there are, one as a page, as a PDF and as a table."""

from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from accounts.bearer import organization_in_address, token_or_login
from accounts.loading import organization_of
from accounts.models import Organization, Scope
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from billing.documents.facts import StatementDocument
from billing.documents.pdf import statement_pdf as made_pdf
from billing.services import statements
from billing.services.statements import Account
from common.spreadsheets import csv_lines


def statement_of(account: Account, month: date) -> StatementDocument:
    """
    Raises:
        Http404: the account had no documents in that month.
    """
    statement = statements.statement_of(account, month)
    if statement is None:
        raise Http404(gettext("There were no invoices in this month."))
    return statement


@login_required
@require_GET
def statement_list(request: AuthenticatedRequest) -> HttpResponse:
    """A month a row."""
    return render(request, "billing/statement_list.html", {"months": statements.months_of(request.user)})


@login_required
@require_GET
def statement_detail(request: AuthenticatedRequest, month: date) -> HttpResponse:
    """The month, a table for each currency."""
    return render(request, "billing/statement_detail.html", _shown(request.user, month))


@token_or_login(Scope.BILLING_READ)
@require_GET
def statement_pdf(request: AuthenticatedRequest, month: date) -> HttpResponseBase:
    return _pdf(request.user, month)


@token_or_login(Scope.BILLING_READ)
@require_GET
def statement_csv(request: AuthenticatedRequest, month: date) -> HttpResponseBase:
    """A row for each document. No spreadsheet takes a text in it for a formula."""
    return _csv(request.user, month)


# Of an organization ----------------------------------------------------------------------------------------


def _organization(request: AuthenticatedRequest, pk: UUID) -> tuple[Organization, frozenset[str]]:
    return organization_of(request, pk, OrganizationAction.SEE_INVOICES)


@login_required
@require_GET
def organization_statements(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """As :func:`statement_list`."""
    organization, powers = _organization(request, pk)
    context = {"organization": organization, "powers": powers, "months": statements.months_of(organization)}
    return render(request, "billing/statement_list.html", context)


@login_required
@require_GET
def organization_statement_detail(request: AuthenticatedRequest, pk: UUID, month: date) -> HttpResponse:
    """As :func:`statement_detail`."""
    organization, powers = _organization(request, pk)
    context = {"organization": organization, "powers": powers, **_shown(organization, month)}
    return render(request, "billing/statement_detail.html", context)


@token_or_login(Scope.BILLING_READ, whose=organization_in_address)
@require_GET
def organization_statement_pdf(request: AuthenticatedRequest, pk: UUID, month: date) -> HttpResponseBase:
    return _pdf(_organization(request, pk)[0], month)


@token_or_login(Scope.BILLING_READ, whose=organization_in_address)
@require_GET
def organization_statement_csv(request: AuthenticatedRequest, pk: UUID, month: date) -> HttpResponseBase:
    """As :func:`statement_csv`."""
    return _csv(_organization(request, pk)[0], month)


# Of either -------------------------------------------------------------------------------------------------


def _shown(account: Account, month: date) -> dict[str, Any]:
    statement = statement_of(account, month)
    ids = statements.ids_of(account, month)
    return {
        "statement": statement,
        "month": month,
        "is_over": statements.is_over(month, now=timezone.now()),
        "tables": [(total, [(line, ids[line.document]) for line in total.lines]) for total in statement.totals],
    }


def _pdf(account: Account, month: date) -> HttpResponseBase:
    statement = statement_of(account, month)
    return _download(HttpResponse(made_pdf(statement), content_type="application/pdf"), f"{statement.number}.pdf")


def _csv(account: Account, month: date) -> HttpResponseBase:
    statement = statement_of(account, month)
    lines = "".join(csv_lines(statements.COLUMNS, statements.rows_of(statement)))
    return _download(HttpResponse(lines, content_type="text/csv; charset=utf-8"), f"{statement.number}.csv")


def _download(answer: HttpResponseBase, name: str) -> HttpResponseBase:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
