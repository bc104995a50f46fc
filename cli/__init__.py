"""The `taskreel` command: the local stack, and the reconnecting client behind submit, tail and replay."""
