"""What travels between daemons, and its encoding."""
