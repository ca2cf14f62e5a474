"""Constructs build, one module per capability."""
