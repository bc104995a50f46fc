"""Fan-out: one pod on one core, and what it costs to bring events to thousands of clients."""
