"""The README is held to account: what it says to type is typed."""

import re
import subprocess
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def section(title):
    return re.split(r"^##+ ", README.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def blocks(title, language):
    return re.findall(rf"```{language}\n(.*?)```", section(title), flags=re.DOTALL)


def test_the_curl_walk_does_what_it_says(live):
    script = "\n".join(blocks("Try it with curl", "sh"))
    script = script.replace("http://127.0.0.1:8000", live.url).replace("tscim_...", live.token)
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    empty, found, renamed, flagged, added, group, disabled, gone, without, deleted = run.stdout.split("\n")[:10]
    assert '"totalResults":0' in empty
    assert '"totalResults":1' in found
    assert "Ada King" in renamed
    assert "+44 20 7946 0000" in renamed
    assert "Countess" in flagged
    assert added == gone == deleted == ""
    assert "Ada King" in group
    assert '"active":false' in disabled
    assert "members" not in without


def test_the_in_process_example_runs():
    (example,) = blocks("In your own tests", "python")
    scope: dict = {}
    exec(example.replace("client.get(", "answer = client.get("), scope)
    assert scope["answer"].status_code == 200


def test_every_make_target_that_the_readme_names_is_there():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_within_the_readme_lead_somewhere():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.M)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", README):
        assert anchor in headings
    for path in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (Path(__file__).parents[2] / path).exists(), path
