// The generated TypeScript client at a running gateway: create, read, list with paging, conflict, conditional update.
// `node dist/exercise.js http://127.0.0.1:3000`, in TOKEN the bearer token or API key where the gateway wants one.
// Any difference ends it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createClient, type User } from "./index.js";

const url = process.argv[2];
assert(url, "usage: exercise.js URL");
const client = createClient(url, process.env.TOKEN);

async function create(): Promise<User> {
  const options = {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: { name: "Ana Gómez", email: `${randomUUID()}@example.com` },
  };
  const { data, error, response } = await client.POST("/api/users", options);
  assert(data, error?.detail);
  assert.equal(response.headers.get("Location"), `/api/users/${data.id}`);
  const again = await client.POST("/api/users", options);
  assert.deepEqual(again.data, data);
  assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
  return data;
}

async function read(user: User): Promise<string> {
  const { data, response } = await client.GET("/api/users/{id}", { params: { path: { id: user.id } } });
  assert.deepEqual(data, user);
  const tag = response.headers.get("ETag");
  assert(tag);
  return tag;
}

async function page(wanted: Set<string>): Promise<void> {
  let cursor: string | undefined;
  while (wanted.size > 0) {
    const { data, error } = await client.GET("/api/users", { params: { query: { limit: 1, cursor } } });
    assert(data, error?.detail);
    assert(data.count >= 2);
    data.results.forEach((user) => wanted.delete(user.id));
    assert(wanted.size === 0 || data.next, `not on any page: ${[...wanted]}`);
    cursor = data.next ? (new URL(data.next).searchParams.get("cursor") ?? undefined) : undefined;
  }
}

async function conflict(user: User): Promise<void> {
  const body = { name: "Eve", email: user.email.toUpperCase(), role: "admin" as const };
  const { error } = await client.POST("/api/users", { body });
  assert.equal(error?.code, "email-taken" satisfies NonNullable<typeof error>["code"]);
}

async function change(user: User, tag: string): Promise<void> {
  const options = {
    params: { path: { id: user.id }, header: { "If-Match": tag } },
    body: { role: "admin" as const },
  };
  const { data } = await client.PATCH("/api/users/{id}", options);
  assert.equal(data?.role, "admin");
  const { error, response } = await client.PATCH("/api/users/{id}", options);
  assert.equal(response.status, 412);
  assert.equal(error?.code, "precondition-failed");
}

const [first, second] = [await create(), await create()];
try {
  const tag = await read(first);
  await page(new Set([first.id, second.id]));
  await conflict(first);
  await change(first, tag);
} finally {
  for (const { id } of [first, second]) {
    const { response } = await client.DELETE("/api/users/{id}", { params: { path: { id } } });
    assert.equal(response.status, 204);
  }
}
console.log("the TypeScript client works");
