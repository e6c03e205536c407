"""HTML forms of the browsable API, with DEBUG: a form is sent as POST and replaced by a request with a JSON body.

The field `_method` has the method of that request, `_content` its body (in the form for raw JSON).
"""

from urllib.parse import parse_qsl

import orjson

from common.http.body import read_body
from common.http.problem import Problem
from common.http.request import Request
from common.http.response import JSON

TYPE = b"application/x-www-form-urlencoded"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
MAX_FIELDS = 20


async def read_form(request: Request) -> bool:
    """Replaces a form by its request; returns whether there was a form. Raises Problem (400, 413), ClientGone."""
    if request.method != "POST" or request.raw_headers.get(b"content-type") != TYPE:
        return False
    origin = f"{request.origin.scheme}://{request.origin.host}"
    if request.header(b"origin") != origin:
        raise Problem("malformed-request", "A form must come from a page of this site.")
    text = (await read_body(request)).decode("ascii", "replace")
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise Problem("malformed-request", f"A form has at most {MAX_FIELDS} fields.") from error
    method, content = fields.pop("_method", "POST"), fields.pop("_content", None)
    fields.pop("_content_type", None)
    if method not in METHODS:
        raise Problem("malformed-request", "The form names no method.")
    request.method = method
    request.body = orjson.dumps(fields) if content is None else content.encode()
    request.fields = [field for field in request.fields if field[0] != b"content-type"] + [JSON]
    request.raw_headers[b"content-type"] = JSON[1]
    return True
