"""What runs in worker processes: plain Python, not rules. A process runs one attempt at a time for one TaskTracker."""
