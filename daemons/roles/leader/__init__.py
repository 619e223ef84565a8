"""The parts of an arbiter that leads: the committed configuration, operators' orders, who votes."""
