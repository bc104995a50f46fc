"""HTTP/1.1 between socket and application: what gets in, how large, for how long, and how it is served."""
