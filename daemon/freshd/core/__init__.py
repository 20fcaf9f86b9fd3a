"""The deterministic core: decides what is fresh, what to launch and whom to tell. No I/O, no clock."""
