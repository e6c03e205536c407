"""How the user service runs: `python -m users_site.server`, which is `gunicorn -c python:users_site.server`."""

from common.server.gunicorn import gunicorn_settings, run

if __name__ == "__main__":
    run("users_site")
globals().update(gunicorn_settings("users_site"))
