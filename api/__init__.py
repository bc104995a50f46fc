"""A pod: HTTP in front of the log. Stateless; never imports a graph."""
