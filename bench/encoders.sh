#!/usr/bin/env bash
# All encoders on the official sets in all their ways: the table of docs/benchmarks.md.
#
#   bash bench/encoders.sh FOLDER --data DATA --bert data/models/bert --vectors data/vectors
#
# A day on two cores; with --quick (CoLA and SST-2, 500 examples, two seeds) less than an hour. What is finished is kept
# in FOLDER: the same command goes on where it was ended. What stands behind FOLDER is handed to each call of
# bench.tasks, such as --train-examples 64 --dev-examples 64 (everything once, to see it work), --threads 1, --sets.
set -euo pipefail
if [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: bash bench/encoders.sh FOLDER --data DATA [options of python -m bench.tasks]" >&2
  exit 2
fi
folder=$1
shift
cd "$(dirname "$0")/.."
mkdir -p "$folder"

rows() {  # NAME [options that tell these rows from the others]
  local name=$1
  shift
  echo "==> $name" >&2
  python -m bench.tasks --cells "$folder/cells" "${asked[@]}" "$@" --json "$folder/$name.json"
}

asked=("$@")
rows 1-published --encoders reference --modes finetuned,frozen --seeds 5
rows 2-ours --encoders bert,random --modes finetuned,frozen --seeds 3
rows 3-vectors --encoders skipgram --modes frozen --seeds 5
rows 4-bilstm --encoders reference,bert,skipgram --modes frozen --heads bilstm --seeds 3
rows 5-tuned --encoders skipgram --modes finetuned --heads linear,bilstm --seeds 3
python -m bench.tasks --table "$folder"/[1-5]-*.json | tee "$folder/table.md"
