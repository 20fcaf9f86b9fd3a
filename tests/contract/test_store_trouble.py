"""A store in trouble: killed in mid-append, out of disk, read-only, locked, gone, damaged, or not there at all.

Each time: nothing is half-written, what can be tried again works once the trouble is over, and the message says
how to mend it.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.contract.store_victim import EACH, records
from tests.postgres.server import Server

from freshd.adapters.sql import SqlStore, StoreSettings, connect
from freshd.adapters.sql.writer import Writer
from freshd.model.errors import PermanentError, TransientError

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def store_at(url: str) -> SqlStore:
    store = SqlStore(StoreSettings.model_validate(url))
    store.open()
    return store


def victim(url: str, what: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "daemon"), str(ROOT)])}
    command = [sys.executable, "-m", "tests.contract.store_victim", url, what]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def numbers(store: SqlStore) -> list[int]:
    return [record.now - 1_700_000_000_000_000 for record in store.recover()[1]]


# -- killed


def test_killed_in_mid_append_nothing_durable_is_lost_and_nothing_is_half_written(url: str) -> None:
    told = 0
    for life, lines in enumerate((19, 24)):
        process = victim(url, "flood")
        assert process.stdout is not None
        for _ in range(lines):
            told = int(process.stdout.readline())
        time.sleep(0.003 * life)  # to hit another place each time
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        told = int(rest[-1]) if rest and rest[-1].isdigit() else told
        store = store_at(url)
        upto = next((value for kind, _, value in store.recover()[0] if kind == "upto"), 0)
        found = numbers(store)
        last = found[-1] if found else upto
        assert found == [number for number in range(upto + 1, last + 1) for _ in range(EACH)]
        assert last in (told, told + 1)
        assert store.positions() == {"s": str(last)}
        counted = store._query("count", "SELECT COUNT(*), MAX(recorded_at) FROM materialisations")
        assert counted == [(last * EACH, 1_700_000_000_000_000 + last)]
        store.close()


# -- gone back: a server crashed before a commit reached its disk, or a standby took over that had not heard of it


def lose(url: str, statement: str, *values: Any) -> None:
    """What the store looks like afterwards, by hand."""
    settings = StoreSettings.model_validate(url)
    writer = Writer(settings.target(Path()), settings.synchronous)
    with writer.transaction("lose") as transaction:
        transaction.run(statement, *values)
    writer.close()


def test_a_store_that_lost_facts_is_not_gone_on_with(url: str) -> None:
    store = store_at(url)
    store.append(records(1), {"s": "1"})
    store.append(records(2), {"s": "2"})
    lose(url, "DELETE FROM journal WHERE step = ?", 2)
    lose(url, "UPDATE lease SET step = ?, history_step = ?", 1, 1)
    with pytest.raises(PermanentError, match="has lost what it had confirmed"):
        store.append(records(3), {"s": "3"})
    store._writer.close()
    again = store_at(url)
    assert numbers(again) == [1] * EACH
    again.close()


def test_a_store_that_lost_a_checkpoint_is_not_gone_on_with(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it folded is still in the journal; the next checkpoint of the same life would fold it without writing it."""
    store = store_at(url)
    store.append(records(1), {"s": "1"})
    store.checkpoint([("upto", "", 1)])
    lose(url, "DELETE FROM state WHERE kind = ?", "upto")
    lose(url, "UPDATE lease SET folded = ?", 0)
    with monkeypatch.context() as patched:
        patched.setattr(store._writer, "_connected", gone)
        with pytest.raises(TransientError):
            store.append(records(2), {"s": "2"})
    with pytest.raises(PermanentError, match="has lost what it had confirmed"):
        store.append(records(2), {"s": "2"})
    store._writer.close()
    again = store_at(url)
    assert numbers(again) == [1] * EACH
    again.close()


def gone() -> Any:
    raise TransientError("the server crashed")


# -- SQLite


def test_a_full_disk_is_told_and_the_same_append_works_when_there_is_room(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/f.db"
    process = victim(url, "disk")
    said = process.communicate(timeout=120)[0].splitlines()
    assert process.returncode == 0
    assert "cannot write facts" in said[0]
    assert "disk" in said[0]
    number = int(said[1])
    store = store_at(url)
    assert numbers(store) == [i for i in range(1, number + 1) for _ in range(EACH)]
    assert store.positions() == {"s": str(number)}
    assert len(store.materialisations("a0", 10_000)) == number
    store.close()


@contextmanager
def without_rights() -> Iterator[Path]:
    """A folder whose store this process may read but not write, as a user who is not root."""
    folder = Path(tempfile.mkdtemp(prefix="freshd-readonly-"))
    url = f"sqlite:///{folder}/f.db"
    store = store_at(url)
    store.append(records(1), {"s": "1"})
    store.close()
    root = os.geteuid() == 0
    for path in (*folder.iterdir(), folder):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222 | 0o444 | (0o111 if path.is_dir() else 0))
    if root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_a_read_only_database_is_refused_with_what_to_do() -> None:
    with without_rights() as folder, pytest.raises(PermanentError, match="let freshd's user write") as caught:
        store_at(f"sqlite:///{folder}/f.db")
    assert str(folder) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do() -> None:
    with without_rights() as folder, pytest.raises(PermanentError, match="cannot open it"):
        store_at(f"sqlite:///{folder}/new/f.db")


def test_a_database_that_becomes_read_only_is_waited_for(tmp_path: Path) -> None:
    store = store_at(f"sqlite:///{tmp_path}/f.db")
    store.append(records(1), {"s": "1"})
    assert store._writer._connection is not None
    store._writer._connection.exec_driver_sql("PRAGMA query_only = ON")
    store._writer._connection.rollback()
    with pytest.raises(TransientError, match="read-only"):
        store.append(records(2), {"s": "2"})
    store.append(records(2), {"s": "2"})  # over a new connection
    assert numbers(store) == [1] * EACH + [2] * EACH
    store.close()


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "LOCK_WAIT_S", 0.1)
    store = store_at(f"sqlite:///{tmp_path}/f.db")
    other = sqlite3.connect(tmp_path / "f.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError, match="another program holds it locked"):
        store.append(records(1), {})
    assert store.materialisations("") == []  # readers go on
    other.execute("ROLLBACK")
    store.append(records(1), {})
    assert len(numbers(store)) == EACH
    store.close()
    other.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.db").write_text("these are not the bytes you are looking for " * 100)
    with pytest.raises(PermanentError, match="no SQLite database"):
        store_at(f"sqlite:///{tmp_path}/f.db")


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "f.db"
    store = store_at(f"sqlite:///{file}")
    store.append(records(1), {})
    store.close()
    data = bytearray(file.read_bytes())
    data[200:] = b"\xa5" * (len(data) - 200)
    file.write_bytes(data)
    with pytest.raises(PermanentError, match="backup"):
        store_at(f"sqlite:///{file}")


def test_the_folder_of_a_new_file_is_made(tmp_path: Path) -> None:
    store_at(f"sqlite:///{tmp_path}/deep/er/f.db").close()
    assert (tmp_path / "deep/er/f.db").exists()


def test_durable_means_synced(tmp_path: Path) -> None:
    def pragma(settings: Any, name: str) -> Any:
        store = SqlStore(StoreSettings.model_validate(settings))
        store.open()
        with store._writer.transaction("look") as transaction:
            ((value,),) = transaction.rows(f"PRAGMA {name}")
        store.close()
        return value

    url = f"sqlite:///{tmp_path}/f.db"
    assert pragma(url, "journal_mode") == "wal"
    assert pragma(url, "synchronous") == 2
    assert pragma({"url": url, "synchronous": "normal"}, "synchronous") == 1


# -- PostgreSQL


def test_a_session_that_the_server_ends_is_followed_by_another(postgres_url: str) -> None:
    store = store_at(postgres_url)
    store.append(records(1), {"s": "1"})
    with store._writer.transaction("look") as transaction:
        ((pid,),) = transaction.rows("SELECT pg_backend_pid()")
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(TransientError):
        store.append(records(2), {"s": "2"})
    store.append(records(2), {"s": "2"})
    assert numbers(store) == [1] * EACH + [2] * EACH
    store.close()


def test_a_server_that_restarts_is_waited_for(mortal_postgres: Server) -> None:
    store = store_at(mortal_postgres.url)
    store.append(records(1), {"s": "1"})
    mortal_postgres.stop()
    for _ in range(2):
        with pytest.raises(TransientError, match="server"):
            store.append(records(2), {"s": "2"})
    with pytest.raises(TransientError, match="server"):
        store.materialisations("a0")
    mortal_postgres.start()
    store.append(records(2), {"s": "2"})
    assert numbers(store) == [1] * EACH + [2] * EACH
    store.checkpoint([])
    assert len(store.materialisations("a0")) == 2
    store.close()


def test_a_server_that_is_not_there_is_told_with_its_address(own_postgres: Server) -> None:
    with pytest.raises(TransientError, match="is it running") as caught:
        store_at("postgresql://freshd:secret@127.0.0.1:1/freshd")
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_told(own_postgres: Server) -> None:
    with pytest.raises(PermanentError, match="no such database: create it"):
        store_at(own_postgres.url.replace("/postgres", "/nowhere").replace("//freshd@", "//freshd:secret@"))


def test_a_standby_is_told(postgres_url: str) -> None:
    with pytest.raises(PermanentError, match="read-only"):
        store_at(postgres_url + "%20-cdefault_transaction_read_only%3Don")


def test_a_user_without_rights_is_told(own_postgres: Server, postgres_url: str) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS guest")
        admin.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(PermanentError, match="permission denied"):
        store_at(own_postgres.url.replace("freshd@", "guest@"))


def test_a_daemon_that_was_cut_off_with_an_open_transaction_cannot_hold_up_the_next_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "LOCK_WAIT_S", 1)
    first = store_at(postgres_url)
    with first._writer.transaction("hang") as transaction:
        transaction.run("UPDATE lease SET holder = 'hung' WHERE id = 1")
        with pytest.raises(TransientError, match="holds what is needed locked"):
            store_at(postgres_url)
    second = store_at(postgres_url)
    assert second.epoch == first.epoch + 1
    second.close()
    first.close()


def test_a_server_told_to_forget_the_last_commits_is_told_otherwise(postgres_url: str) -> None:
    store = store_at(postgres_url + "%20-csynchronous_commit%3Doff")
    with store._writer.transaction("look") as transaction:
        assert transaction.rows("SELECT current_setting('synchronous_commit')") == [("on",)]
    store.close()
