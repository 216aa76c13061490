"""What the compose files promise: no default passwords, read-only music, health, no root."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SECRETS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "MESS_TOKEN")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return found


def test_every_service_has_a_healthcheck_and_comes_back(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert service["restart"] == "unless-stopped", name


def test_no_secret_has_a_default() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    for secret in SECRETS:
        used = re.findall(r"(?<!\$)\$\{" + secret + r"([^}]*)\}", text)
        assert used
        assert all(rest.startswith(":?") for rest in used), secret


def test_music_is_read_only_and_data_lies_in_named_volumes(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service["volumes"]:
            source, target, *mode = re.sub(r"\$\{[^}]*\}", "music", volume).split(":")
            if target == "/music":
                assert mode == ["ro"], name
            else:
                assert source in compose["volumes"], name


def test_only_the_http_service_is_published_and_only_here(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert published == {"http": ["127.0.0.1:8765:8765"]}


def test_our_parts_have_no_rights_and_modules_that_exist(compose: dict[str, Any]) -> None:
    import importlib.util

    ours = [one for one in compose["services"].values() if one["image"].startswith("mess:")]
    assert len(ours) == 5
    for service in ours:
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert importlib.util.find_spec(service["command"][0]) is not None
    assert "\nUSER mess\n" in (DOCKER / "Dockerfile").read_text()
