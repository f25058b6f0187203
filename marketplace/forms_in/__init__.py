"""How values are written where a browser reads them, by language (Django's ``FORMAT_MODULE_PATH``).

Fields of forms and attributes of elements have one notation in HTML, whatever the language. What people read is written
by :mod:`common.formats`, which does not look here. English needs no module: its own notation is that one.
"""
