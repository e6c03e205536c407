"""The table of routes. docs/reference/routes.md has the format."""
