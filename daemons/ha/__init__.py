"""Who may act: leases, votes, health, dispatch. Pure."""
