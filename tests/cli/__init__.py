"""Tests of what an operator types."""
