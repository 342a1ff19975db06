"""What a promotion decided as a page in Markdown: verdicts and numbers first, then the whole record behind each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firth.config.load import flatten
from firth.registry.gate import CONDITIONS, Row
from firth.registry.promote import Promotion
from firth.registry.show import DASH, held, number


def decisions_page(promotions: Sequence[Promotion], failed: Mapping[str, Exception] | None = None) -> str:
    """The page; `failed` maps the models that could not be decided to why."""
    lines = []
    for item in promotions:
        lines += [
            f"**{item.name}** version {item.version}: **{item.decision.verdict}**; "
            f"champion is now {f'version {item.champion}' if item.champion else 'none'}",
            "",
            *(f"- {_cell(reason)}" for reason in item.decision.reasons),
            "",
            *_numbers(item.decision.numbers),
            *_details(item.record),
        ]
    for model, error in (failed or {}).items():
        lines += [f"**{model}**: **not decided**", "", f"- {_cell(error)}", ""]
    return "\n".join(lines)


def _numbers(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    table = [
        (
            row.suite,
            number(row.challenger),
            _interval(row.low, row.high),
            held(row),
            _interval(row.champion_low, row.champion_high),
            number(row.minimum),
            number(row.max_loss),
            f"{row.covered} of {row.total}",
        )
        for row in rows
    ]
    heads = ("suite", "challenger", "95% interval", "champion", "95% interval", "minimum", "may lose", "covered")
    return _table(heads, table)


def _details(record: Mapping[str, Any]) -> list[str]:
    """The rest of a record: the policy, how sure the gain is, cost, validation, and every input by its digest."""
    if not record:
        return []
    evidence = record["evidence"]
    champion = evidence.get("champion") or {}
    noise, approval = record.get("noise"), record.get("approval")
    rows = [
        ("decided at", record["decided_at"]),
        ("flow run", record.get("flow_run") or DASH),
        ("decided against", f"version {record['champion_before']}" if record["champion_before"] else "no champion"),
        ("noise of the gain", ", ".join(f"{key} {value}" for key, value in noise.items()) if noise else "not tested"),
        *([("a person's word", ", ".join(f"{key} {value}" for key, value in approval.items()))] if approval else []),
        *((f"policy {key}", value) for key, value in flatten(record["policy"]).items()),
        *((f"cost {key}", value) for key, value in evidence["cost"].items()),
        *((f"validation of {corpus}", _passed(passed)) for corpus, passed in evidence["validation"].items()),
    ]
    digests = [
        ("MLflow run", evidence.get("run")),
        ("training, fingerprint", evidence["fingerprint"]),
        ("weights", evidence["weights_sha256"]),
        ("champion's weights", champion.get("weights_sha256")),
        *((f"answers of the {whose}", digest) for whose, digest in evidence.get("answers_sha256", {}).items()),
        ("git commit", evidence["git"]["commit"] + (" (dirty)" if evidence["git"]["dirty"] else "")),
        *((f"{stage}: {path}", digest) for stage, outs in evidence["stages"].items() for path, digest in outs.items()),
    ]
    return [
        "**Details**",
        "",
        *_table(("what", "value"), rows),
        "**Inputs**",
        "",
        *_table(("input", "digest"), digests),
        *_conditions(evidence["conditions"], champion.get("conditions", {})),
    ]


def _conditions(ours: Mapping[str, Mapping[str, Any]], theirs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What each suite was measured under, the champion's beside it."""
    rows = [
        (suite, CONDITIONS.get(key, key), value, theirs.get(suite, {}).get(key))
        for suite, found in ours.items()
        for key, value in found.items()
    ]
    return ["**Conditions**", "", *_table(("suite", "condition", "challenger", "champion"), rows)] if rows else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [*(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines), ""]


def _cell(value: object) -> str:
    """As text that ends no cell and no line."""
    return DASH if value is None or value == "" else str(value).replace("|", "\\|").replace("\n", " ")


def _interval(low: float | None, high: float | None) -> str:
    return DASH if low is None else f"{number(low)} … {number(high)}"


def _passed(passed: bool) -> str:
    return "passed" if passed else "failed"
