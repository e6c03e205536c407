// The same upstream as in scripted.py, on node's http. Prints its port.
const http = require("http");

let plan = { status: 200, fields: [], body: "" };
let seen = [];

const server = http.createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  if (request.url === "/plan") {
    plan = JSON.parse(text);
    seen = [];
    response.end();
  } else if (request.url === "/seen") {
    response.end(JSON.stringify(seen));
  } else if (plan.status === 0) {
    request.socket.destroy();
  } else {
    seen.push({ method: request.method, target: request.url, fields: request.headers, body: text });
    const { etag } = Object.fromEntries(plan.fields);
    const isHeld = etag && (request.headers["if-none-match"] || "").replaceAll("W/", "").split(", ").includes(etag);
    for (const [name, value] of plan.fields) response.appendHeader(name, value);
    response.writeHead(isHeld ? 304 : plan.status, isHeld ? {} : { "content-length": Buffer.byteLength(plan.body) });
    response.end(isHeld ? undefined : plan.body);
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
