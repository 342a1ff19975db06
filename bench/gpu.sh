#!/usr/bin/env bash
# What needs an NVIDIA GPU, in one go: word2vec's kernels against the reference, as the test marked `gpu` runs them, then
# their speed. Without a GPU it says so and is done. Of our dependencies it needs torch, triton, numba, numpy, pydantic,
# ruamel-yaml and pytest only; the case of a whole training wants lightning and pyarrow too, or is skipped.
#     bash bench/gpu.sh [speed.json]
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=src:.
unset TRITON_INTERPRET

python -c 'import torch' # fails here where the environment is not active
if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "bench/gpu.sh: torch finds no NVIDIA GPU here; nothing was run"
  exit 0
fi
python -c 'import torch; print(torch.cuda.get_device_name(), "torch", torch.__version__)'
python -m pytest -q -W default --noconftest tests/word2vec/triton_cases.py
python -m bench.word2vec_gpu ${1:+--json "$1"}
