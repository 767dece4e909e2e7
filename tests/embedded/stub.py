"""Stands for `tranche worker` and `tranche gateway`: answers every GET with 200 on its port, and notes its environment."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


kind = sys.argv[1]
given = {name: value for name, value in os.environ.items() if name.startswith("TRANCHE_")}
name = given["TRANCHE_WORKER"] if kind == "worker" else kind
(Path(given["TRANCHE_HOME"]) / f"{name}.environ").write_text(json.dumps(given))
HTTPServer(("127.0.0.1", int(given["TRANCHE_OPS_PORT" if kind == "worker" else "TRANCHE_GATEWAY_PORT"])), Answer).serve_forever()
