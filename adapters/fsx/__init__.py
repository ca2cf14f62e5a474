"""The adapter of one technology: adapter (the contract), spec (data), view and models (what is read), drill, and its parts."""
