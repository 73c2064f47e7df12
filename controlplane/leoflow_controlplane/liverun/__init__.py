"""The pure core of the scheduler: what happens next in one run. No clock, no I/O, no SQL."""
