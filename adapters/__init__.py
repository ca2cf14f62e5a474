"""One module per technology, each on the contract of `orchestrator.contract`; `registry` finds them by key."""
