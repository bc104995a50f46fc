"""The OpenAPI document: what it tells beyond the routes' signatures."""
