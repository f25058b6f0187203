"""The filters of :mod:`common.formats`. Available in every template without loading."""

from django import template

from common import formats

register = template.Library()

register.filter("money", formats.money)  # {{ amount|money:currency }}
register.filter("number", formats.number)  # {{ value|number }}, {{ value|number:"MB/s" }}
register.filter("gb", formats.gb)
register.filter("tb", formats.tb)
register.filter("size", formats.size)
register.filter("tflops", formats.tflops)
register.filter("mbps", formats.mbps)
register.filter("gbps", formats.gbps)
register.filter("percent", formats.percent)
register.filter("hours", formats.hours)
register.filter("duration", formats.duration)  # {{ delta|duration }}, {{ delta|duration:1 }}
register.filter("window", formats.window)  # {{ start|window:end }}
register.filter("window_both", formats.window_both)
register.filter("lowered", formats.lowered)


# The moment "now" is a keyword of the functions and none of a template's business.


@register.filter
def day(value):  # type: ignore[no-untyped-def]
    return formats.day(value)


@register.filter
def month(value):  # type: ignore[no-untyped-def]
    return formats.month(value)


@register.filter
def clock(value):  # type: ignore[no-untyped-def]
    return formats.clock(value)


@register.filter
def when(value):  # type: ignore[no-untyped-def]
    return formats.when(value)


@register.filter
def when_both(value):  # type: ignore[no-untyped-def]
    return formats.when_both(value)


@register.filter
def ago(value):  # type: ignore[no-untyped-def]
    return formats.ago(value)
