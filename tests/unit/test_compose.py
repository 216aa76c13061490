"""What the compose files promise: no default passwords, read-only music, health, no root."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
        name: [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", port) for port in service["ports"]]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    daws = ["127.0.0.1:7770:7770/udp", "127.0.0.1:7770:7770/tcp"]
    assert published == {"http": ["127.0.0.1:8765:8765"], "osc": daws}
    assert compose["services"]["osc"]["profiles"] == ["osc"]


def test_every_service_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert service["mem_limit"], name
    for name in ("postgres", "valkey"):
        assert compose["services"][name]["user"] == name


def test_other_containers_find_the_http_service_by_name(compose: dict[str, Any]) -> None:
    assert compose["networks"]["default"]["name"] == "mess"
    assert compose["services"]["http"]["networks"] == {"default": {"aliases": ["mess"]}}


def test_every_variable_is_explained() -> None:
    used = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    example = (DOCKER / ".env.example").read_text()
    explained = set(re.findall(r"^(\w+)=", example, flags=re.MULTILINE))
    pinned = set(re.findall(r"^pin (\w+)", (DOCKER / "pin.sh").read_text(), flags=re.MULTILINE))
    assert used <= explained | pinned
    assert explained <= used
    assert pinned <= used
    for secret in (*SECRETS, "MESS_OSC_SECRET"):
        assert f"\n{secret}=\n" in example, secret


def test_every_package_of_the_images_has_its_hashes() -> None:
    pyproject = tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())["project"]
    wanted = {
        "requirements.txt": pyproject["dependencies"],
        "requirements-gpu.txt": [
            *pyproject["dependencies"], *pyproject["optional-dependencies"]["mert"],
        ],
    }  # fmt: skip
    for name, requirements in wanted.items():
        text = (DOCKER / name).read_text()
        entries = re.split(r"\n(?=\S)", text.strip())
        assert all("--hash=sha256:" in entry for entry in entries), name
        versions = {
            canonicalize_name(entry.partition("==")[0]): entry.partition("==")[2].split()[0]
            for entry in entries
        }
        for text in requirements:
            requirement = Requirement(text)
            found = versions[canonicalize_name(requirement.name)]
            assert found in requirement.specifier, f"{name}: {requirement}: run docker/lock.sh"
    assert (DOCKER / "Dockerfile").read_text().count("--require-hashes") == 2


def test_nothing_reaches_the_image_but_what_it_is_built_from() -> None:
    lines = (DOCKER.parent / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = {rule[1:] for rule in rules if rule.startswith("!")}
    for place in taken:
        assert (DOCKER.parent / place).exists(), place
    assert not any(".env" in place or "samples" in place for place in taken)


def test_our_parts_have_modules_that_exist(compose: dict[str, Any]) -> None:
    import importlib.util

    ours = [one for one in compose["services"].values() if one["image"].startswith("mess:")]
    assert len(ours) == 7
    for service in ours:
        assert importlib.util.find_spec(service["command"][0]) is not None
    assert "\nUSER mess\n" in (DOCKER / "Dockerfile").read_text()
