"""How the gateway runs: `python -m gateway_site.server`, which is `gunicorn -c python:gateway_site.server`."""

from common.server.gunicorn import gunicorn_settings, run

if __name__ == "__main__":
    run("gateway_site")
globals().update(gunicorn_settings("gateway_site"))
