"""The log: event model, append, claim, tail, and the records beside it. Knows Redis and nothing of ours."""
