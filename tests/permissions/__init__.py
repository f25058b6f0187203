"""The walk: who may do what, of everything that can be asked for, in tables that are read like pages.

==========================  ==========================================================================================
``addresses.txt``           every address of the site × twelve people
``acting.txt``              the same addresses × whom an administrator acts as
``admin_pages.txt``         the pages of every model in the administration
``admin_actions.txt``       everything that can be done with rows there
``tasks.txt``               everything that the worker can be asked for
``foreign_ids.txt``         ids of other people's things: in addresses, forms, queries, fragments, downloads, feeds
==========================  ==========================================================================================

What is registered and not in its table fails. ``world.py`` makes the twelve and what is theirs, once for all of these
tests; ``asking.py`` asks, and undoes whatever was changed by it.
"""
