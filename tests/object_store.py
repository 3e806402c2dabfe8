"""An object store on the loopback address, such as S3 is, for tests: moto's, in a thread of the test's own process."""

from __future__ import annotations

import http.client
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

BUCKET = "bucket"


@contextmanager
def object_store() -> Iterator[str]:
    """Give the address of an empty bucket; this process and its children reach it meanwhile, with made-up keys.

    The environment says where it is, so a Ray that is started inside the `with` block hands that to its actors; one
    that runs already does not. Nothing is left of the store, or of the variables, afterwards. A test that needs it:

        @pytest.fixture(scope="module")
        def bucket() -> Iterator[str]:
            with object_store() as address:
                yield address
    """
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        _send(host, port, "POST", "/moto-api/reset")  # its objects belong to the process, not to the server
        _send(host, port, "PUT", f"/{BUCKET}")
        with patch.dict(os.environ, environment(host, port)):
            for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
                os.environ.pop(name, None)
            yield f"s3://{BUCKET}"
        _send(host, port, "POST", "/moto-api/reset")
    finally:
        server.stop()


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
