"""What the adapters of RDS and Aurora share."""
