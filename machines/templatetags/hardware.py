"""What differs of a machine's hardware, as templates say it: ``{% load hardware %}``."""

from django import template

from machines.hardware_words import said

register = template.Library()

register.filter("hardware", said)
