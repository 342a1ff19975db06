#!/usr/bin/env bash
# A BERT pretrained in a budget of time and fine-tuned on GLUE, in as many calls as it takes:
#     bash bench/budget.sh STORE OUT MINUTES [--set bert.KEY=VALUE ...]
# Repeat the command until it says that all is done (exit code 0); 75 says that there is more to do, anything else is a
# failure. STORE is a token store, as `firth tokenize` writes it; OUT keeps everything from call to call, its folder
# `figures` the few small files to take home; MINUTES are of training, all calls together, without start and compilation
# of a call that has not begun to train. Further arguments go to `firth pretrain`. From the environment:
#     CALL_SECONDS  of one call (570); training stops in time to save its state
#     SAVE_SECONDS  that saving the state may take (45, enough for a base model)
#     SIZE          of the model (base): bf16, packed and compiled on a GPU
#     GLUE          folder of its data sets (bench/glue.py); without it nothing is fine-tuned
#     GLUE_OPTIONS  for bench/glue.py, such as "--train-examples 2000"
# A store that has to travel in pieces: `tar -c -C STORE . | split -b 56M - piece.`, and there `cat piece.* | tar -x -C STORE`.
# Needs what bench/gpu.sh needs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
[ $# -ge 3 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
store=$(realpath "$1") out=$(realpath -m "$2") minutes=$3
shift 3
size=${SIZE:-base} glue=${GLUE:+$(realpath "$GLUE")}
more=75      # sysexits.h: try again
reserve=${SAVE_SECONDS:-45}
least=60     # seconds under which nothing new is begun
end=$((SECONDS + ${CALL_SECONDS:-570}))
export PYTHONPATH="src:.${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$out/figures" || exit 1

say() { echo "$*" | tee -a "$out/figures/log.txt"; }

# What is worth taking home, under names of its own.
figures() {
  [ -f "$out/run/metrics.jsonl" ] && cp "$out/run/metrics.jsonl" "$out/figures/"
  [ -d "$out/model" ] && cp "$out/model"/{history,training}.json "$out/figures/"
  [ -f "$out/model/schedule.safetensors" ] && cp "$out/model/schedule.safetensors" "$out/figures/"
}

leave() { figures; say "$2"; exit "$1"; }

started=$SECONDS
if [ ! -f "$out/model/model.safetensors" ]; then
  left=$((end - SECONDS - reserve))
  [ "$left" -gt 0 ] || leave "$more" "CALL_SECONDS are too few: saving alone may take $reserve"
  # The paper's rate is for a million steps; a budget of minutes wants a higher one and a short warm-up.
  timeout --preserve-status --signal=TERM --kill-after="$reserve" "$left" \
    python3 -m firth.cli pretrain --tokens "$store" --to "$out/model" --run-folder "$out/run" --size "$size" \
    --minutes "$minutes" --set bert.optimizer.learning_rate=4e-4 --set bert.optimizer.warmup_steps=2000 \
    --set bert.batch=512 --set bert.frequency_bias=true --set bert.heldout.every=1000 --set bert.heldout.instances=1024 \
    "$@" 2>&1 | tee -a "$out/pretrain.txt"
  code=${PIPESTATUS[0]}
  case $code in
    0) say "pretrained; $((SECONDS - started)) s of this call" ;;
    143) leave "$more" "pretraining goes on with the next call; $((SECONDS - started)) s of this one" ;;
    137) leave "$more" "killed before its state was saved; the next call goes on from the checkpoint before" ;;
    *) leave "$code" "FAILED: pretraining ended with exit code $code; see $out/pretrain.txt" ;;
  esac
fi

if [ -z "${glue:-}" ]; then
  leave 0 "all is done; GLUE names no folder, so nothing was fine-tuned"
fi
left=$((end - SECONDS - 5))
[ "$left" -ge "$least" ] || leave "$more" "fine-tuning begins with the next call"
# shellcheck disable=SC2086 - GLUE_OPTIONS are several words
timeout --signal=TERM --kill-after=5 "$left" python3 -m bench.glue --model "$out/model" --data "$glue" \
  --json "$out/figures/glue.json" ${GLUE_OPTIONS:-} 2>&1 | tee -a "$out/glue.txt"
code=${PIPESTATUS[0]}
grep -E '^[A-Za-z0-9-]+: [a-z0-9]+ -?[0-9]\.[0-9]+ \[' "$out/glue.txt" | sort -u >"$out/figures/glue.txt"
case $code in
  0) leave 0 "all is done" ;;
  124 | 137) leave "$more" "fine-tuning goes on with the next call, at the task that this one did not end" ;;
  *) leave "$code" "FAILED: fine-tuning ended with exit code $code; see $out/glue.txt" ;;
esac
