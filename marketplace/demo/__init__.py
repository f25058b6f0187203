"""The demonstration: a marketplace full of people, machines and bookings, to try things with. Never in production.

Machines, prices and verdicts are real (``data/README.md``); people and bookings are not. The bookings are made
and lived through by the very services that pages call, at times in the past, and paid at the payment processor,
so that nothing in the demonstration is in a state that the marketplace itself could not reach.

:mod:`people` and :mod:`inventory` write the static part in one transaction; :mod:`plan` thinks up bookings,
purely; :mod:`life` lives through them; :mod:`progress` remembers how far a load has come.
"""
