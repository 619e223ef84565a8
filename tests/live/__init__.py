"""Tests that start real daemons on loopback networks of their own and kill them."""
