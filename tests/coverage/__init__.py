"""Which branches of each room the tests take, in all processes that they start: `make coverage`."""
