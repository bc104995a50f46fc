"""Tests of what pods and workers tell of themselves."""
