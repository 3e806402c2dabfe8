"""An object store on the loopback address, such as S3 is, for tests: moto's, in a thread of the test's own process."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

BUCKET = "bucket"


Trouble = Callable[[str, str], int | None]
"""Given the method and the address of a request: the HTTP status that the store answers, 0 for none as it hangs up, and
None for what it would answer anyway."""


@contextmanager
def object_store(trouble: Trouble = lambda _method, _path: None) -> Iterator[str]:
    """Give the address of an empty bucket; this process and its children reach it meanwhile, with made-up keys.

    The environment says where it is, so a Ray that is started inside the `with` block hands that to its actors; one
    that runs already does not. Nothing is left of the store, or of the variables, afterwards. A test that needs it:

        @pytest.fixture(scope="module")
        def bucket() -> Iterator[str]:
            with object_store() as address:
                yield address

    Args:
        trouble: Is asked before each request.
    """
    from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request otherwise
    moto = DomainDispatcherApplication(create_backend_app)

    def app(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        query = environ["QUERY_STRING"]
        status = trouble(environ["REQUEST_METHOD"], environ["PATH_INFO"] + (f"?{query}" if query else ""))
        if status is None:
            answer: Iterable[bytes] = moto(environ, start)
            return answer
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if not status:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start(f"{status or 500} Trouble", [("Content-Length", "0")])
        return [b""]

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, name="object store", daemon=True)
    thread.start()
    host, port = "127.0.0.1", server.server_port
    try:
        with closing(server.socket), patch.dict(os.environ, environment(host, port)):
            for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
                os.environ.pop(name, None)
            try:
                _send(host, port, "POST", "/moto-api/reset")  # its objects belong to the process, not to the server
                _send(host, port, "PUT", f"/{BUCKET}")
                yield f"s3://{BUCKET}"
                _send(host, port, "POST", "/moto-api/reset")
            finally:
                server.shutdown()
    finally:
        thread.join()


def environment(host: str, port: int) -> dict[str, str]:
    """Return the variables by which pyarrow, boto3 and s3fs find the store, and nothing else.

    Without `AWS_EC2_METADATA_DISABLED` they would ask the network who they are.
    """
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _send(host: str, port: int, method: str, path: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.OK, f"{method} {path}: {answer.status} {answer.reason}"
    finally:
        connection.close()
