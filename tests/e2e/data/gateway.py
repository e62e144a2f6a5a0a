"""A client of the gateway that is not ours: Python's own HTTP and OpenSSL.

usage: gateway.py PORT REQUESTS
REQUESTS is a JSON list; each has folder (of a certificate, or null), and optionally method, path,
body (text), headers, repeat, tls ("1.2"), slow (seconds between the halves of the body) and
connection (requests with the same value share one). Prints one JSON object a request.
"""

import http.client
import json
import ssl
import sys
import time

port = int(sys.argv[1])
kept = {}


def connect(request, authority):
    context = ssl.create_default_context(cafile=authority)
    if request.get("tls") == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    folder = request.get("folder")
    if folder:
        context.load_cert_chain(f"{folder}/client.crt", f"{folder}/client.key")
    return http.client.HTTPSConnection("localhost", port, context=context, timeout=20)


def send(request):
    authority = request.get("authority") or f"{request['folder']}/authority.crt"
    key = request.get("connection")
    connection = kept.get(key) or connect(request, authority)
    if key:
        kept[key] = connection
    body = request.get("body")
    headers = {"content-type": "application/json"} | request.get("headers", {})
    method = request.get("method", "POST" if body is not None else "GET")
    if request.get("slow"):
        data = body.encode()
        connection.putrequest(method, request["path"])
        for name, value in (headers | {"content-length": str(len(data))}).items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(data[:1])
        time.sleep(request["slow"])
        try:
            connection.send(data[1:])
        except OSError:
            pass
    else:
        connection.request(method, request["path"], body=body, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    return {"status": response.status, "body": text, "headers": {k.lower(): v for k, v in response.getheaders()}}


for request in json.loads(sys.argv[2]):
    for _ in range(request.get("repeat", 1)):
        try:
            answer = send(request)
        except (OSError, http.client.HTTPException) as error:
            answer = {"status": 0, "body": type(error).__name__, "headers": {}}
        print(json.dumps(answer), flush=True)
