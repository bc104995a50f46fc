"""A worker: runs LangGraph graphs and appends what they do to the log."""
