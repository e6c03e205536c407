"""Which upstream answers which paths, under which conditions. docs/reference/routes.md has the format."""
