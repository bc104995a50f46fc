"""Measurements of the whole system on loopback: `python -m bench`. docs/performance.md explains them."""
