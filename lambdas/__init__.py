"""One thin handler per verb: an event in, one call of the domain, a small reply out."""
