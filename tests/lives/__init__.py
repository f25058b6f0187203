"""Random lives of bookings, with faults on the way: see :mod:`tests.lives.test_random_lives`."""
