"""Other engines beside us: the same configuration and the same commands, given to both."""
