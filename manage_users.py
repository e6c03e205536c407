#!/usr/bin/env python3
"""The user service's management commands. Outside a virtual environment they run in .venv."""

import os
import signal
import sys
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parent / ".venv/bin/python"

if __name__ == "__main__":
    if sys.prefix == sys.base_prefix and VENV_PYTHON.exists():
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])  # noqa: S606

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports; then main() has a handler
    from common.cli.manage import main

    main("users_site.settings", REDIS_URL="redis://127.0.0.1:1")
