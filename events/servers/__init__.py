"""The servers behind one URL: a single one, a primary that sentinels name, or the nodes of a Cluster."""
