"""What results, times and commands mean: pure functions over frozen snapshots."""
