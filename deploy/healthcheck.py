"""The image's HEALTHCHECK: the process answers /health/live. No curl, no wget: the image has neither."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or sys.argv[1]), timeout=2)
connection.request("GET", "/health/live")
sys.exit(connection.getresponse().status != 200)
