"""Every path goes to the route that the table says, and to no other: against a model that walks the table."""

import re
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from gateway_site.routes.matching import Matcher
from gateway_site.routes.table import REST, USERS, Route

ROUTES = [
    Route(USERS, "user-service", "/users", ("", "/{id}")),
    Route("/api/orders", "orders", "/orders", ("", "/{id}", "/search", "/{id}/items", "/{id}/items/{item}")),
    Route("/api/order", "order", "", ("", REST)),
    Route("/shop", "shop", "", ("/cart", REST)),
    Route("/mix", "mix", "", (REST, "/{id}/items")),
    Route("/files", "files", "/", (REST,)),
]
MATCHER = Matcher((route, route.upstream) for route in ROUTES)  # a name is the view

PIECES = ["/", "//", "/api", "/users", "/orders", "/order", "/shop", "/mix", "/files", "/items", "/search", "/cart", "/1", "/é",
          "/.", "/..", "/...", "/..;a", "\\", "%2e", "%2E%2e", "%5c", "%00", "\n", ";", "?", "a", "s", " ", "*"]  # fmt: skip


def model(path: str) -> tuple[str, str] | None:
    """The upstream and the template, from the table alone."""
    found = []
    for route in ROUTES:
        for declared, template in zip(route.paths, route.templates, strict=True):
            wanted, given = (route.prefix + declared).split("/"), path.split("/")
            is_rest = wanted[-1] == "*"
            if is_rest and len(given) >= len(wanted):
                wanted, given = wanted[:-1], given[: len(wanted) - 1]
            if len(wanted) == len(given) and all(
                w == g or (w.startswith("{") and g) for w, g in zip(wanted, given, strict=True)
            ):
                found.append((is_rest, "{" in declared, route, template))
    if not found:
        return None
    _, _, route, template = min(found, key=lambda item: item[:2])
    segments = path.split("/")
    unclean = "" in segments[1:-1] or {".", ".."} & {segment.partition(";")[0].rstrip(" ") for segment in segments}
    if route.prefix != USERS and (unclean or re.search(r"[\\\x00-\x1f\x7f]", path)):
        return None
    return route.upstream, template


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join))
@example("/api/users/../orders")
@example("/api/users/..")
@example("/api/users/")
@example("/api/users/1/")
@example("/api/orders/%2e%2e/users")
@example("/shop/%2e%2e/api/users")
@example("/shop/..;/api/users")
@example("/api/orders/%00")
@example("/api/orders/a%5cb")
@example("/api/orders/a\n")
@example("/api/orders/.. ")
@example("/api/orders/é\u00a0")
@example("/shop/a/")
@example("/shop")
@example("/shopping")
@example("/api/ordersx")
@example("/api/orders/search")
@example("/api/orders/1/items/2")
@example("/mix/1/items")
@example("/API/orders")
def test_a_path_goes_where_the_table_says(target: str) -> None:
    path = unquote(target)
    found = MATCHER.find(path)
    assert (found and (found.view, found.template)) == model(path)


def test_a_table_of_one_prefix_has_its_paths() -> None:
    matcher = Matcher((route, route.upstream) for route in ROUTES[-1:])
    found = [matcher.find(path) for path in ("/files/a", "/files/a/b", "/file")]
    assert [match and match.view for match in found] == ["files", "files", None]
    assert Matcher((route, route.upstream) for route in ROUTES[:1]).find("/files/a") is None
