"""The final page: the stage's page with runs, promotion and DVC hashes around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from firth.canonical import read_json
from firth.errors import DataError, IntegrityError
from firth.report.final import render
from firth.stages.report import main

LOCK = """schema: '2.0'
stages:
  ingest@boolq:
    cmd: python
    outs:
    - path: data/raw/boolq
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 3
"""
RUN = {"stage": "word2vec@skipgram", "run_id": "abc123"}


@pytest.fixture
def finished(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    root = build()
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.chdir(root)
    main([])
    (root / "dvc.lock").write_text(LOCK)
    return root


def test_the_final_page_adds_what_only_the_flow_knows(finished: Path) -> None:
    numbers = {
        "suite": "simlex999", "challenger": None, "low": None, "high": None, "champion": 0.2, "minimum": 0.1,
        "max_loss": 0.02, "covered": 1, "total": 999,
    }  # fmt: skip
    page = render(
        finished,
        runs=[RUN | {"url": "http://127.0.0.1:5000/#/runs/abc123", "seconds": 62.0, "metrics": {"train/loss": 2.03}}],
        decisions=[
            {"model": "skipgram", "verdict": "refused", "reasons": ["too <low>"], "version": "2", "numbers": [numbers]},
            {"model": "cbow", "verdict": "promoted", "champion": "1", "name": "cbow-vectors"},
        ],
        commit="d" * 40,
        dirty=True,
        seconds=125.0,
        flow_run="brave-otter",
    )
    assert page == finished.resolve() / ".firth" / "report" / "index.html"
    text = page.read_text(encoding="utf-8")
    for said in (
        "Skip-gram</span>, version 2", ">refused<", "too &lt;low&gt;", "CBOW</span>", "(champion: version 1)", "d" * 40,
        "with uncommitted changes", "2:05", "brave-otter", "1:02", "train/loss 2.03", "data/raw/boolq",
        "0123456789abcdef0123456789abcdef.dir", 'href="http://127.0.0.1:5000/#/runs/abc123"',
        'href="../../data/validation/wikipedia/docs/index.html"', "scikit-learn",
    ):  # fmt: skip
        assert said in text, said
    assert (page.parent / "../../data/validation/wikipedia/docs/index.html").resolve().is_file()


def links(page: Path, root: Path, task: str) -> dict[str, str]:
    """The last cell of each row of a task's table, by system."""
    report = read_json(root / "data" / "report" / "report.json")
    (systems,) = ([row["system"] for row in one["systems"]] for one in report["tasks"] if one["task"] == task)
    text = page.read_text(encoding="utf-8")
    article = text[text.index(f'id="task-{task}"') :]
    rows = re.findall(r'<td class="hash">((?:(?!</tr>).)*)</td></tr>', article[: article.index("</article>")])
    return dict(zip(systems, rows, strict=True))


def test_each_row_of_a_task_leads_to_its_run_and_to_the_training_of_its_encoder(finished: Path) -> None:
    bert = {"stage": "bert", "run_id": "fed3210987654321", "url": "http://127.0.0.1:5000/#/runs/fed3210987654321"}
    own = {"task": "boolq", "run_id": "0123456789abcdef", "server": "http://127.0.0.1:5000/", "experiment_id": "2"}
    evaluations = [own | {"system": "bert"}, {"task": "boolq", "system": "random", "run_id": "9876543210fedcba"}]
    page = render(finished, runs=[bert, RUN], evaluations=evaluations, decisions=[], commit="d" * 40)
    shown = links(page, finished, "boolq")
    trained = f'trained in <a href="{bert["url"]}" rel="noreferrer" title="{bert["run_id"]}">fed32109</a>'
    address = "http://127.0.0.1:5000/#/experiments/2/runs/0123456789abcdef"
    assert shown["bert"] == (
        f'<a href="{address}" rel="noreferrer" title="0123456789abcdef">01234567</a>'
        f'<br><span class="note">{trained}</span>'
    )
    assert shown["random"] == '<span title="9876543210fedcba">98765432</span>'
    assert shown["skipgram"] == '–<br><span class="note">trained in <span title="abc123">abc123</span></span>'
    assert links(page, finished, "ner")["bert"] == f'–<br><span class="note">{trained}</span>', (
        "the run is of another task"
    )
    alone = render(finished, runs=[], evaluations=evaluations, decisions=[], commit="d" * 40)
    assert links(alone, finished, "boolq")["random"] == shown["random"]
    assert links(alone, finished, "boolq")["skipgram"] == "–"
    without = render(finished, runs=[], decisions=[], commit="d" * 40).read_text(encoding="utf-8")
    assert "<th>MLflow run</th>" not in without


def test_rows_of_one_encoder_have_each_their_own_run(finished: Path) -> None:
    runs = {"bert": "a1", "bert-finetuned": "b2"}
    evaluations = [{"task": "boolq", "system": system, "run_id": run_id} for system, run_id in runs.items()]
    page = render(finished, runs=[], evaluations=evaluations, decisions=[], commit="d" * 40)
    shown = links(page, finished, "boolq")
    assert (shown["bert"], shown["bert-finetuned"]) == ('<span title="a1">a1</span>', '<span title="b2">b2</span>')


def test_bert_has_its_run_its_decision_and_an_address_where_a_server_is_known(finished: Path) -> None:
    mlm = {"suite": "mlm", "challenger": 0.63, "champion": None, "minimum": 0.4, "max_loss": 0.02}
    said = {"model": "bert", "verdict": "promoted", "reasons": ["the place was free"], "version": "1", "champion": "1"}
    runs = [
        {"stage": "bert", "run_id": "fed321", "server": "http://127.0.0.1:5000/", "experiment_id": "7"},
        RUN | {"server": "http://127.0.0.1:5000", "experiment_id": None},
    ]
    ner = {"suite": "ner", "challenger": 0.2, "low": 0.1, "high": 0.3, "minimum": 0.1, "max_loss": 0.02}
    decisions = [said | {"numbers": [mlm, ner | {"covered": 30, "total": 30}]}]
    text = render(finished, runs=runs, decisions=decisions, commit="d" * 40).read_text(encoding="utf-8")
    assert 'href="http://127.0.0.1:5000/#/experiments/7/runs/fed321"' in text
    assert text.count("127.0.0.1") == text.count("runs/fed321")
    assert '<td class="hash id">abc123</td>' in text
    for words in (
        '<span class="key m-bert">BERT</span>, version 1', "Masked words: nats below piece frequencies",
        "a sample of newswire with named entities</th>", "0.100 to 0.300", "30 of 30",
    ):  # fmt: skip
        assert words in text, words


def test_a_run_without_promotion_or_lock_says_so(finished: Path) -> None:
    (finished / "dvc.lock").unlink()
    text = render(finished, runs=[], decisions=[], commit="d" * 40).read_text(encoding="utf-8")
    assert "No promotion was decided in this run." in text
    assert "No run was recorded." in text
    assert "There is no dvc.lock." in text
    assert "uncommitted" not in text


def test_the_stage_page_says_nothing_of_runs(finished: Path) -> None:
    text = (finished / "data" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Git commit" not in text and "MLflow" not in text and 'id="promotion"' not in text


def test_addresses_other_than_http_are_refused(finished: Path) -> None:
    with pytest.raises(DataError, match="abc123 is 'javascript:alert"):
        render(finished, runs=[RUN | {"url": "javascript:alert(1)"}], decisions=[], commit="d")
    row = {"task": "boolq", "system": "bert", "run_id": "abc123", "url": "javascript:alert(1)"}
    with pytest.raises(DataError, match="abc123 is 'javascript:alert"):
        render(finished, runs=[], evaluations=[row], decisions=[], commit="d")


def test_an_unknown_verdict_is_refused(finished: Path) -> None:
    with pytest.raises(DataError, match="'maybe' on cbow; there are: promoted, pending, refused, unchanged"):
        render(finished, runs=[], decisions=[{"model": "cbow", "verdict": "maybe"}], commit="d")


def test_without_the_stage_there_is_no_final_page(build: Callable[..., Path]) -> None:
    with pytest.raises(IntegrityError, match=r"report\.json: no such file"):
        render(build(), runs=[], decisions=[], commit="d")


def test_a_torn_lock_is_named(finished: Path) -> None:
    (finished / "dvc.lock").write_text("stages: [1]")
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not as DVC writes it"):
        render(finished, runs=[], decisions=[], commit="d")
