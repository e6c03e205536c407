"""How the user service runs: `python -m gunicorn -c python:users_site.server`."""

from common.server.gunicorn import gunicorn_settings

globals().update(gunicorn_settings("users_site"))
