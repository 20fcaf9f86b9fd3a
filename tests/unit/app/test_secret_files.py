"""Files for secrets that cannot be used: told by `check`, waited for by the start, at the line or variable of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshd.app.opening import FIRST_WAIT, wait_for_secrets
from freshd.app.secret_files import secret_problems
from freshd.cli.commands import app
from freshd.model.errors import ConfigError, TransientError
from freshd.model.time import Duration
from freshd.settings import load_settings

WRITTEN = """\
store: sqlite:///freshd.db
api: {token_file: secrets/token}
ingress:
  fivetran:
    format: fivetran
    secret_file: %s
"""


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (1, "right", ""),
        (2, "gone", "ingress.fivetran.secret_file: {} cannot be read: No such file or directory; put it there and let"),
        (3, "folder", "ingress.fivetran.secret_file: {} cannot be read: Is a directory; put it there and let"),
        (4, "empty", "ingress.fivetran.secret_file: {} is empty; write the secret into it, or leave this setting out"),
        (5, "binary", "ingress.fivetran.secret_file: {} is not text; put the secret there as text, or name another"),
    ],
)
def test_what_is_said_of_a_file(tmp_path: Path, number: int, file: str, said: str) -> None:
    (tmp_path / "secrets").mkdir()
    for name, held in {"token": b"t", "right": b"s\n", "empty": b" \n", "binary": b"\xff\xfe"}.items():
        (tmp_path / "secrets" / name).write_bytes(held)
    (tmp_path / "secrets" / "folder").mkdir()
    path = tmp_path / "freshd.yaml"
    path.write_text(WRITTEN % f"secrets/{file}", encoding="utf-8")
    problems = [str(problem) for problem in secret_problems(load_settings(path, {}))]
    assert len(problems) == bool(said)
    for problem in problems:
        assert problem.startswith(f"{path}:6: " + said.format(tmp_path / "secrets" / file))
    by_variable = load_settings(path, {"FRESHD_INGRESS__FIVETRAN__SECRET_FILE": str(tmp_path / "secrets" / file)})
    assert [str(one).split(":")[0] for one in secret_problems(by_variable)] == (
        ["$FRESHD_INGRESS__FIVETRAN__SECRET_FILE"] if said else []
    )


def test_check_notes_it_and_the_start_waits(tmp_path: Path) -> None:
    path = tmp_path / "freshd.yaml"
    path.write_text(WRITTEN % "gone" + "catalog: [assets.yaml]\n", encoding="utf-8")
    (tmp_path / "assets.yaml").write_text("assets: [{key: a}]", encoding="utf-8")
    checked = CliRunner().invoke(app, ["--config", str(path), "check"])
    assert checked.exit_code == 0 and checked.output.count("cannot be read: No such file") == 2
    assert f"note: {path}:2: api.token_file: " in checked.output
    asked: list[Duration] = []

    def stop_within(wait: Duration) -> bool:
        asked.append(wait)
        return len(asked) == 3

    with pytest.raises(TransientError) as caught:
        wait_for_secrets(load_settings(path, {"FRESHD_LISTEN": "127.0.0.1:0"}), stop_within)
    assert [f"{path}:{line}: " in str(caught.value) for line in (2, 6)] == [True, True]
    assert asked == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert not (tmp_path / "freshd.db").exists(), "nothing has begun"


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("api: {token: ''}", {}, "freshd.yaml:1: api.token is empty; give the secret, or leave the setting out"),
        ("", {"FRESHD_API__TOKEN": ""}, "$FRESHD_API__TOKEN: api.token is empty; give the secret, or leave"),
        ("slack: {token: ' ', channel: '#a'}", {}, "freshd.yaml:1: slack.token is empty; give the secret, or leave"),
    ],
)
def test_an_empty_secret_guards_nothing(tmp_path: Path, text: str, environ: dict[str, str], said: str) -> None:
    path = tmp_path / "freshd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ)
    assert str(caught.value.problems[0]).replace(f"{tmp_path}/", "").startswith(said)
