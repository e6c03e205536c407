// The typed client: every path, parameter, body and answer is checked against the gateway's schema.
import createFetchClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type User = components["schemas"]["User"];
export type UserPage = components["schemas"]["UserPage"];
export type UserRequest = components["schemas"]["UserRequest"];
export type Problem = components["schemas"]["Problem"];

/**
 * A client of the gateway at `baseUrl`. Answers come as `{ data, error, response }`; `error` is a `Problem`.
 * `token`: a bearer token or an API key, where the gateway wants one.
 */
export function createClient(baseUrl: string, token?: string): Client<paths> {
  return createFetchClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}
