"""Tests of tracing: what a collector gets."""
