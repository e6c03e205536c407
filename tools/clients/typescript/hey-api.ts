// The client of @hey-api/openapi-ts in its obvious use: `auth` gives the credential to every scheme of the schema.
import { createUser, deleteUser } from "./hey-api/index.js";
import { client } from "./hey-api/client.gen.js";

client.setConfig({ baseUrl: process.env.GATEWAY, auth: () => process.env.TOKEN });
const { data, error } = await createUser({ body: { name: "Ana Gómez", email: `${crypto.randomUUID()}@example.com` } });
if (!data) throw new Error(error?.detail);
await deleteUser({ path: { id: data.id } });
console.log(data.name);
