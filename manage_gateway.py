#!/usr/bin/env python
"""The gateway's management commands."""

from common.cli.manage import main

if __name__ == "__main__":
    main("gateway_site.settings", USER_SERVICE_URL="http://127.0.0.1:1")
