"""The demo: three servers on one machine with real checks, and a drill that kills one and judges."""
