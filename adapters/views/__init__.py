"""What the adapters read: AWS replies as models, the typed view of each technology, and the one look that fills it."""
