"""Paths that the code knows by name, beside its routes. Pure."""

from __future__ import annotations

STREAM_ROUTE = "/tasks/{task_id}/stream"
"""The path of streams, as routes are written."""

METRICS_PATH = "/metrics"
"""What a scraper may ask for, who has a token of its own."""

OPEN_PATHS = frozenset({"/", "/favicon.ico", "/healthz", "/readyz", "/docs", "/openapi.json"})
"""What anybody may ask for: the console's empty page, the document of the API, and whether the pod lives."""

OPEN_FOLDERS = ("/console/", "/docs/")
"""What these begin with is open as well."""
