"""The servers that a command works with, and what `mess doctor` says of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mess_plugin import embedded
from mess_plugin.cli.doctor import device_check, doctor
from mess_plugin.cli.vectors import embed
from mess_plugin.config import Settings
from mess_plugin.errors import MessError, ServiceError, StoreError
from mess_plugin.services import connected, environment, ping_broker
from mess_plugin.store import open_store
from tests.audio_files import music, write_audio


def ask_doctor(home: Path, *words: str, **variables: str) -> Result:
    return CliRunner().invoke(
        doctor,
        list(words),
        env={"MESS_HOME": str(home), "MESS_ENCODER": "descriptors", **variables},
    )


def test_servers_that_are_named_are_used_and_no_others_started(tmp_path: Path) -> None:
    """They need not even be there: whoever connects finds out."""
    given = Settings(
        home=tmp_path / "home", database_url="postgresql://nowhere/x", broker_url="redis://nowhere"
    )
    with connected(given, broker=True) as ready:
        assert ready == given
    assert embedded.state(given.home) is None


def test_the_embedded_servers_fill_in_what_is_missing(embedded_home: Path) -> None:
    settings = Settings(home=embedded_home)
    with connected(settings) as ready:
        assert ready.broker_url is None
        with open_store(ready.database_url or "") as store:
            assert store.library.count() == (0, 0, 0.0)
        with connected(settings, broker=True) as both:
            assert both.database_url == ready.database_url
            assert ping_broker(both.broker_url or "").startswith("valkey 9")
    assert settings.database_url is None


def test_one_named_server_goes_with_an_embedded_other(embedded_home: Path, valkey_url: str) -> None:
    given = Settings(home=embedded_home, broker_url=valkey_url)
    with connected(given, broker=True) as ready:
        assert ready.broker_url == valkey_url
        found = embedded.state(embedded_home)
        assert found is not None
        assert found.database_url == ready.database_url
        assert found.broker_url is None


def test_a_home_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(MessError, match=str(tmp_path)),
        connected(Settings(home=tmp_path / "file" / "home")),
    ):
        pass


def test_a_worker_gets_the_settings_that_are_set(tmp_path: Path) -> None:
    given = Settings(home=tmp_path, database_url="postgresql://x", watch=("/a", "/b"), jobs=3)
    variables = environment(given)
    assert variables["MESS_DATABASE_URL"] == "postgresql://x"
    assert variables["MESS_WATCH"] == "/a:/b"
    assert variables["MESS_JOBS"] == "3"
    assert "MESS_BROKER_URL" not in variables


def test_servers_that_do_not_answer_are_named_and_passwords_are_not() -> None:
    with pytest.raises(ServiceError, match="check MESS_BROKER_URL"):
        ping_broker("redis://:secret@127.0.0.1:1/0")
    with (
        pytest.raises(StoreError, match=r"127[.]0[.]0[.]1:1 does not answer") as caught,
        open_store("postgresql://mess:secret@127.0.0.1:1/mess"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_the_doctor_finds_all_well(tmp_path: Path, database_url: str, valkey_url: str) -> None:
    given = {"MESS_DATABASE_URL": database_url, "MESS_BROKER_URL": valkey_url}
    done = ask_doctor(tmp_path / "home", **given)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    for name in ("disk", "decoder", "encoder", "database", "broker"):
        assert any(line.startswith(f"ok    {name}: ") for line in lines), name
    assert "FAIL" not in done.output
    assert any(line.startswith("note  worker: start one with `mess worker`") for line in lines)
    document = json.loads(ask_doctor(tmp_path / "home", "--json", **given).stdout)
    assert document["ok"] is True
    assert {check["name"] for check in document["checks"]} >= {"database", "broker", "torch"}


def test_the_doctor_says_what_fails_and_goes_on(tmp_path: Path, valkey_url: str) -> None:
    given = {
        "MESS_DATABASE_URL": "postgresql://mess:secret@127.0.0.1:1/mess",
        "MESS_BROKER_URL": valkey_url,
    }
    done = ask_doctor(tmp_path / "home", **given)
    assert done.exit_code == 1
    (failed,) = [line for line in done.output.splitlines() if line.startswith("FAIL")]
    assert failed.startswith("FAIL  database: ")
    assert "does not answer" in failed
    assert "secret" not in done.output
    assert any(line.startswith("ok    broker: ") for line in done.output.splitlines())
    document = json.loads(ask_doctor(tmp_path / "home", "--json", **given).stdout)
    assert document["ok"] is False
    assert [check["name"] for check in document["checks"] if check["ok"] is False] == ["database"]


def test_the_doctor_names_weights_that_are_missing(
    tmp_path: Path, database_url: str, valkey_url: str
) -> None:
    done = ask_doctor(
        tmp_path / "home",
        MESS_ENCODER="mert-95m",
        MESS_WEIGHTS=str(tmp_path / "nothing"),
        MESS_DATABASE_URL=database_url,
        MESS_BROKER_URL=valkey_url,
    )
    assert done.exit_code == 1
    assert any(
        line.startswith("FAIL  encoder: mert-95m is not ready") for line in done.output.splitlines()
    )


def test_the_doctor_looks_at_the_choice_that_is_stored(
    tmp_path: Path, database_url: str, valkey_url: str
) -> None:
    given = {
        "MESS_ENCODER": "",
        "MESS_WEIGHTS": str(tmp_path / "nothing"),
        "MESS_DATABASE_URL": database_url,
        "MESS_BROKER_URL": valkey_url,
    }
    assert "ok    encoder: mess-mini: " in ask_doctor(tmp_path / "home", **given).output
    with open_store(database_url) as store:
        store.recipes.answer_with("mert-330m||5/2.5")
    done = ask_doctor(tmp_path / "home", **given)
    assert done.exit_code == 1
    assert "FAIL  encoder: mert-330m is not ready" in done.output


@pytest.mark.parametrize(
    ("device", "gpu", "ok", "says"),
    [
        ("cuda", None, False, "set MESS_DEVICE to cpu or auto"),
        ("auto", None, None, "mert-330m runs on the CPU and is very slow"),
        ("cpu", None, None, "mert-330m runs on the CPU and is very slow"),
        ("cpu", "H100", None, "set MESS_DEVICE to cuda"),
        ("auto", "H100", True, "mert-330m runs on H100"),
    ],
)
def test_the_doctor_says_where_an_encoder_runs(
    device: str, gpu: str | None, ok: bool | None, says: str
) -> None:
    check = device_check("mert-330m", "very slow", device, gpu)
    assert check.ok is ok
    assert says in check.detail


def test_files_are_embedded_as_the_library_is(tmp_path: Path, database_url: str) -> None:
    file = write_audio(tmp_path / "a.wav", music(6.0, 24000, channels=1), 24000)
    home, out = tmp_path / "home", tmp_path / "out.npz"

    def width(*words: str, **variables: str) -> int:
        given = {"MESS_HOME": str(home), "MESS_ENCODER": "", "MESS_DATABASE_URL": "", **variables}
        done = CliRunner().invoke(embed, [str(file), "--out", str(out), *words], env=given)
        assert done.exit_code == 0, done.output
        return int(np.load(out)["vectors"].shape[1])

    default = width()
    assert embedded.state(home) is None  # nothing is indexed here, so no server was started
    with open_store(database_url) as store:
        store.recipes.answer_with("descriptors||5/2.5")
    chosen = width(MESS_DATABASE_URL=database_url)
    assert chosen != default
    assert width("--encoder", "mess-mini", MESS_DATABASE_URL="postgresql://nowhere/x") == default
    assert width(MESS_ENCODER="descriptors", MESS_DATABASE_URL="postgresql://nowhere/x") == chosen
