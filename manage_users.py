#!/usr/bin/env python
"""The user service's management commands."""

from common.cli.manage import main

if __name__ == "__main__":
    main("users_site.settings", REDIS_URL="redis://127.0.0.1:1")
