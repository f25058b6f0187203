"""Fields of forms as template tags. Available in every template without loading."""

from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from common.drawing import draw

register = template.Library()


@register.simple_tag
def field(bound: BoundField, label: str = "", help: str = "", hide_label: bool = False, **attrs: Any) -> SafeString:
    """One field: label, control, help, errors, tied together for screen readers.

    Further arguments become attributes of the control: ``{% field form.start step="900" placeholder="any" %}``;
    an underscore in their names stands for a hyphen.
    """
    widget = bound.field.widget
    if help:
        bound.help_text = help
    input_type = getattr(widget, "input_type", "")
    control = bound.as_widget(attrs={key.replace("_", "-"): value for key, value in attrs.items()})
    return draw(
        "field",
        field=bound,
        label=label or bound.label,
        hide_label=hide_label,
        control=control,
        is_group=bound.use_fieldset,
        is_tick=input_type == "checkbox" and not bound.use_fieldset,
    )


@register.simple_tag
def fields(form: BaseForm, **attrs: Any) -> SafeString:
    """All of a form: what is wrong with it as a whole, its hidden fields, its fields. ``attrs`` go to each control."""
    parts = [form_errors(form), *form.hidden_fields(), *(field(bound, **attrs) for bound in form.visible_fields())]
    return format_html_join("\n", "{}", ((part,) for part in parts))


@register.simple_tag
def form_errors(form: BaseForm) -> SafeString:
    """What keeps a form from being accepted, said first and announced; links lead to the fields."""
    wrong = [bound for bound in form if bound.errors]
    if not form.is_bound or not form.errors:
        return SafeString("")
    hidden = [error for bound in form.hidden_fields() for error in bound.errors]
    return draw(
        "form_errors",
        general=[*form.non_field_errors(), *hidden],
        wrong=[bound for bound in wrong if not bound.is_hidden],
    )
