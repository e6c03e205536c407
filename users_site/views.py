"""Users over HTTP: maps methods to the repository, and its documents to answers. Stored documents are served
unparsed."""

from dataclasses import replace
from typing import Any, cast

import orjson
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS

from common.http.json_body import MERGE_TYPES, json_body
from common.http.problem import Problem
from common.http.request import Request
from common.http.response import JSON, Headers, RawResponse
from common.http.viewsets import AsyncViewSet
from users_contract.contracts import EMAIL_MAX, UserSerializer
from users_site import idempotency, identifiers, links
from users_site.models import User
from users_site.preconditions import etag, for_write, is_unmodified
from users_site.repository.broken import id_in
from users_site.repository.errors import (
    EmailTaken,
    IdempotencyKeyReused,
    NotDurable,
    RecordBroken,
    RequestInProgress,
    StoreUnavailable,
    UserNotFound,
    VersionMismatch,
)
from users_site.repository.pages import Page
from users_site.repository.users import UserRepository

# Shared: a DRF serializer costs 60 µs to make, and validation keeps no state in it.
_user = UserSerializer()

WRITABLE, READ_ONLY = ("name", "email", "role"), ("id", "created_at", "updated_at")

NOT_DURABLE = (
    "The change was made, but is not known to be as durable as DURABILITY asks: it may be lost if the store fails now. "
    "A POST with an Idempotency-Key may be repeated until it is; before another change, read first."
)


class UserViewSet(AsyncViewSet):
    """Users: create, find, change, delete."""

    serializer_class = UserSerializer
    lookup_field = lookup_url_kwarg = "id"
    # as_view takes only names that the class has.
    users = cast(UserRepository, None)
    durability = "memory"

    def problem_for(self, error: Exception) -> Exception:
        return problem_of(error, changes=self.request.method not in SAFE_METHODS)

    @property
    def durability_field(self) -> tuple[bytes, bytes]:
        """The header of every acknowledged write: its durability, the value of DURABILITY."""
        return b"x-durability", self.durability.encode()

    async def list(self, request: Request) -> RawResponse:
        """A page of users, newest first, or the one with the given email."""
        query = links.page_query(request.scope["query_string"])
        if query.email is not None:
            found = await self.users.find(query.email)
            count = int(found is not None) if query.count else None
            return page_answer(request, query, Page(count, found or b""))
        page = await self.users.page(query.limit, query.start, count=query.count)
        return page_answer(request, query, page)

    async def create(self, request: Request) -> RawResponse:
        """Creates a user."""
        fields = _user.run_validation(await json_body(request))
        document, replayed = await self.users.create(
            fields["name"], fields["email"], fields["role"], idempotency.of(request, fields)
        )
        location = f"{links.collection(request)}/{id_in(document)}"
        extra: Headers = [self.durability_field, (b"location", location.encode("latin-1"))]
        if replayed:
            extra.append(idempotency.REPLAYED)
        return user_answer(document, 201, extra)

    async def retrieve(self, request: Request, id: str) -> RawResponse:
        """One user."""
        document = await self.users.get(canonical_id(id))
        tag = etag(document)
        if is_unmodified(request, tag):
            return RawResponse(304, [(b"etag", tag.encode())])
        return RawResponse(200, [JSON, (b"etag", tag.encode())], document)

    async def update(self, request: Request, id: str) -> RawResponse:
        """Replaces all fields of a user."""
        user_id = canonical_id(id)
        body = await json_body(request)

        def put(user: User) -> User:
            return replace(user, **_user.run_validation(without_unchanged(body, user)))

        document = await self.users.update(user_id, put, for_write(request), replaces=True, email=email_in(body))
        return user_answer(document, extra=[self.durability_field])

    async def partial_update(self, request: Request, id: str) -> RawResponse:
        """Changes the given fields (RFC 7396: null removes a field, which gives it its default if it has one)."""
        user_id = canonical_id(id)
        patch = await json_body(request, MERGE_TYPES)
        if not isinstance(patch, dict):
            raise ValidationError({"non_field_errors": ["A JSON object is expected."]}, code="invalid")

        def merge(user: User) -> User:
            merged = {**{name: getattr(user, name) for name in WRITABLE}, **without_unchanged(patch, user)}
            present = {name: value for name, value in merged.items() if value is not None or name not in WRITABLE}
            return replace(user, **_user.run_validation(present))

        document = await self.users.update(user_id, merge, for_write(request), email=email_in(patch))
        return user_answer(document, extra=[self.durability_field])

    async def destroy(self, request: Request, id: str) -> RawResponse:
        """Deletes a user."""
        await self.users.delete(canonical_id(id), for_write(request))
        return RawResponse(204, [self.durability_field])


def without_unchanged(body: Any, user: User) -> Any:
    """The body without read-only fields that have the user's values: a client may send the document that it has
    read."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name not in READ_ONLY or value != getattr(user, name)}


def email_in(body: Any) -> str:
    """The email in a body, before validation; "" if none."""
    email = body.get("email") if isinstance(body, dict) else None
    return email.strip() if isinstance(email, str) and len(email) <= EMAIL_MAX else ""


def canonical_id(text: str) -> str:
    """The id in canonical spelling. Raises UserNotFound for other text, without asking the store."""
    user_id = identifiers.canonical(text)
    if user_id is None:
        raise UserNotFound
    return user_id


def user_answer(document: bytes, status: int = 200, extra: Headers | None = None) -> RawResponse:
    return RawResponse(status, [JSON, (b"etag", etag(document).encode()), *(extra or [])], document)


def page_answer(request: Request, query: links.PageQuery, page: Page) -> RawResponse:
    cursors = [None if start is None else links.encode_cursor(start) for start in (page.older, page.newer)]
    urls = [links.page_url(request, cursor, query) for cursor in cursors]
    counted = b"" if page.count is None else b'"count":%d,' % page.count
    body = b'{%b"next":%b,"previous":%b,"next_cursor":%b,"previous_cursor":%b,"results":[%b]}'
    return RawResponse(200, [JSON], body % (counted, *map(orjson.dumps, (*urls, *cursors)), page.documents))


def problem_of(error: Exception, *, changes: bool) -> Exception:
    """The problem for an error of the repository. Returns other errors, and those that only a bug explains, unchanged.

    `changes`: whether the request was for a change.
    """
    match error:
        case UserNotFound():
            return Problem("user-not-found", "No user has this id.")
        case EmailTaken():
            headers = [idempotency.REPLAYED] if error.replayed else None
            return Problem("email-taken", "Another user has this email.", headers=headers)
        case VersionMismatch():
            return Problem("precondition-failed", "The condition in If-Match or If-None-Match is false for this user.")
        case IdempotencyKeyReused():
            return Problem("idempotency-key-reused", "This Idempotency-Key was used with another body.")
        case RequestInProgress():
            detail = "The first request with this Idempotency-Key has not been answered yet."
            return Problem("request-in-progress", detail, headers=[(b"retry-after", str(error.seconds).encode())])
        case RecordBroken():
            return Problem("internal-error", "The stored record of this user is damaged.", reason="broken record")
        case NotDurable():
            return Problem("store-unavailable", NOT_DURABLE, reason="not durable")
        case StoreUnavailable():
            fate = " The change may have been made." if error.uncertain and changes else ""
            detail = f"The store cannot serve this now ({error.reason}).{fate}"
            return Problem("store-unavailable", detail, reason=f"redis: {error.reason}")
    return error
