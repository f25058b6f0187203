"""Monthly statements: which there are, one as a page, as a PDF and as a table."""

import csv
from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.requests import AuthenticatedRequest
from billing.documents.facts import StatementDocument
from billing.documents.pdf import statement_pdf as made_pdf
from billing.earnings import plain
from billing.services import statements


def statement_seen_by(user: User, month: date) -> StatementDocument:
    """
    Raises:
        Http404: the person had no documents in that month.
    """
    statement = statements.statement_of(user, month)
    if statement is None:
        raise Http404("You had no invoices in this month.")
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
    statement = statement_seen_by(request.user, month)
    ids = statements.ids_of(request.user, month)
    context = {
        "statement": statement,
        "month": month,
        "is_over": statements.is_over(month, now=timezone.now()),
        "tables": [(total, [(line, ids[line.document]) for line in total.lines]) for total in statement.totals],
    }
    return render(request, "billing/statement_detail.html", context)


@login_required
@require_GET
def statement_pdf(request: AuthenticatedRequest, month: date) -> HttpResponse:
    statement = statement_seen_by(request.user, month)
    return _download(HttpResponse(made_pdf(statement), content_type="application/pdf"), f"{statement.number}.pdf")


@login_required
@require_GET
def statement_csv(request: AuthenticatedRequest, month: date) -> HttpResponse:
    """A row for each document. No spreadsheet takes a text in it for a formula."""
    statement = statement_seen_by(request.user, month)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    writer = csv.writer(answer)
    writer.writerows([plain(str(cell)) for cell in row] for row in statements.rows_of(statement))
    return _download(answer, f"{statement.number}.csv")


def _download(answer: HttpResponse, name: str) -> HttpResponse:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
