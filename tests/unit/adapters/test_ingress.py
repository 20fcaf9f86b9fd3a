"""The HTTP ingress: who may post what, what is answered, and that 202 means durable."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from freshd.adapters.formats import decoder
from freshd.adapters.ingress import Ingress, IngressSettings, ingress_problems
from freshd.adapters.ingress.receiver import IN_HAND_BYTES
from freshd.model.errors import DecodeError, TransientError
from freshd.model.inputs import DeadLetter, Event, Input, Unmatched
from freshd.model.sighting import Message
from freshd.model.time import SECOND

PAYLOADS = Path(__file__).parents[4] / "shared" / "data" / "events"
NOW = 1_795_000_000 * SECOND


class Daemon:
    """Takes what the ingress puts: durable at once, later, never, or refused."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.messages: list[Message] = []
        self.mood = "durable"

    def translate(self, message: Message, form: str) -> list[Input]:
        self.messages.append(message)
        try:
            sightings = decoder(form)(message)
        except DecodeError as error:
            return [DeadLetter(message.origin, error.reason, str(error), message.value, form)]
        found: list[Input] = []
        for sighting in sightings:
            for names in sighting.names or ((),):
                if names and names[0].startswith("unknown"):
                    found.append(Unmatched(form, names[0], sighting.fields, NOW))
                else:
                    found.append(Event(sighting.kind, names[:1], sighting.at or NOW, id=sighting.id))
        return found

    def put(
        self,
        inputs: Sequence[Input],
        *,
        on_durable: Callable[[], None],
        on_failed: Callable[[Exception], None],
        timeout: float,
    ) -> None:
        if self.mood == "full":
            raise TransientError("the inbox is full", retry_after=3 * SECOND)
        self.inputs += inputs
        if self.mood == "durable":
            on_durable()
        elif self.mood == "broken":
            on_failed(OSError("no space left on device"))

    def client(self, token: str = "", base: str = "http://127.0.0.1:8765", **entries: Any) -> TestClient:
        settings = {name: IngressSettings.model_validate(entry) for name, entry in entries.items()}
        self.ingress = Ingress(settings, self.translate, self.put, lambda: NOW, token=token, answer_within_s=0.2)
        return TestClient(Starlette(routes=self.ingress.routes()), base_url=base)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


SYNC_END = {
    "event": "sync_end",
    "created": "2026-11-18T08:00:00.000Z",
    "connector_id": "rainy_dental",
    "sync_id": "s1",
    "data": {"status": "SUCCESSFUL"},
}


def signed(body: bytes, secret: str = "key", upper: bool = False) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Fivetran-Signature-256": digest.upper() if upper else digest, "content-type": "application/json"}


# -- POST /events ------------------------------------------------------------------------------------


def test_one_event_and_an_array_are_taken(daemon: Daemon) -> None:
    client = daemon.client()
    assert client.post("/events", json={"asset": "shop/orders"}).json() == {"accepted": 1}
    answer = client.post("/events", json=[{"asset": "a"}, {"asset": "b"}])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert [event.assets for event in daemon.inputs if isinstance(event, Event)] == [("shop/orders",), ("a",), ("b",)]


def test_the_idempotency_key_becomes_the_id(daemon: Daemon) -> None:
    daemon.client().post("/events", json={"asset": "a"}, headers={"Idempotency-Key": "k-1"})
    assert [event.id for event in daemon.inputs if isinstance(event, Event)] == ["k-1"]


def test_without_a_key_no_two_requests_have_one_origin_also_across_restarts(daemon: Daemon) -> None:
    for _ in range(2):
        client = daemon.client()
        for _ in range(3):
            client.post("/events", json={"asset": "a"})
    assert len({message.origin for message in daemon.messages}) == 6
    assert all(message.origin.startswith("ingress/events#") for message in daemon.messages)


def test_what_names_no_asset_is_told_and_taken(daemon: Daemon) -> None:
    answer = daemon.client().post("/events", json=[{"asset": "a"}, {"asset": "unknown/x"}])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "unmatched": ["unknown/x"]})
    assert len(daemon.inputs) == 2


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        (b"", "empty"),
        (b"\xff\xfe", "JSON"),
        (b'"text"', "object"),
        (b'{"asset": 7}', "asset"),
        (b'{"asset": "a", "data_tme": "2026-11-22T08:00:00Z"}', "data_time"),
        (b'[{"asset": "a"}, {"asset": "b", "type": "nonsense"}]', "[1]"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason_and_kept_and_nothing_of_it_counts(
    daemon: Daemon, body: bytes, word: str
) -> None:
    answer = daemon.client().post("/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert [type(each) for each in daemon.inputs] == [DeadLetter]


def test_a_url_that_nobody_listens_at_says_what_is_missing(daemon: Daemon) -> None:
    answer = daemon.client(fivetran={"format": "fivetran"}).post("/events/airbyte/tok", json={})
    assert answer.status_code == 404
    assert answer.json() == {"error": "nothing takes events here: add airbyte to `ingress` in freshd.yaml"}


def test_get_is_not_a_way_to_post(daemon: Daemon) -> None:
    assert daemon.client().get("/events").status_code == 405


def test_the_token_guards_events(daemon: Daemon) -> None:
    client = daemon.client(token="t0ken", base="http://freshd.example")
    answers = [
        client.post("/events", json={"asset": "a"}, headers=headers)
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "t0ken"}, {"Authorization": "Bearer "})
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, '{"error":"not authorised"}')}
    assert client.post("/events", json={"asset": "a"}, headers={"Authorization": "Bearer t0ken"}).status_code == 202


def test_a_token_never_reaches_the_message(daemon: Daemon) -> None:
    headers = {"Authorization": "Bearer t0ken", "Cookie": "c=1", "X-Other": "kept"}
    daemon.client(token="t0ken").post("/events", json={"asset": "a"}, headers=headers)
    assert daemon.messages[0].headers["x-other"] == "kept"
    assert not {"authorization", "cookie"} & daemon.messages[0].headers.keys()


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("http://rebound.example", {}),
        ("http://127.0.0.1", {"Origin": "https://evil.example"}),
        ("http://127.0.0.1", {"Content-Type": "text/plain"}),
    ],
)
def test_a_page_in_a_browser_cannot_write_to_loopback(daemon: Daemon, base: str, headers: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", **headers}
    answer = daemon.client(base=base).post("/events", content=b'{"asset": "a"}', headers=headers)
    assert answer.status_code == 403
    assert daemon.messages == []


# -- durable or not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mood", "retry_after"), [("full", "3"), ("silent", "5"), ("broken", "5")])
def test_what_cannot_be_made_durable_is_asked_for_again(daemon: Daemon, mood: str, retry_after: str) -> None:
    daemon.mood = mood
    answer = daemon.client().post("/events", json={"asset": "a"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == retry_after
    assert "space" not in answer.text  # what is wrong inside is nobody's business outside


# -- size --------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_declared_or_not(daemon: Daemon) -> None:
    client = daemon.client(big={"format": "freshd", "max_body_bytes": 11_000_000})
    large = b'{"asset": "a", "metadata": {"x": "%s"}}' % (b"y" * 2_000_000)
    headers = {"content-type": "application/json"}
    assert client.post("/events", content=large, headers=headers).status_code == 413
    assert client.post("/events", content=iter([large[:900_000], large[900_000:]]), headers=headers).status_code == 413
    assert daemon.messages == []
    assert client.post("/events/big", content=large, headers=headers).status_code == 202
    assert client.post("/events", json={"asset": "a"}).status_code == 202  # what was refused is no longer counted
    assert daemon.ingress._in_hand == 0


def test_too_many_bytes_at_once_are_asked_for_again(daemon: Daemon) -> None:
    client = daemon.client()
    daemon.ingress._in_hand = IN_HAND_BYTES
    assert client.post("/events", json={"asset": "a"}).status_code == 503
    daemon.ingress._in_hand = 0
    assert client.post("/events", json={"asset": "a"}).status_code == 202


# -- webhooks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("upper", [True, False])
def test_fivetran_signature_in_either_case(daemon: Daemon, upper: bool) -> None:
    body = json.dumps(SYNC_END).encode()
    client = daemon.client(fivetran={"format": "fivetran", "secret": "key"})
    assert client.post("/events/fivetran", content=body, headers=signed(body, upper=upper)).status_code == 202
    assert len(daemon.inputs) == 1


def test_every_failure_to_show_the_secret_looks_the_same(daemon: Daemon) -> None:
    body = json.dumps(SYNC_END).encode()
    client = daemon.client(fivetran={"format": "fivetran", "secret": "key"})
    attempts: list[tuple[bytes, Any]] = [
        (body, {}),
        (body, {"X-Fivetran-Signature-256": ""}),
        (body, {"X-Fivetran-Signature-256": "zz"}),
        (body, {"X-Fivetran-Signature-256": b"caf\xe9"}),
        (body, signed(body, secret="other")),
        (body + b" ", signed(body)),
        (body, {"X-Fivetran-Signature-256": "sha256=" + signed(body)["X-Fivetran-Signature-256"]}),
        (b"not json", {}),
    ]
    answers = [client.post("/events/fivetran", content=content, headers=headers) for content, headers in attempts]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, '{"error":"not authorised"}')}
    assert daemon.messages == []


def test_real_fivetran_payloads(daemon: Daemon) -> None:
    source = PAYLOADS / "fivetran.jsonl"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    seen = 0
    for record in map(json.loads, source.read_text().splitlines()):
        if "signing" not in record:
            continue
        body, valid = record["raw_body"].encode(), record["signing"].get("valid", True)
        client = daemon.client(fivetran={"format": "fivetran", "secret": record["signing"]["secret"]})
        status = client.post("/events/fivetran", content=body, headers=record["headers"]).status_code
        understood = "event" in record["payload"]
        assert status == (401 if not valid else 202 if understood else 400), record.get("note")
        assert client.post("/events/fivetran", content=body + b"\n", headers=record["headers"]).status_code == 401
        seen += 1
    assert seen >= 8


def test_dbt_signature_is_the_authorization_header(daemon: Daemon) -> None:
    body = b'{"eventType": "job.run.started", "data": {}}'
    client = daemon.client(dbt={"format": "dbt", "secret": "key"})
    digest = signed(body)["X-Fivetran-Signature-256"]
    assert client.post("/events/dbt", content=body, headers={"Authorization": "0" * 64}).status_code == 401
    assert client.post("/events/dbt", content=body, headers={"Authorization": digest}).status_code != 401


def test_a_url_token(daemon: Daemon) -> None:
    client = daemon.client(airbyte={"format": "freshd", "url_token": "t0k"}, base="http://freshd.example")
    for path in ("/events/airbyte", "/events/airbyte/", "/events/airbyte/wrong", "/events/airbyte/t0k2"):
        assert client.post(path, json={"asset": "a"}).status_code == 401, path
    assert client.post("/events/airbyte/t0k", json={"asset": "a"}).status_code == 202


def test_a_bearer_token_and_a_path_of_its_own(daemon: Daemon, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("first\n")
    entry = {"format": "openlineage", "bearer_file": str(secret), "path": "/api/v1/lineage"}
    client = daemon.client(lineage=entry, base="http://freshd.example")
    event = {
        "eventTime": "2026-11-18T08:00:00Z",
        "producer": "https://example.org",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
        "eventType": "COMPLETE",
        "run": {"runId": "0191d6b6-0000-7000-8000-000000000000"},
        "job": {"namespace": "n", "name": "j"},
        "outputs": [{"namespace": "s3://lake", "name": "bronze/orders"}],
    }
    for path in ("/api/v1/lineage", "/events/lineage"):
        assert client.post(path, json=event).status_code == 401
        assert client.post(path, json=event, headers={"Authorization": "Bearer first"}).status_code == 202
    secret.write_text("second")  # changed under way
    assert client.post("/events/lineage", json=event, headers={"Authorization": "Bearer first"}).status_code == 401
    assert client.post("/events/lineage", json=event, headers={"Authorization": "bearer second"}).status_code == 202


@pytest.mark.parametrize(
    ("number", "paths", "taker"),
    [
        (1, {"a": ""}, "a"),
        (2, {"a": "", "b": ""}, "a"),
        (3, {"a": "", "b": "/api/v1/lineage"}, "b"),
        (4, {"a": "/lineage"}, ""),
        (5, {"a": "/lineage", "b": ""}, "b"),
    ],
)
def test_openlineage_is_heard_where_its_clients_post_by_themselves(
    daemon: Daemon, number: int, paths: dict[str, str], taker: str
) -> None:
    entries = {name: {"format": "openlineage", "bearer": name, "path": path} for name, path in paths.items()}
    client = daemon.client(base="http://freshd.example", **entries)
    event = {"eventTime": "2026-11-18T08:00:00Z", "eventType": "COMPLETE", "run": {"runId": "r"}}
    event |= {"job": {"namespace": "n", "name": "j"}, "outputs": [{"namespace": "s3://lake", "name": "bronze/orders"}]}
    heads = {name: {"Authorization": f"Bearer {name}"} for name in paths}
    found = {name: client.post("/api/v1/lineage", json=event, headers=heads[name]).status_code for name in paths}
    others = 401 if taker else 404
    assert found == {name: 202 if name == taker else others for name in paths}
    assert {client.post(f"/events/{name}", json=event, headers=heads[name]).status_code for name in paths} == {202}


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_secret_lets_nobody_in(daemon: Daemon, tmp_path: Path, content: str) -> None:
    secret = tmp_path / "token"
    secret.write_text(content)
    client = daemon.client(
        one={"format": "freshd", "bearer_file": str(secret)},
        two={"format": "freshd", "url_token_file": str(secret)},
        three={"format": "fivetran", "secret_file": str(secret)},
    )
    assert client.post("/events/one", json={"asset": "a"}, headers={"Authorization": "Bearer "}).status_code == 401
    assert client.post("/events/two", json={"asset": "a"}).status_code == 401
    assert client.post("/events/three", content=b"{}", headers=signed(b"{}", secret="")).status_code == 401


def test_a_secret_that_cannot_be_read_is_no_open_door(daemon: Daemon, tmp_path: Path) -> None:
    client = daemon.client(one={"format": "freshd", "bearer_file": str(tmp_path / "gone")})
    answer = client.post("/events/one", json={"asset": "a"}, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text


def test_a_webhook_that_cannot_be_understood_is_refused_and_kept(daemon: Daemon) -> None:
    body = b'{"event": "sync_end", "data": {"status": "SUCCESSFUL"}}'
    client = daemon.client(fivetran={"format": "fivetran", "secret": "key"})
    answer = client.post("/events/fivetran", content=body, headers=signed(body))
    assert answer.status_code == 400
    assert "connector_id" in answer.json()["error"]
    assert [type(each) for each in daemon.inputs] == [DeadLetter]


def test_cloudevents_structured_batched_and_binary(daemon: Daemon) -> None:
    client = daemon.client(ce={"format": "cloudevents"})
    event = {"specversion": "1.0", "id": "1", "source": "/loader", "type": "org.example.loaded", "subject": "orders"}
    one = {"content-type": "application/cloudevents+json; charset=utf-8"}
    assert client.post("/events/ce", content=json.dumps(event), headers=one).json() == {"accepted": 1}
    many = {"content-type": "application/cloudevents-batch+json"}
    batch = json.dumps([event, {**event, "id": "2"}])
    assert client.post("/events/ce", content=batch, headers=many).json() == {"accepted": 2}
    binary = {f"ce-{name}": value for name, value in event.items()} | {"content-type": "text/csv"}
    assert client.post("/events/ce", content=b"a,b", headers=binary).json() == {"accepted": 1}
    assert [each.id for each in daemon.inputs if isinstance(each, Event)] == ["1", "1", "2", "1"]


def test_answers_are_counted(daemon: Daemon) -> None:
    client = daemon.client(fivetran={"format": "fivetran", "secret": "key"})
    client.post("/events", json={"asset": "a"})
    client.post("/events", json={})
    client.post("/events/fivetran", json={})
    assert daemon.ingress.requests() == {("", 202): 1, ("", 400): 1, ("fivetran", 401): 1}


# -- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"format": "airbyte", "secret": "x"}, "do not sign"),
        ({"format": "fivetran", "secret": "x", "secret_file": "y"}, "not both"),
        ({"format": "fivetran", "path": "lineage"}, "/api/v1/lineage"),
        ({"format": "fivetran", "max_body_bytes": 1 << 40}, "max_body_bytes"),
        ({"format": "fivetran", "sekret": "x"}, "sekret"),
    ],
)
def test_settings_that_do_not_fit_together(entry: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        IngressSettings.model_validate(entry)


@pytest.mark.parametrize(
    ("listen", "open_doors"),
    [
        ("127.0.0.1:8765", 0),
        ("localhost:8765", 0),
        ("[::1]:8765", 0),
        ("127.8.8.8:1", 0),
        ("0.0.0.0:8765", 2),
        ("[::]:8765", 2),
        (":8765", 2),
        ("freshd.example:8765", 2),
    ],
)
def test_doors_open_beyond_loopback_are_problems(listen: str, open_doors: int) -> None:
    entries = {
        "open": IngressSettings(format="fivetran"),
        "shut": IngressSettings.model_validate({"format": "fivetran", "secret": "x"}),
    }
    assert len(ingress_problems(entries, listen, has_token=False)) == open_doors
    assert len(ingress_problems(entries, listen, has_token=True)) == max(0, open_doors - 1)


def test_paths_that_meet_are_problems() -> None:
    entries = {
        "a": IngressSettings(format="fivetran", path="/hook"),
        "b": IngressSettings(format="fivetran", path="/hook"),
        "c": IngressSettings(format="fivetran", path="/metrics"),
        "d/e": IngressSettings(format="fivetran"),
    }
    found = [str(problem) for problem in ingress_problems(entries, "127.0.0.1:1", has_token=False)]
    assert [text.split(":")[1].strip() for text in found] == ["ingress.b", "ingress.c", "ingress.d/e"]


def test_secrets_are_not_shown() -> None:
    entry = IngressSettings.model_validate({"format": "fivetran", "secret": "hush"})
    assert "hush" not in repr(entry) + entry.model_dump_json()


# -- bodies ------------------------------------------------------------------------------------------


def _packed(value: Any, encoding: str = "gzip") -> dict[str, Any]:
    body = json.dumps(value).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return {"content": packed, "headers": {"content-type": "application/json", "content-encoding": encoding}}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_packed_bodies_are_taken(daemon: Daemon, encoding: str) -> None:
    client = daemon.client()
    assert client.post("/events", **_packed({"asset": "a"}, encoding)).json() == {"accepted": 1}
    assert daemon.ingress._in_hand == 0


def test_a_signature_is_of_what_was_sent(daemon: Daemon) -> None:
    client = daemon.client(fivetran={"format": "fivetran", "secret": "key"})
    request = _packed(SYNC_END)
    request["headers"] |= signed(request["content"])
    assert client.post("/events/fivetran", **request).status_code == 202


def test_a_body_that_grows_beyond_the_limit_is_refused(daemon: Daemon) -> None:
    bomb = _packed({"asset": "a", "metadata": {"x": "y" * 50_000_000}})
    assert len(bomb["content"]) < 100_000
    assert daemon.client().post("/events", **bomb).status_code == 413
    assert daemon.ingress._in_hand == 0


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"plain", "gzip", 400),
        (gzip.compress(b'{"asset": "a"}')[:-4], "gzip", 400),
        (b'{"asset": "a"}', "br", 415),
        (b'{"asset": "a"}', "identity", 202),
    ],
)
def test_bodies_that_are_not_what_they_say(daemon: Daemon, content: bytes, encoding: str, status: int) -> None:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    assert daemon.client().post("/events", content=content, headers=headers).status_code == status


def test_a_body_that_does_not_come_is_not_waited_for(daemon: Daemon) -> None:
    daemon.client()
    ingress = Ingress({}, daemon.translate, daemon.put, lambda: NOW, body_within_s=0.05)

    async def ask() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not sent and not told:
                told.append(True)
                return {"type": "http.request", "body": b'{"as', "more_body": True}
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        told: list[bool] = []
        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/events", "headers": headers, "query_string": b""}
        await Starlette(routes=ingress.routes())(
            {**scope, "server": ("127.0.0.1", 80), "scheme": "http"}, receive, send
        )
        return sent

    assert asyncio.run(ask())[0]["status"] == 408
    assert ingress._in_hand == 0
