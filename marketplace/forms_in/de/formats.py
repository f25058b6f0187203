"""German where a browser reads it."""

from django.conf.locale.de import formats as german

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ""
DATE_INPUT_FORMATS = ["%Y-%m-%d", *german.DATE_INPUT_FORMATS]
DATETIME_INPUT_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", *german.DATETIME_INPUT_FORMATS]
