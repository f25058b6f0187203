"""The complete record: every change of state of every row that matters, with who, when, from, to and why.

Triggers of the database write it (django-pghistory), so nothing that writes can go around it, not even ``update()`` and
the database's own console. :mod:`~common.history.tracking` says what is kept, :mod:`~common.history.facts` who did it and
why, :mod:`~common.history.reading` makes changes that people can read, :mod:`~common.history.export` files of them.
"""
