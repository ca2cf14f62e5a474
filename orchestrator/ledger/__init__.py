"""The memory of the product: runs, stages, actions, gates, locks, inventory snapshots and the audit trail."""
