"""The scripts of the page: their types, their size, and that the wheel holds them."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.page_host import ROOT
from tests.programs import left_out, program

ASSETS = ROOT / "integrations" / "mess_integrations" / "web" / "assets"
PACKAGES = ("typescript@5.9.3", "preact@11.2.0", "htm@3.1.1")


def test_the_scripts_stay_small() -> None:
    assert sum(file.stat().st_size for file in ASSETS.glob("*.js")) < 150_000


def test_nothing_comes_from_elsewhere() -> None:
    for file in ASSETS.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "https://" not in text, file.name
        assert "http://" not in text, file.name


@pytest.mark.timeout(600)
def test_the_wheel_holds_the_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if "/web/assets/" in name}
    assert names == {file.name for file in ASSETS.iterdir()}


@pytest.mark.timeout(600)
def test_the_types_are_right(tmp_path: Path) -> None:
    """`tsc --checkJs` over our own scripts; what the vendored ones export is read from npm."""
    program("npm", "npm")
    options = {
        "allowJs": True, "checkJs": True, "noEmit": True, "strict": True, "noImplicitAny": False,
        "useUnknownInCatchVariables": False,
        "target": "es2022", "module": "es2022", "moduleResolution": "bundler",
        "lib": ["es2022", "dom", "dom.iterable"], "skipLibCheck": True, "types": [],
    }  # fmt: skip
    (tmp_path / "tsconfig.json").write_text(
        json.dumps(
            {
                "compilerOptions": options,
                "include": ["assets/*.js", "assets/*.d.ts"],
                "exclude": ["assets/vendor-*.js"],
            }
        )
    )
    shutil.copytree(ASSETS, tmp_path / "assets")
    install = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", *PACKAGES]
    fetched = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False)
    if fetched.returncode:
        left_out(f"npm could not fetch TypeScript: {fetched.stderr.strip()[:200]}")
    tsc: list[str | Path] = [tmp_path / "node_modules" / ".bin" / "tsc", "--project", "."]
    done = subprocess.run(tsc, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
