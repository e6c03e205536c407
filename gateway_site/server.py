"""How the gateway runs: `python -m gunicorn -c python:gateway_site.server`."""

from common.server.gunicorn import gunicorn_settings

globals().update(gunicorn_settings("gateway_site"))
