"""What the documentation tells people to type works, on the sample music."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doc_examples import ROOT, Sandbox, examples, user_pages

pytestmark = pytest.mark.timeout(900)

PAGES = [page for page in user_pages() if examples(page)]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("docs"))
    made.prepare()
    yield made
    made.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_work(sandbox: Sandbox, page: Path) -> None:
    sandbox.restore()
    for example in examples(page):
        sandbox.run(example)
