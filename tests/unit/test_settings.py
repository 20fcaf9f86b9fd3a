"""freshd.yaml with the environment over it; whatever is wrong is told with its line or variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.adapters.launch.settings import DbtSettings, PythonSettings
from freshd.model.errors import ConfigError
from freshd.settings import Settings, load_settings

EVERYTHING = """
mode: act
store: sqlite:///freshd.db
listen: 127.0.0.1:8765
metrics: {listen: 0.0.0.0:9765}
api: {token_file: secrets/token}
kafka:
  bootstrap_servers: [kafka-1:9092]
  group_id: freshd
  start: earliest
  topics:
    fivetran.events: {format: fivetran}
    lineage: {format: openlineage, heartbeat: 5m}
  security: {protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: freshd, password_file: p, ca_file: /c}
ingress:
  fivetran: {format: fivetran, secret_file: s}
  airbyte: {format: airbyte, url_token_file: t}
  lineage: {format: openlineage, bearer_file: b, path: /api/v1/lineage}
catalog:
  - {dbt: target/manifest.json, launcher: dbt, results: target/}
  - {python: shop.assets, prefix: shop}
  - assets/*.yaml
policies: policies/*.yaml
identify:
  - {format: fivetran, match: {connector: rainy_dental}, assets: "source:stripe"}
  - {format: openlineage, match: {name: "*_dbt_test__audit.*"}, ignore: true}
launchers:
  dbt: {kind: dbt, project_dir: ., profile: shop, target: prod, threads: 4, timeout: 30m}
  build: {kind: command, argv: [make, "{{ asset.name }}"], timeout: 30m, limit: 4}
slack: {token_file: tok, channel: "#data-freshness"}
log: {level: info, format: text}
"""


def load(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "freshd.yaml").write_text(text, encoding="utf-8")
    return load_settings(folder / "freshd.yaml", environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environ)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_everything_there_is(tmp_path: Path) -> None:
    settings = load(tmp_path, EVERYTHING)
    assert settings.base == tmp_path
    assert settings.api.token_file == tmp_path / "secrets" / "token"
    assert settings.kafka is not None and settings.kafka.security.password_file == tmp_path / "p"
    assert settings.kafka.security.ca_file == Path("/c")
    first, second = settings.rules()
    assert first.origin == f"{tmp_path}/freshd.yaml:25" and second.ignore
    assert settings.where("launchers", "build", "argv") == f"{tmp_path}/freshd.yaml:29"


def test_nothing_at_all(tmp_path: Path) -> None:
    for settings in (load(tmp_path, ""), load(tmp_path, "kafka:\nidentify:\nstore:"), load_settings(None, {})):
        assert settings.mode == "act" and settings.listen == "127.0.0.1:8765" and settings.kafka is None


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        EVERYTHING,
        FRESHD_MODE="observe",
        FRESHD_KAFKA__BOOTSTRAP_SERVERS="a:9092, b:9092",
        FRESHD_KAFKA__TOPICS="{x.y: {format: freshd, heartbeat: 1m}}",
        FRESHD_LAUNCHERS__DBT__TARGET="dev",
        FRESHD_LAUNCHERS__DBT__THREADS="8",
        FRESHD_LOG__FORMAT="json",
        FRESHD_POLICIES="a.yaml,b.yaml",
        FRESHD_INGRESS__FIVETRAN__SECRET_FILE="/run/s",
        freshd_listen="127.0.0.1:1",
    )
    assert settings.mode == "observe" and settings.listen == "127.0.0.1:1" and settings.log.format == "json"
    assert settings.kafka is not None and settings.kafka.bootstrap_servers == ["a:9092", "b:9092"]
    assert set(settings.kafka.topics) == {"fivetran.events", "lineage", "x.y"}
    dbt = settings.launchers["dbt"]
    assert isinstance(dbt, DbtSettings) and (dbt.target, dbt.threads, dbt.profile) == ("dev", 8, "shop")
    assert settings.policies == ("a.yaml", "b.yaml")
    assert settings.ingress["fivetran"].secret_file == Path("/run/s")
    assert settings.where("mode") == "$FRESHD_MODE" and settings.where("kafka", "group_id").endswith("freshd.yaml:9")


@pytest.mark.parametrize("text", ["", "store: sqlite:///a.db", "store: {url: 'sqlite:///a.db'}"])
def test_a_store_by_the_environment(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text, FRESHD_STORE="postgresql://u@h/d", FRESHD_STORE__PASSWORD_FILE="/p")
    assert settings.store.url.get_secret_value() == "postgresql://u@h/d"
    assert settings.store.password_file == Path("/p")
    if text:
        only_file = load(tmp_path, text, FRESHD_STORE__PASSWORD_FILE="/p")
        assert only_file.store.url.get_secret_value() == "sqlite:///a.db"


def test_a_secret_beside_a_file_that_is_named_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "pw").write_text("geheim")
    (tmp_path / "conf" / "freshd.yaml").write_text("store: {url: 'postgresql://u@h/d', password_file: pw}")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("conf/freshd.yaml"), {})
    assert settings.store.target(settings.base).password == "geheim"


def test_what_kubernetes_and_others_set_is_ignored(tmp_path: Path) -> None:
    load(
        tmp_path,
        "",
        FRESHD_PORT="tcp://10.0.0.1:8765",
        FRESHD_PORT_8765_TCP="tcp://10.0.0.1:8765",
        FRESHD_PORT_8765_TCP_ADDR="10.0.0.1",
        FRESHD_SERVICE_HOST="10.0.0.1",
        FRESHD_SERVICE_PORT="8765",
        FRESHD_SERVICE_PORT_HTTP="8765",
        FRESHD_POSTGRES_SERVICE_HOST="10.0.0.2",
        FRESHD_POSTGRES_PORT_5432_TCP_PROTO="tcp",
        FRESHD_CONFIG="x",
        FRESHD_URL="http://x",
        FRESHD_TEST_KAFKA="x:9092",
        PATH="x",
    )


@pytest.mark.parametrize(
    ("number", "text", "environ", "said"),
    [
        (1, "mod: act", {}, "freshd.yaml:1: unknown key mod; did you mean mode?"),
        (
            46,
            "launchers: {build: {kind: comand, argv: [x]}}",
            {},
            "freshd.yaml:1: launchers.build: unknown kind comand; did you mean command?",
        ),
        (2, "mode: acting", {}, "freshd.yaml:1: mode: should be 'act' or 'observe'"),
        (3, "mode: act\nmode: act", {}, "freshd.yaml:2: the key mode is given twice, first in line 1"),
        (
            4,
            "kafka: {bootstrap_server: [a]}",
            {},
            "freshd.yaml:1: unknown key bootstrap_server; did you mean bootstrap_",
        ),
        (
            5,
            "kafka:\n  bootstrap_servers: [a]\n  topics:\n    t: {formt: x}",
            {},
            "freshd.yaml:4: unknown key formt; did",
        ),
        (6, "launchers:\n  x: {kind: comand}", {}, "freshd.yaml:2: launchers.x: "),
        (24, "launchers: {x: 5}", {}, "freshd.yaml:1: launchers.x: should be a mapping"),
        (
            25,
            "kafka: {bootstrap_servers: []}",
            {},
            "freshd.yaml:1: kafka.bootstrap_servers: list should have at least 1",
        ),
        (
            26,
            "listen: 127.0.0.1:99999",
            {},
            "freshd.yaml:1: listen: '127.0.0.1:99999' is not an address; write HOST:PORT",
        ),
        (27, "listen: localhost:http", {}, "freshd.yaml:1: listen: 'localhost:http' is not an address"),
        (28, "metrics: {listen: '9765'}", {}, "freshd.yaml:1: metrics.listen: '9765' is not an address"),
        (
            23,
            "launchers:\n  x: {argv: [a]}",
            {},
            "freshd.yaml:2: launchers.x: kind is missing; known are command, python, dbt",
        ),
        (
            7,
            "launchers:\n  x: {kind: command, argv: [a], cdw: b}",
            {},
            "freshd.yaml:2: unknown key cdw; did you mean cwd?",
        ),
        (8, "ingress: {x: {format: fivtran}}", {}, "freshd.yaml:1: ingress.x.format: unknown format fivtran; did you"),
        (
            9,
            "listen: 0.0.0.0:1\ningress:\n  x: {format: airbyte}",
            {},
            "freshd.yaml:3: ingress.x: ",
        ),
        (10, "listen: 0.0.0.0:1", {}, "freshd.yaml:1: listen: 0.0.0.0:1 is reached from other machines"),
        (11, "identify:\n- {format: fivetran}", {}, "freshd.yaml:2: identify.0: an identify rule says either"),
        (
            12,
            "identify:\n- {match: {a: b}, assets: 'x:{y}'}",
            {},
            "freshd.yaml:2: identify.0: {y} in 'x:{y}' is captured",
        ),
        (13, "store: mysql://x/y", {}, "freshd.yaml:1: store: mysql is not a store"),
        (14, "- mode", {}, "freshd.yaml:1: settings are a mapping"),
        (15, "mode: act\n---\nmode: act", {}, "freshd.yaml:3: a second document"),
        (16, "", {"FRESHD_MOED": "act"}, "$FRESHD_MOED: unknown setting moed; did you mean mode?"),
        (22, "", {"FRESHD_PORT": "8765"}, "$FRESHD_PORT: unknown setting port"),
        (17, "", {"FRESHD_MODE": "acting"}, "$FRESHD_MODE: mode: should be 'act' or 'observe'"),
        (18, "", {"FRESHD_LOG__LEVLE": "info"}, "$FRESHD_LOG__LEVLE: unknown key levle; did you mean level?"),
        (19, "", {"FRESHD_CATALOG": "[{dbt: x"}, "$FRESHD_CATALOG"),
        (20, "", {"FRESHD_CATALOG": "[{dbt: x, dbt: y}]"}, "$FRESHD_CATALOG:1: the key dbt is given twice"),
        (21, "api: {token: a, token_file: b}", {}, "freshd.yaml:1: api: give token or token_file, not both"),
    ],
)
def test_what_is_wrong(tmp_path: Path, number: int, text: str, environ: dict[str, str], said: str) -> None:
    if number == 19:  # text that is no list is a path, and this one is none that could be
        assert load(tmp_path, text, **environ).catalog == ("[{dbt: x",)
        return
    found = problems(tmp_path, text, **environ)
    assert any(problem.startswith(said) for problem in found), found


def test_problems_of_file_and_environment_are_told_together(tmp_path: Path) -> None:
    found = problems(tmp_path, "mod: act\nlog: {level: loud}", FRESHD_XYZ="1")
    assert len(found) == 3 and found[0].startswith("$FRESHD_XYZ")


def test_unknown_formats_are_told_with_what_else_is_wrong(tmp_path: Path) -> None:
    text = (
        "mod: act\ningress:\n  x: {format: fivtran}\nkafka:\n  bootstrap_servers: [a]\n  topics:\n"
        "    t: {format: fresh}\nidentify:\n- {format: airbite, match: {source_name: a}, assets: b}\nlog: loud\n"
    )
    assert [problem.split(":")[1] for problem in problems(tmp_path, text)] == ["3", "7", "9", "10", "1"]
    assert "unknown format" in " ".join(problems(tmp_path, "ingress: {x: {format: ''}}"))
    assert load(tmp_path, "identify: [{format: '', match: {source_name: a}, assets: b}]").rules()[0].format == ""


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="freshd init writes one"):
        load_settings(tmp_path / "freshd.yaml", {})


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    text = "api: {token: hunter2}\nslack: {token: hunter2, chanel: x}\nstore: 'postgresql://u:hunter2@h/d'"
    assert "hunter2" not in " ".join(problems(tmp_path, text))
    settings = load(tmp_path, text.replace(", chanel: x", ""))
    assert "hunter2" not in repr(settings) + str(settings) + repr(settings.model_dump())
    assert settings.api.secret() == "hunter2"


def test_a_token_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("abc\n")
    assert load(tmp_path, "api: {token_file: t}").api.secret() == "abc"
    with pytest.raises(ConfigError, match=r"cannot be read.*api\.token_file"):
        load(tmp_path, "api: {token_file: u}").api.secret()


@pytest.mark.parametrize(
    ("number", "text", "launchers"),
    [
        (1, "catalog: [{python: shop.assets}, {python: more, path: src}, {python: again}]", {"python": [".", "src"]}),
        (2, "catalog: [{python: shop.assets, launcher: own}]", {}),
        (3, "catalog: [a.yaml, {dbt: m.json}]", {}),
        (4, "catalog: [{python: a}]\nlaunchers: {python: {kind: python, pythonpath: [x]}}", {"python": ["x"]}),
    ],
)
def test_functions_need_no_launcher_to_be_written(
    tmp_path: Path, number: int, text: str, launchers: dict[str, list[str]]
) -> None:
    found = load(tmp_path, text).launchers
    assert {name: one.pythonpath for name, one in found.items() if isinstance(one, PythonSettings)} == launchers
    assert found.keys() == launchers.keys()
