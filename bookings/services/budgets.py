"""Budgets of organizations: what is used of them, whether something still fits, and who is told (rules: Who).

Making and ending them is an administrator's; a booking asks with the organization's row locked.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, DecimalField, Expression, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Membership, Notification, Organization, Project, User
from accounts.outbox import written_for
from accounts.permissions import OrganizationAction, require_in
from accounts.services.telling import tell
from bookings.errors import BookingError
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, Budget, BudgetPeriod, BudgetWarning, Charge, ChargeKind, ChargeStatus
from common.errors import violates
from common.formats import money
from common.money import Currency, rounded

log = logging.getLogger(__name__)

#: Percent of a budget at which people are told (rules: Who).
STEPS = (50, 75, 90)
AMOUNT = DecimalField(max_digits=14, decimal_places=2)
NOTHING = Value(Decimal(0), output_field=AMOUNT)


class OverBudget(BookingError):
    """It costs more than a budget leaves, or there is no budget that it could count against."""


@dataclass(frozen=True)
class Use:
    """How much of a budget is used in the period that ``since`` began; ``None``: of one that is for once."""

    budget: Budget
    since: datetime | None
    used: Decimal

    @property
    def whose(self) -> str:
        return whose(self.budget)

    @property
    def left(self) -> Decimal:
        return max(self.budget.amount - self.used, Decimal(0))

    @property
    def percent(self) -> int:
        """Whole percent that are used, rounded down; of a budget of nothing, all."""
        return int(self.used * 100 / self.budget.amount) if self.budget.amount else 100

    @property
    def share(self) -> Decimal:
        return min(self.used / self.budget.amount, Decimal(1)) if self.budget.amount else Decimal(1)

    @property
    def tone(self) -> str:
        return "bad" if self.percent >= 100 else "warn" if self.percent >= STEPS[-1] else ""


def held(*, now: datetime) -> Q:
    """Which extensions are held and not paid yet. One that has lapsed is free again, as a hold is."""
    return Q(kind=ChargeKind.EXTENSION, status=ChargeStatus.OPEN, expires_at__gt=now)


def total_of(charges: Q, *, booking: str = "pk") -> Coalesce:
    """What these charges of a booking come to, as an expression. ``booking``: how the outer query names it."""
    sums = Charge.objects.filter(charges, booking=OuterRef(booking)).order_by().values("booking")
    return Coalesce(Subquery(sums.annotate(total=Sum("amount")).values("total")), NOTHING, output_field=AMOUNT)


def committed(*, now: datetime, start: datetime | None = None, end: datetime | None = None) -> Case:
    """What a booking costs its organization, as an expression: with what is held and not paid yet, less what came back.

    Args:
        start, end: only what was asked for from ``start`` until before ``end``: each extension counts when it was asked
            for, the rest when the booking was. What came back was for the newest first.
    """
    asked = held(now=now)
    if start is not None:
        asked &= Q(created_at__gte=start)
    if end is not None:
        asked &= Q(created_at__lt=end)
    cost = _before(end) + total_of(asked)
    if start is not None:
        cost -= _before(start)
    return Case(When(status=BookingStatus.CANCELED, paid_at=None, then=NOTHING), default=cost, output_field=AMOUNT)


def _before(moment: datetime | None) -> Expression:
    """What a booking costs without the extensions that were asked for from ``moment`` on, and are paid."""
    if moment is None:
        return F("price_total") - F("given_back")
    later = total_of(Q(kind=ChargeKind.EXTENSION, status=ChargeStatus.PAID, created_at__gte=moment))
    back = Greatest(F("given_back") - later, NOTHING, output_field=AMOUNT)
    return Case(When(created_at__lt=moment, then=F("price_total") - later - back), default=NOTHING, output_field=AMOUNT)


def used_of(budgets: Sequence[Budget], *, now: datetime, at: datetime | None = None) -> list[Use]:
    """What is used of each of an organization's budgets. One query, however many there are.

    Args:
        at: a moment of the period that is looked at; ``None``: the present one.
    """
    if not budgets:
        return []
    # A hold that has lapsed is free again, whether or not the sweep has been there.
    lapsed = Q(status=BookingStatus.PENDING, paid_at=None, hold_expires_at__lte=now)
    periods = [_period(budget, at=at or now, now=now) for budget in budgets]
    costs = {period: f"cost_{number}" for number, period in enumerate(dict.fromkeys(periods))}
    organization = budgets[0].organization_id
    bookings = Booking.objects.filter(~lapsed, organization=organization).annotate(
        **{name: _of_period(organization, start, end, now=now) for (start, end), name in costs.items()}
    )
    numbered = list(enumerate(zip(budgets, periods, strict=True)))
    sums = bookings.aggregate(
        **{f"of_{number}": Sum(costs[period], filter=_counts(budget)) for number, (budget, period) in numbered}
    )
    return [Use(budget, start, sums[f"of_{number}"] or Decimal(0)) for number, (budget, (start, _end)) in numbered]


def _of_period(organization: UUID, start: datetime | None, end: datetime | None, *, now: datetime) -> Case:
    """As :func:`committed`, which adds up the charges of each booking, for those alone of which anything is in it."""
    cost = committed(now=now, start=start, end=end)
    if start is None:
        return cost
    extensions = Charge.objects.filter(kind=ChargeKind.EXTENSION, created_at__gte=start)
    is_in_it = Q(created_at__gte=start) | Q(
        pk__in=extensions.filter(booking__organization=organization).values("booking")
    )
    return Case(When(is_in_it, then=cost), default=NOTHING, output_field=AMOUNT)


def _period(budget: Budget, *, at: datetime, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when until when what was asked for counts together with what was asked for ``at`` that moment."""
    start, present = budget.since(now=at), budget.since(now=now)
    return start, None if start == present else present


def _counts(budget: Budget) -> Q:
    """Which bookings of its organization count against it."""
    counts = Q(currency=budget.currency)
    if budget.project_id:
        counts &= Q(project=budget.project_id)
    if budget.member_id:
        counts &= Q(buyer=budget.member_id)
    return counts


def check_budgets(
    *,
    organization: Organization,
    project: Project | None,
    member: User,
    amount: Decimal,
    currency: str,
    now: datetime,
    at: datetime | None = None,
    is_counted: bool = False,
) -> list[Use]:
    """Whether ``amount`` more fits into every budget that it counts against. With the organization's row locked.

    Args:
        at: when it was asked for, which says in which period it counts; ``None``: now.
        is_counted: ``amount`` is a part of what is used already.

    Returns:
        those budgets, as they are before it.

    Raises:
        OverBudget: it does not fit, or there are such budgets in other currencies alone, or the policy wants the member
            to have one.
    """
    concerned = list(
        Budget.objects.that_concern(organization=organization, project=project, member=member).select_related("project")
    )
    ours = [budget for budget in concerned if budget.currency == currency]
    for kind, kind_of in (("project", _("your project")), ("member", _("you")), ("", organization.name)):
        there = [budget for budget in concerned if _kind(budget) == kind]
        if there and not any(_kind(budget) == kind for budget in ours):
            currencies = ", ".join(sorted(budget.currency for budget in there))
            raise OverBudget(
                _("There is a budget for %(whom)s in %(currencies)s, and none in %(currency)s.")
                % {"whom": kind_of, "currencies": currencies, "currency": currency}
            )
    if organization.needs_member_budget and not any(budget.member_id for budget in ours):
        raise OverBudget(
            _("You have no budget in %(currency)s yet. An administrator of %(name)s can give you one.")
            % {"currency": currency, "name": organization.name}
        )
    uses = used_of(ours, now=now, at=at)
    if is_counted:
        uses = [replace(use, used=use.used - amount) for use in uses]
    for use in uses:
        if use.used + amount > use.budget.amount:
            raise OverBudget(
                _("This costs %(amount)s. Of the budget of %(whose)s, %(all)s %(period)s, %(left)s is left.")
                % {
                    "amount": money(amount, currency),
                    "whose": whose(use.budget),
                    "all": money(use.budget.amount, currency),
                    "period": use.budget.get_period_display(),
                    "left": money(use.left, currency),
                }
            )
    return uses


def _kind(budget: Budget) -> str:
    return "project" if budget.project_id else "member" if budget.member_id else ""


def whose(budget: Budget) -> str:
    """Of whom or of what it is, as pages and mails say it."""
    if budget.project is not None:
        return _("the project %(name)s") % {"name": budget.project.name}
    if budget.member is not None:
        return budget.member.known_as
    return budget.organization.name


def warn_of_budgets(uses: Sequence[Use], *, extra: Decimal, now: datetime) -> None:
    """Tell of every step that ``extra`` passes, once a period: administrators, and the member whose budget it is."""
    for use in uses:
        after = Use(use.budget, use.since, use.used + extra)
        reached = [step for step in STEPS if after.percent >= step]
        if not reached or use.budget.amount == 0:
            continue
        since = use.since or use.budget.created_at
        rows = [BudgetWarning(budget=use.budget, since=since, step=step, at=now) for step in reached]
        told = set(BudgetWarning.objects.filter(budget=use.budget, since=since).values_list("step", flat=True))
        BudgetWarning.objects.bulk_create(rows, ignore_conflicts=True)
        if reached[-1] not in told:
            _warn(after, reached[-1], now=now)


def _warn(use: Use, step: int, *, now: datetime) -> None:
    budget = use.budget
    members = Membership.objects.administrators().filter(organization=budget.organization_id).select_related("user")
    people = {membership.user for membership in members} | ({budget.member} if budget.member else set())
    for user in sorted(people, key=lambda person: str(person.pk)):
        with written_for(user):
            subject = _("%(step)s %% of the budget of %(whose)s is used") % {"step": step, "whose": whose(budget)}
            said = _(
                "%(used)s of %(all)s %(period)s, in %(name)s. %(left)s is left. At 100 %% bookings are refused."
            ) % {
                "used": money(use.used, budget.currency),
                "all": money(budget.amount, budget.currency),
                "period": budget.get_period_display(),
                "name": budget.organization.name,
                "left": money(use.left, budget.currency),
            }
            since = use.since or budget.created_at
            key = f"budget-{step}:{budget.pk}:{since:%Y-%m-%d}"
            link = f"/organizations/{budget.organization_id}/budgets/"
            tell(
                user=user,
                event=EventKind.BUDGET,
                key=key,
                subject=subject,
                paragraphs=[said],
                action=(_("Open the budgets"), link),
                tone=Notification.Tone.WARN,
                organization=budget.organization,
                about={"budget": str(budget.pk), "percent": str(step)},
                now=now,
            )


# Making and ending them -----------------------------------------------------------------------------------


@transaction.atomic
def set_budget(
    *,
    organization: Organization,
    by: User,
    amount: Decimal,
    currency: str,
    period: str,
    now: datetime,
    project: Project | None = None,
    member: User | None = None,
) -> Budget:
    """A budget from now on, in place of the one of the same kind and currency, if there is one.

    Raises:
        NotAllowed: ``by`` is no administrator of it.
        BookingError: the amount, the project or the member will not do; with the field.
    """
    require_in(by, organization, OrganizationAction.EDIT_POLICY)
    if amount < 0 or amount != rounded(amount, currency):
        raise BookingError(_("Give an amount in whole minor units, zero or more."), field="amount")
    if project is not None and (project.organization_id != organization.pk or project.is_archived):
        raise BookingError(_("This project is not open any more. Choose another."), field="project")
    if member is not None and not Membership.objects.current().filter(organization=organization, user=member).exists():
        raise BookingError(_("This person does not belong to the organization."), field="member")
    try:
        with transaction.atomic():
            same = Budget.objects.current().of(organization).filter(project=project, member=member, currency=currency)
            same.update(ended_at=now)
            return Budget.objects.create(
                organization=organization,
                project=project,
                member=member,
                amount=amount,
                currency=Currency(currency),
                period=BudgetPeriod(period),
                created_at=now,
                created_by=by,
            )
    except IntegrityError as error:
        if not violates(error, "budgets_one_of_each_a_currency"):
            raise
        raise BookingError(_("Somebody has just changed this budget. Look at it again.")) from error


@transaction.atomic
def end_budget(*, budget: Budget, by: User, now: datetime) -> None:
    """It limits nothing any more. Twice is quiet.

    Raises:
        NotAllowed: ``by`` is no administrator of the organization.
    """
    require_in(by, budget.organization, OrganizationAction.EDIT_POLICY)
    Budget.objects.filter(pk=budget.pk, ended_at=None).update(ended_at=now)


def uses_of(organization: Organization, *, now: datetime) -> list[Use]:
    """Every budget with what is used of it: the organization's, then projects', then members'."""
    budgets = list(Budget.objects.current().of(organization).select_related("organization", "project", "member"))
    return sorted(
        used_of(budgets, now=now),
        key=lambda use: (_kind(use.budget) != "", _kind(use.budget) == "member", whose(use.budget)),
    )
