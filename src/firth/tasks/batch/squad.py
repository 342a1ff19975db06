"""SQuAD's questions in, the official predictions out: `{question id: answer}`."""

from __future__ import annotations

import json
from pathlib import Path

from firth.packing import ByteCount, local, unpacked
from firth.progress import Meter, track
from firth.tasks.batch.predictors import Task
from firth.tasks.batch.writing import writing_text
from firth.tasks.examples.squad import read_questions


def predict_questions(predictor: Task, source: Path, target: Path, block: int) -> int:
    """Answer all questions of `source`, plain or packed; `target` appears complete or not at all.

    Returns:
        How many there are.

    Raises:
        DataError: not JSON of SQuAD's form, or an id that comes twice; before anything is answered.
        FirthError: `target` cannot be written.
    """
    given = local(source)
    with unpacked(given, ByteCount()) as stream:
        asked = [
            (one.id, predictor.record(one._asdict(), given.where, 0))
            for one in track(read_questions(stream, given.where), "check", unit="questions")
        ]
    found: dict[str, str] = {}
    with writing_text(target) as out, Meter(predictor.title, len(asked), "questions") as meter:
        for start in range(0, len(asked), block):
            part = asked[start : start + block]
            answers = predictor.answers([record for _, record in part])
            found |= {name: answer["prediction"] for (name, _), answer in zip(part, answers, strict=True)}
            meter.advance(len(part))
        out.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    return len(found)
