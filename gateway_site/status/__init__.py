"""The status page at `/` with STATUS_PAGE: versions, dependencies, traffic of the last five minutes."""
