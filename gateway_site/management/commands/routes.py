"""`routes`: the table of routes, and the route of one request."""

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from urllib.parse import unquote

from django import conf
from django.core.management.base import CommandError

from common.cli.console import Command as BaseCommand
from common.cli.console import table
from gateway_site.routes.matching import Matcher
from gateway_site.routes.table import OPEN, Edits, Route

settings: Any = conf.settings  # mypy's plugin reads only the user service's settings


class Command(BaseCommand):
    help = """\
Prints the routes of ROUTES and USER_SERVICE_URL. If they are malformed, exits 1 with the line and the fix.
--explain prints the route of a request, and exits 1 if there is none.
--http-routes prints HTTPRoutes of the Gateway API, and on stderr what these cannot express."""
    example = """\
manage_gateway.py routes
  manage_gateway.py routes --explain GET /api/users/1
  manage_gateway.py routes --http-routes public/https >http-routes.yaml"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument(
            "--http-routes",
            type=gateway,
            metavar="GATEWAY",
            help="as HTTPRoutes of this Gateway, or of one listener: GATEWAY/LISTENER",
        )
        form.add_argument("--explain", nargs=2, metavar=("METHOD", "PATH"), help="the route of this request")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["explain"]:
            self.stdout.write(_explanation(options["explain"][0].upper(), options["explain"][1]))
            return
        if options["http_routes"]:
            import yaml

            from gateway_site.management.http_routes import http_routes

            objects, unsaid = http_routes(settings.ROUTES, options["http_routes"])
            self.stdout.write(yaml.safe_dump_all(json.loads(json.dumps(objects)), sort_keys=False), ending="")
            for line in unsaid:
                self.say(f"not in the HTTPRoutes: {line}")
            return
        rows = [_row(route, template) for route in settings.ROUTES.routes for template in route.templates]
        self.stdout.write(table(("path", "upstream", "forwarded as", "methods", "read, write", "ms", "retries"), rows))


def gateway(text: str) -> str:
    name = "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
    if not re.fullmatch(f"{name}(/{name})?", text):
        raise ArgumentTypeError("give the name of a Gateway, or GATEWAY/LISTENER")
    return text


def _row(route: Route, template: str) -> tuple[str, ...]:
    upstream = route.upstream
    if route.canary:
        upstream += f", {route.canary.percent:g} % {route.canary.upstream}"
    forwarded = (route.rewrite + template.removeprefix(route.prefix)) or "/"
    scopes = ", ".join(route.scope_for(method) or "none" for method in ("GET", "POST")) if settings.AUTH else "no AUTH"
    return (
        template,
        upstream,
        forwarded,
        " ".join(route.methods) or "all",
        scopes,
        str(route.timeout_ms),
        str(route.retries),
    )


def _explanation(method: str, target: str) -> str:
    path, _, query = target.partition("?")
    route, template = _taken(method, path)
    forwarded = (route.rewrite + path.removeprefix(route.prefix) or "/") + (f"?{query}" if query else "")
    lines = {
        "route": template,
        "upstream": f"{route.upstream} at {settings.ROUTES.upstreams[route.upstream].url}",
        "forwarded as": f"{method} {forwarded}",
        **_terms(route, method),
    }
    return "\n".join(f"{name + ':':20}{value}" for name, value in lines.items() if value)


def _taken(method: str, path: str) -> tuple[Route, str]:
    """The route of this request and its template. Raises CommandError if there is none."""
    matcher = Matcher((route, route) for route in settings.ROUTES.routes)
    found = None if "%2f" in path.lower() else matcher.find(unquote(path))
    route: Any = found.view if found else None
    if found is None or not path.startswith(route.prefix):
        raise CommandError(
            f"no route has {path}: the gateway answers it itself, or with 404; `routes` lists them", returncode=1
        )
    if route.maintenance:
        return route, found.template  # 503, whatever the method
    if method == "CONNECT" or (route.methods and method not in route.allowed):
        has = ", ".join(route.methods) or "all methods but CONNECT"
        raise CommandError(f"{found.template} has {has}: the answer is 405", returncode=1)
    return route, found.template


def _terms(route: Route, method: str) -> dict[str, str]:
    canary, compress, cache = route.canary, route.compress, route.cache
    passed = " and ".join(kind for kind, is_on in (("streams", route.stream), ("WebSockets", route.websocket)) if is_on)
    body = settings.MAX_BODY_BYTES if route.max_body_bytes is None else route.max_body_bytes
    scope = route.scope_for(method)
    own_limit = route.rate_limit.get(route.limit_for(scope or OPEN) or "")
    return {
        "X-Forwarded-Prefix": route.removed or "none",
        "scope": (scope or "none") if settings.AUTH else "none: AUTH is none",
        "time": f"{route.timeout_ms} ms, {route.retries} retries included",
        "body": f"at most {body} bytes",
        "limit": " and ".join(str(rate) for rate in (settings.RATE_LIMIT, own_limit) if rate) or "none",
        "canary": f"{canary.percent:g} % to {canary.upstream}" if canary else "",
        "request headers": _edits(route.request_headers),
        "answer headers": _edits(route.answer_headers),
        "compress": f"{' or '.join(compress.codings)} from {compress.min_bytes} bytes" if compress else "",
        "cache": f"{cache.max_entries} answers, {cache.max_bytes} bytes" if cache else "",
        "passed on": f"{passed}, with at most {route.idle_timeout_ms} ms of silence" if passed else "",
        "maintenance": f"503: {route.maintenance}" if route.maintenance else "",
    }


def _edits(edits: Edits) -> str:
    names = [f"without {name}" for name in sorted(name.decode() for name in edits.dropped)]
    return ", ".join([*names, *(f"{name.decode()}: {value.decode()}" for name, value in edits.added)])
