import users_site.repository  # noqa: F401  # first: the errors of packages.redis_pipe still live there
