"""Chaos: real processes killed, paused, blocked and cut off, and what their tasks' logs tell afterwards."""
