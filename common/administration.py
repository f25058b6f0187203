"""What the pages of the administration share: links between rows, rows that nobody edits, decisions with a reason.

State is never typed: it changes through actions, which call the same services as the rest of the marketplace.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from common.errors import MarketplaceError
from common.history.facts import because
from common.history.pages import page_of
from common.history.reading import History, Scope, scope_of, scopes_around
from common.history.tracking import kind_of

NOTHING = "–"
MOST_ROWS = 200


def link_to(row: Model | None, words: str = "") -> SafeString | str:
    """A link to a row's page, or a dash."""
    if row is None:
        return NOTHING
    words = words or str(row)
    try:
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return words
    return format_html('<a href="{}">{}</a>', url, words)


def links_to(rows: Any) -> SafeString | str:
    """Links to several rows, one a line."""
    return format_html_join(SafeString("<br>"), "{}", ((link_to(row),) for row in rows)) or NOTHING


def linked(path: str, words: str | None = None) -> Any:
    """A column that links to the row at ``path`` (as in ``"machine__provider"``)."""
    steps = path.split("__")

    @admin.display(description=words or steps[-1].replace("_", " "), ordering=path)
    def column(row: Any) -> SafeString | str:
        for step in steps:
            row = getattr(row, step, None)
        return link_to(row)

    return staticmethod(column)


class SaveChanged:
    """Writes only what was changed on the page: a blind save loses somebody else's write."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        fields = [name for name in form.changed_data if name in columns]
        if fields:
            obj.save(update_fields=[*fields, *({"updated_at"} & columns)])


class LookOnly:
    """Rows that are looked at and never edited. ``operate`` is the permission of actions that call services."""

    opts: Any
    fields: ClassVar[Any]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()


class ActsOnRows(admin.ModelAdmin):  # type: ignore[type-arg]
    """Actions on rows that a browser can have chosen: an id that is none is said so, and is no failure."""

    object_history_template = "admin/changes.html"

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Every change of the row, beside what was done with it here."""
        row = self.get_object(request, object_id)
        if row is None or kind_of(self.model) is None:
            return super().history_view(request, object_id, extra_context)
        history = History([scope_of(row), *self.history_around(row)], request.user)
        changes = page_of(history, request.GET.get("changes"))
        return super().history_view(request, object_id, (extra_context or {}) | {"changes": changes})

    def history_around(self, row: Any) -> list[Scope]:
        """What else its history shows: of what is a part of it."""
        return scopes_around(row, self.opts.model_name or "")

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(chosen)
        except ValidationError:
            self.message_user(request, "Nothing was done: one of the chosen rows does not exist.", messages.ERROR)
            return None
        return super().response_action(request, *args, **kwargs)


class EditedAdmin(SaveChanged, ActsOnRows):
    """Rows that administrators may correct."""


class ShownAdmin(LookOnly, ActsOnRows):
    """Rows that administrators look at."""


class ShownInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    """The rows that hang on another, with links to their own pages."""

    extra = 0
    show_change_link = True


class MadeHere(ShownAdmin):
    """Rows that a service makes of a form, on the page where others are added. The address may fill it in."""

    enter_title: str
    enter_button: str
    enter_form: type[forms.Form]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}")

    def make(self, request: HttpRequest, cleaned: dict[str, Any]) -> Any:
        """
        Raises:
            MarketplaceError: it cannot be made like this.
        """
        raise NotImplementedError

    def listed(self, request: HttpRequest) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """What the form is about: headings, and rows."""
        return (), ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.enter_form(request.POST or None, initial=request.GET.dict())
        if form.is_bound and form.is_valid():
            try:
                made = self.make(request, form.cleaned_data)
            except MarketplaceError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
            else:
                self.log_addition(request, made, [{"added": {}}])
                self.message_user(request, f"{made} is made.", messages.SUCCESS)
                opts = made._meta
                return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", made.pk)
        labels, rows = self.listed(request)
        context = {
            **self.admin_site.each_context(request),
            "title": self.enter_title,
            "button": self.enter_button,
            "opts": self.opts,
            "form": form,
            "labels": labels,
            "rows": rows,
        }
        return TemplateResponse(request, "admin/enter.html", context)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 4, "cols": 80}))


def decide(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    title: str,
    done: str,
    columns: Sequence[str],
    needs_reason: bool,
    service: Callable[[Any, str, Any], object],
) -> HttpResponse | None:
    """Ask for a reason on a page of its own, then let ``service(row, reason, by)`` decide each of the selected rows.

    Args:
        done: what has happened to each, as in "approved".
        columns: names from the changelist that the page shows of each row.
    """
    chosen = list(queryset[:MOST_ROWS])
    form = ReasonForm(request.POST if "decided" in request.POST else None)
    form.fields["reason"].required = needs_reason
    form.fields["reason"].help_text = "It is kept, and those whom it concerns read it." + (
        "" if needs_reason else " May stay empty."
    )
    if form.is_bound and form.is_valid():
        reason = form.cleaned_data["reason"]
        with because(reason):
            for_each(modeladmin, request, chosen, lambda row: service(row, reason, request.user), done=done)
        return None
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": title,
        "opts": modeladmin.opts,
        "form": form,
        "labels": [label_of(modeladmin, name) for name in columns],
        "rows": [(link_to(row), [value_of(modeladmin, name, row) for name in columns]) for row in chosen],
        "chosen": [row.pk for row in chosen],
        "action": request.POST.get("action", ""),
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/decide.html", context)


def for_each(
    modeladmin: Any, request: HttpRequest, rows: Sequence[Any], service: Callable[[Any], object], *, done: str
) -> None:
    """Let ``service`` work on each row, log it, and say how it went: how many were done, and why others were not."""
    count = 0
    for row in rows:
        try:
            service(row)
        except MarketplaceError as error:
            modeladmin.message_user(request, f"{row}: {error.message}", messages.ERROR)
        else:
            modeladmin.log_change(request, row, capfirst(done))
            count += 1
    if count:
        modeladmin.message_user(request, f"{count} {done}.", messages.SUCCESS)


def label_of(modeladmin: Any, name: str) -> str:
    column = getattr(modeladmin, name, None)
    if column is not None:
        return str(getattr(column, "short_description", name.replace("_", " ")))
    return str(modeladmin.model._meta.get_field(name).verbose_name)


def value_of(modeladmin: Any, name: str, row: Any) -> Any:
    column = getattr(modeladmin, name, None)
    if column is not None:
        return column(row)
    display = getattr(row, f"get_{name}_display", None)
    return display() if display else getattr(row, name)
