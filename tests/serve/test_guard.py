"""Who may ask: the names of the server, pages elsewhere, and the key."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

import youtu_gguf as yg
from youtu_gguf.errors import InputError
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.guard import Access, key_fits
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine

KEY = "k" * 20


def serving(settings: ServeSettings) -> TestClient:
    return TestClient(create_app(lambda: yg.load(engine=FakeEngine()), settings), base_url="http://localhost:8765")


@pytest.fixture(scope="module")
def local() -> Iterator[TestClient]:
    with serving(ServeSettings()) as client:
        yield client


@pytest.fixture(scope="module")
def keyed() -> Iterator[TestClient]:
    with serving(ServeSettings(api_key=KEY)) as client:
        yield client


@pytest.fixture(scope="module")
def shared() -> Iterator[TestClient]:
    with serving(ServeSettings(cors_origins=("https://notes.example.org",), api_key=KEY)) as client:
        yield client


def code_of(access: Access, hosts: Sequence[str]) -> str | None:
    try:
        access.check_host(Headers(raw=[(b"host", host.encode("latin-1")) for host in hosts]))
    except ApiError as exc:
        return exc.code
    return None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8765",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1:8765",
        "[::1]",
        "[::1]:8765",
        "app.localhost",
    ],
)
def test_names_of_this_machine_are_hosts(host: str) -> None:
    assert code_of(Access(ServeSettings()), [host]) is None


@pytest.mark.parametrize(
    "hosts",
    [
        [], ["localhost", "localhost"], ["localhost", "evil.example.org"], [""], ["evil.example.org"],
        ["localhost.evil.example.org"], ["evillocalhost"], ["localhost@evil.example.org"], ["localhost:8765@evil"],
        ["127.0.0.1.evil.example.org"], ["127.0.0.2"], ["2130706433"], ["0x7f.1"], ["0.0.0.0"], ["[::1"], ["::1"],
        ["[::ffff:127.0.0.1]"], ["localhost:"], ["localhost:http"], ["local host"], ["localhost/"], ["localhost\\"],
        ["192.168.1.5"], ["lo\xadcalhost"], ["localhost\t"], [".localhost:x"],
    ],
)  # fmt: skip
def test_foreign_and_malformed_hosts_are_refused(hosts: list[str]) -> None:
    assert code_of(Access(ServeSettings()), hosts) == "host_not_allowed"


def test_hosts_may_be_allowed_by_name_and_below_a_name() -> None:
    access = Access(ServeSettings(allowed_hosts=("Vision.lan", "*.example.org")))
    assert [code_of(access, [host]) for host in ("vision.lan:80", "a.b.example.org")] == [None, None]
    assert code_of(access, ["example.org"]) == "host_not_allowed"
    assert code_of(access, ["badexample.org"]) == "host_not_allowed"


def test_the_host_is_no_matter_where_a_key_is_asked_for_beyond_this_machine() -> None:
    assert code_of(Access(ServeSettings(host="0.0.0.0", api_key=KEY)), ["vision.lan"]) is None
    assert code_of(Access(ServeSettings(api_key=KEY)), ["vision.lan"]) == "host_not_allowed"


def test_without_a_key_a_server_on_all_addresses_is_reached_by_any_address_but_by_no_other_name() -> None:
    access = Access(ServeSettings(host="0.0.0.0", insecure=True))
    assert code_of(access, ["192.168.1.5:8765"]) is None
    assert code_of(access, ["vision.lan"]) == "host_not_allowed"


@pytest.mark.parametrize("name", ["vision.lan:80", "http://vision.lan", "*", "a b", "", "*example.org"])
def test_an_allowed_host_that_is_no_name_is_an_error_at_the_start(name: str) -> None:
    with pytest.raises(InputError, match="must be a name"):
        create_app(lambda: yg.load(engine=FakeEngine()), ServeSettings(allowed_hosts=(name,)))


@pytest.mark.parametrize("origin", ["notes.example.org", "https://notes.example.org/", "https://a b", ""])
def test_an_origin_that_is_none_is_an_error_at_the_start(origin: str) -> None:
    with pytest.raises(InputError, match="must be a scheme and a host"):
        create_app(lambda: yg.load(engine=FakeEngine()), ServeSettings(cors_origins=(origin,)))


def test_a_foreign_host_is_refused_on_every_path_and_for_reading_too(local: TestClient) -> None:
    for path in ("/healthz", "/v1/health", "/openapi.json", "/nothing", "/v1/images"):
        answer = local.get(path, headers={"Host": "evil.example.org"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8765.evil.example.org"},
        {"Origin": "http://evil@localhost:8765"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_writes_of_pages_elsewhere_are_refused_and_reads_are_not_shared(
    local: TestClient, headers: dict[str, str]
) -> None:
    for method in ("POST", "DELETE", "PUT", "PATCH"):
        answer = local.request(method, "/v1/images", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    answer = local.get("/healthz", headers=headers)
    assert answer.status_code == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8765", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://localhost:8765"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_pages_of_this_server_write(local: TestClient, headers: dict[str, str]) -> None:
    assert local.post("/nothing", headers=headers).status_code == 404


def test_nothing_is_told_to_a_page_that_asks_first(local: TestClient) -> None:
    asked = {"Origin": "https://evil.example.org", "Access-Control-Request-Method": "POST"}
    answer = local.options("/v1/images", headers=asked)
    assert answer.status_code == 403
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_an_origin_of_the_settings_may_ask_first_without_a_key_and_write_with_it(shared: TestClient) -> None:
    origin = {"Origin": "https://notes.example.org"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    answer = shared.options("/nothing", headers={**origin, **asked})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://notes.example.org"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in answer.headers
    answer = shared.post("/nothing", headers=origin)
    assert (answer.status_code, answer.headers["vary"]) == (401, "Origin")
    assert answer.headers["access-control-allow-origin"] == "https://notes.example.org"  # so that the page sees why
    assert shared.post("/nothing", headers={**origin, "Authorization": f"Bearer {KEY}"}).status_code == 404
    assert shared.post("/nothing", headers={"Origin": "https://evil.example.org"}).status_code == 403
    assert "access-control-allow-origin" not in shared.get("/healthz").headers


def test_all_origins_are_allowed_without_credentials() -> None:
    with serving(ServeSettings(cors_origins=("*",))) as client:
        answer = client.post("/nothing", headers={"Origin": "https://anything.example.org"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "*")
    assert "access-control-allow-credentials" not in answer.headers


def test_a_header_of_a_page_that_asks_first_is_not_repeated_unchecked(shared: TestClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "a;b: c"}
    answer = shared.options("/nothing", headers={"Origin": "https://notes.example.org", **asked})
    assert "access-control-allow-headers" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"Authorization": f"Token {KEY}"},
        {"Authorization": f"Basic {base64.b64encode(f'any:{KEY}'.encode()).decode()}"},
        {"X-Api-Key": KEY},
        {"Token": KEY},
    ],
)
def test_the_key_is_taken_in_every_header_that_clients_have_for_it(keyed: TestClient, headers: dict[str, str]) -> None:
    assert keyed.get("/nothing", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": "Bearer \xe9"},
        {"Authorization": "Basic \xff\xff"},
        {"Authorization": f"Basic {base64.b64encode(KEY.encode()).decode()}"},
        {"X-Api-Key": ""},
        {"X-Api-Key": KEY.upper()},
        {"Cookie": f"key={KEY}"},
    ],
)
def test_another_key_or_none_is_refused(keyed: TestClient, headers: dict[str, str]) -> None:
    answer = keyed.get("/openapi.json", headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["type"] == "authentication_error"
    assert KEY not in answer.text


def test_a_key_in_the_address_is_not_looked_for(keyed: TestClient) -> None:
    assert keyed.get(f"/openapi.json?api_key={KEY}&key={KEY}").status_code == 401


def test_probes_need_no_key_for_reading(keyed: TestClient) -> None:
    assert keyed.get("/healthz").status_code == 200
    assert keyed.head("/healthz").status_code != 401
    assert keyed.post("/healthz").status_code == 401
    assert keyed.get("/healthz/../openapi.json").status_code == 401


def test_a_key_fits_itself_alone() -> None:
    settings = ServeSettings(api_key="ключ")
    assert key_fits(settings, "ключ")
    assert not any(key_fits(settings, given) for given in ("", None, "ключ ", "\ud800"))
    assert key_fits(ServeSettings(), None)


def test_programs_of_this_machine_are_told_apart_by_the_key_they_bring() -> None:
    access = Access(ServeSettings())
    clients = {access.client("127.0.0.1", Headers({"x-api-key": key})) for key in ("a", "b")}
    assert len(clients) == 2
    assert access.client("192.168.1.5", Headers({"x-api-key": "a"})) == "192.168.1.5"  # else anyone could be many
    assert Access(ServeSettings(api_key="a")).client("127.0.0.1", Headers({"x-api-key": "a"})) == "127.0.0.1"


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/openapi.json"])
def test_every_answer_has_the_headers_that_keep_pages_elsewhere_out(local: TestClient, path: str) -> None:
    headers = local.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-request-id"].startswith("req_")


def test_refusals_have_those_headers_too(keyed: TestClient) -> None:
    for answer in (keyed.get("/openapi.json"), keyed.get("/healthz", headers={"Host": "evil"})):
        assert answer.status_code in (401, 403)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
