"""Seeders: each puts one kind of resource of an estate into the embedded AWS, on both sides."""
