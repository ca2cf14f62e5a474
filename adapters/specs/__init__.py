"""The declarations of the adapters: strategies, permissions, statuses, times. Data, no code."""
