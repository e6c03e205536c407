"""One file per drill."""
