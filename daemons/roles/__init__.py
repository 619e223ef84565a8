"""The deterministic state machines: messages in, calls out; no I/O and no clock."""
