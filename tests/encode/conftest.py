"""`transformers` beside ours: configured, loaded and silent."""

import json
import os

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


@pytest.fixture
def change_json():
    """A function that changes a JSON file: its path, keys to set; a value of None takes the key away."""

    def change(path, **values):
        read = json.loads(path.read_text())
        for key, value in values.items():
            if value is None:
                read.pop(key, None)
            else:
                read[key] = value
        path.write_text(json.dumps(read))

    return change
