"""A small Stripe for the tests, whose requests and answers are checked against the types of the ``stripe`` package.

    def test_x(processor):                                  # the application talks to it (fixtures.py)
        processor.fill_card_form(form, cards.GOOD)          # what happens on Stripe's side: happenings.py
        processor.fault = lambda asked, answer: said(500)   # a bad line: client.py
        body, signature = processor.events[-1].signed(secret)

It was written from Stripe's documentation and the package's types; it has never been compared with the real service.
Where those say nothing, this is what it does:

- A failed refund is taken off the charge's ``amount_refunded`` again, so that it can be made anew.
- A dispute takes 20.00 as a fee, which is not given back when it is won. A won dispute's charge can be refunded.
- Refunds and disputes may take the balance below zero; transfers and payouts may not.
- A charge's balance transaction is there at once, and its money too unless ``Rules.funds_after`` says otherwise.
- An invoice that an off-session card cannot pay without its buyer leaves its PaymentIntent in *requires_action*.
- A renewal's invoice is finalized and collected at once, not an hour later.
- What is open when a subscription ends stays open, and is not collected any more.
- The order of the events that one request brings. (Stripe promises none.)

It does not know: automatic payouts, capturing later, coupons, taxes, trials, changes of a subscription's interval.
What is asked for beyond what it knows, it refuses, and the test fails.
"""
