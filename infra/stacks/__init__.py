"""Stacks compose constructs and hold nothing of their own."""
