"""Composition and the commands of `shinken` that touch daemons: builds everything below."""
