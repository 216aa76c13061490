"""One track, lists, the map and how MESS is: the other views of the page, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.test_page import api, id_of, wait_until_it_plays
from tests.page_host import Served, Tab, signed_in, tab_in

pytestmark = pytest.mark.timeout(600)


def test_a_track_shows_what_was_heard_and_a_section_is_asked_for(tab: Tab, served: Served) -> None:
    seed = id_of(served, "farewell")
    page = tab.open(f"#/track/{seed}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Farewell")
    heard = api(served, f"v1/tracks/{seed}")["heard"]
    expect(page.get_by_text(f"{round(heard['tempo']['bpm'])} bpm")).to_be_visible()
    expect(page.get_by_text("farewell.opus")).to_be_visible()
    sections = api(served, f"v1/outlines?ids={seed}")["outlines"][0]["sections"]
    expect(page.locator(".sections li")).to_have_count(len(sections))
    page.get_by_role("button", name="Ask for section").nth(1).click()
    page.wait_for_url(f"**ref={seed}&start={round(sections[1]['start_s'], 2):g}&**")
    expect(page.locator(".matches > li").first).to_be_visible()


def test_an_artist_is_never_suggested_until_that_is_taken_back(tab: Tab, served: Served) -> None:
    seed = id_of(served, "nebula")
    artist = next(
        match["track"]["artist"]
        for match in api(served, f"v1/similar?ref={seed}")["matches"]
        if match["track"]["artist"]
    )
    barred = api(served, f"v1/suggest?q={quote(artist)}")["tracks"][0]["id"]
    page = tab.open(f"#/track/{barred}")
    page.get_by_role("button", name="this artist").click()
    expect(page.get_by_text("never suggested now")).to_be_visible()
    answer = api(served, f"v1/similar?ref={seed}&k=50")
    assert artist not in {match["track"]["artist"] for match in answer["matches"]}
    page.get_by_role("link", name="Status").click()
    again = page.get_by_role("button", name="Suggest again")
    again.click()
    expect(again).to_have_count(0)
    assert api(served, "v1/never") == {"rules": []}


def test_a_stretch_is_dragged_over_the_waveform(tab: Tab, served: Served) -> None:
    seed = id_of(served, "farewell")
    page = tab.open(f"#/track/{seed}")
    waveform = page.locator(".track").get_by_role("slider")
    expect(waveform).to_have_attribute("aria-valuemax", "60")
    box = waveform.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 30, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 30, steps=4)
    page.mouse.up()
    page.wait_for_url("**start=**")
    words = dict(re.findall(r"(start|end)=([\d.]+)", page.url))
    start, end = float(words["start"]), float(words["end"])
    assert [start, end] == pytest.approx([30, 45], abs=0.5)
    answer = api(served, "v1/similar", {"refs": [str(seed)], "start": start, "end": end, "k": 20})
    first = page.locator(".matches > li").first
    expect(first).to_have_attribute("data-id", str(answer["matches"][0]["track"]["id"]))


def test_the_self_similarity_plays_where_it_is_clicked(tab: Tab, served: Served) -> None:
    page = tab.open(f"#/track/{id_of(served, 'farewell')}")
    picture = page.locator(".picture > div")
    expect(page.locator(".picture canvas")).not_to_have_attribute("width", "1")
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    expect(page.locator(".picture figcaption")).to_contain_text(
        re.compile(r"0:(29|30) and 0:1[45]")
    )
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    wait_until_it_plays(page, "match", 29.5)


def test_a_journey_is_put_in_order_and_saved(tab: Tab, served: Served, tmp_path: Path) -> None:
    start, end = id_of(served, "nebula"), id_of(served, "stage%203")
    page = tab.open("#/lists/journey?n=5")
    for words in ("nebula", "stage 3"):
        page.get_by_role("combobox").fill(words)
        expect(page.get_by_role("option").first).to_contain_text(re.compile(words, re.IGNORECASE))
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
    made = api(served, "v1/playlists/journey", {"start": str(start), "end": str(end), "n": 5})
    titles = [track["title"] for track in made["tracks"]]
    expect(page.locator(".order .title")).to_have_text(titles)
    page.get_by_role("button", name=f"Move {titles[1]}").focus()
    page.keyboard.press("ArrowDown")
    moved = [titles[0], titles[2], titles[1], *titles[3:]]
    expect(page.locator(".order .title")).to_have_text(moved)
    with page.expect_download() as saved:
        page.get_by_role("button", name="M3U8").click()
    path = tmp_path / "list.m3u8"
    saved.value.save_as(path)
    lines = path.read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    paths = {track["title"]: track["path"] for track in made["tracks"]}
    assert [line for line in lines if not line.startswith("#")] == [paths[one] for one in moved]
    with page.expect_download() as saved:
        page.get_by_role("button", name="XSPF").click()
    assert saved.value.suggested_filename == "journey.xspf"


def test_an_arc_is_drawn_with_the_mouse(tab: Tab) -> None:
    page = tab.open("#/lists/arc?n=6")
    expect(page.locator(".order li")).to_have_count(6)
    box = page.locator(".curve").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] - 6)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 6, steps=12)
    page.mouse.up()
    page.wait_for_url("**curve=**")
    text = page.url.partition("curve=")[2].partition("&")[0]
    curve = [float(one) for one in text.replace("%2C", ",").split(",")]
    assert curve[0] < 0.2
    assert curve[-1] > 0.8
    assert curve == sorted(curve)


def test_the_radio_goes_on_and_never_plays_one_twice(tab: Tab, served: Served) -> None:
    page = tab.open(f"#/lists/radio?ref={id_of(served, 'nebula')}")
    expect(page.locator(".order li").first).to_be_visible()
    first = page.locator(".order .title").first.inner_text()
    page.locator(".made").get_by_role("button", name="Play", exact=True).click()
    wait_until_it_plays(page, "match", 0.1)
    heard = [page.locator(".now .title").inner_text()]
    assert heard == [first]
    for _ in range(3):
        page.get_by_role("button", name="Next track").click()
        page.wait_for_function(
            "before => document.querySelector('.now .title').textContent !== before", arg=heard[-1]
        )
        heard.append(page.locator(".now .title").inner_text())
    assert len(set(heard)) == 4
    disliked = page.locator(".order li").last
    unwanted = disliked.locator(".title").inner_text()
    disliked.get_by_role("button", name="dislike").click()
    expect(disliked.get_by_role("button", name="dislike")).to_have_attribute("aria-pressed", "true")
    page.wait_for_load_state("networkidle")
    page.reload()
    expect(page.locator(".order li").first).to_be_visible()
    assert page.locator(".order .title").first.inner_text() != first
    assert unwanted not in page.locator(".order .title").all_inner_texts()


def test_the_radio_is_steered(tab: Tab, served: Served) -> None:
    seed = id_of(served, "nebula")
    page = tab.open(f"#/lists/radio?ref={seed}&seed=3")
    expect(page.locator(".order li").first).to_be_visible()
    page.get_by_role("checkbox", name="follow the vibe").check()
    with page.expect_request(
        lambda one: one.url.endswith("/radio") and (one.post_data_json or {}).get("strictness") == 1
    ) as asked:
        page.get_by_role("slider", name="Locked in").fill("0")
    body: Any = asked.value.post_data_json
    assert (body["strictness"], body["anchor"], body["seed"]) == (1, "vibe", 3)
    made = api(served, "v1/playlists/radio", body)
    expect(page.locator(".order .title")).to_have_text([one["title"] for one in made["tracks"]])


def test_a_line_around_points_of_the_map_makes_a_list(tab: Tab, served: Served) -> None:
    page = tab.open("#/map")
    expect(page.locator(".clusters li").first).to_be_visible()
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".chart canvas").bounding_box()
    assert box is not None
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    page.mouse.move(box["x"] + box["width"] * 0.01, box["y"] + box["height"] * 0.01)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=5)
    page.mouse.up()
    n = api(served, "v1/status")["library"]["tracks"]
    expect(page.get_by_text(f"{n} tracks chosen")).to_be_visible()
    page.get_by_role("button", name="Let go").click()
    page.locator(".clusters button").first.click()
    page.get_by_role("link", name="Make a list").click()
    expect(page.locator(".order li").first).to_be_visible()
    points = api(served, "v1/map/points")
    sizes = [points["cluster"].count(place) for place in range(len(points["clusters"]))]
    expect(page.locator(".order li")).to_have_count(max(sizes))


def test_the_map_is_moved_by_keys_and_coloured(tab: Tab) -> None:
    page = tab.open("#/map")
    chart = page.locator(".chart canvas")
    expect(chart).to_be_visible()
    page.wait_for_timeout(300)
    before = chart.screenshot()
    chart.focus()
    page.keyboard.press("+")
    page.wait_for_timeout(200)
    nearer = chart.screenshot()
    assert nearer != before
    page.get_by_label("Colour").select_option("tempo")
    page.wait_for_url("**by=tempo")
    page.wait_for_timeout(200)
    assert chart.screenshot() != nearer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "phone"])
def test_no_view_keeps_people_out(
    browser: Browser, served: Served, scheme: str, size: tuple[int, int]
) -> None:
    context = signed_in(browser, served, scheme=scheme, size=size)  # type: ignore[arg-type]
    tab = tab_in(context, served)
    seed, other = id_of(served, "farewell"), id_of(served, "nebula")
    views = {
        f"#/track/{seed}": ".sections li",
        f"#/lists/journey?ref={seed}&ref={other}&n=5": ".order li",
        "#/lists/arc?n=5": ".order li",
        "#/lists/radio": ".state",
        "#/map": ".clusters li",
        "#/status": ".tile",
        "#/track/999999": ".state",
        f"#/ask?ref={seed}": ".matches > li",
        f"#/ask?ref={seed}&tempo=20-21": ".state",
    }
    found = {}
    for hash_, shown in views.items():
        page = tab.open(hash_)
        expect(page.locator(shown).first).to_be_visible()
        page.wait_for_timeout(300)
        if violations := tab.violations():
            found[hash_] = violations
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, hash_
    assert found == {}
    # A track that is not there, or a question without an answer, is a failed request to Chromium.
    tab.errors = [one for one in tab.errors if "404" not in one and "400" not in one]
    tab.check()
    context.close()


def test_what_is_not_there_says_so_and_what_to_do(tab: Tab, served: Served) -> None:
    page = tab.open(f"#/ask?ref={id_of(served, 'nebula')}&tempo=20-21")
    expect(page.locator(".state")).to_contain_text("tempo")
    page = tab.open("#/ask?ref=sound:forgotten")
    expect(page.locator(".state")).to_contain_text("drop or record it again")
    page = tab.open("#/track/999999")
    expect(page.locator(".state")).to_contain_text("not here any more")
    tab.errors.clear()  # Chromium notes each failed request
