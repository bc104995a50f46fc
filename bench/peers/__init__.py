"""What Taskreel is held against: the usual way in Python, and nginx with nchan, the fastest in C."""
