"""The domain of the disaster-recovery orchestrator: request, plan, engine, gates, ledger, report."""
