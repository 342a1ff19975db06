#!/usr/bin/env bash
# What needs an NVIDIA GPU, in one go of ten minutes at most: the tests marked `gpu` of BERT, its fine-tuning and word2vec,
# then their speed; that of fine-tuning needs texts: see bench/budget.sh.
#     bash bench/gpu.sh FIGURES [STORE]
# FIGURES is a folder for the log, a summary and the figures. STORE is a token store of real text, as `firth tokenize`
# writes it; without one words are drawn, which says what the GPU can do, but not what packing gains. A part that fails
# or runs out of its time is reported, and the others go on; the exit code says whether there was one. SECONDS_IN_ALL
# (570) is the limit of all parts together, TESTS_SECONDS (200) that of BERT's tests, half of it that of fine-tuning's.
# Without a GPU it says so and is done.
# Of our dependencies it needs torch with triton, lightning, transformers, numba, numpy, pyarrow, safetensors, tokenizers,
# pydantic, ruamel-yaml, pytest and hypothesis: no DVC, Prefect or MLflow.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
figures=$(realpath -m "${1:?say where the figures go: bash bench/gpu.sh FIGURES [STORE]}")
store=${2:+$(realpath "$2")}
export PYTHONPATH="src:.:tests/support${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
unset TRITON_INTERPRET
device=${BENCH_DEVICE:-cuda} # cpu tries this script where there is no GPU
mkdir -p "$figures" || exit 1

python3 -c 'import torch' || exit 1 # fails here where the environment is not active
if [ "$device" = cuda ] && ! python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "bench/gpu.sh: torch finds no NVIDIA GPU here; nothing was run"
  exit 0
fi

: >"$figures/log.txt"
: >"$figures/summary.txt"
end=$((SECONDS + ${SECONDS_IN_ALL:-570}))
failed=0

say() { echo "$*" | tee -a "$figures/log.txt" "$figures/summary.txt"; }

# part NAME SECONDS COMMAND...: run it for so many seconds at most
part() {
  local name=$1 limit=$2 started=$SECONDS left=$((end - SECONDS)) code
  shift 2
  [ "$left" -lt "$limit" ] && limit=$left
  if [ "$limit" -le 0 ]; then
    say "$name: not run, no time was left"
    failed=1
    return
  fi
  timeout --kill-after=5 "$limit" "$@" 2>&1 | tee -a "$figures/log.txt"
  code=${PIPESTATUS[0]}
  case $code in
    0) say "$name: done in $((SECONDS - started)) s" ;;
    124 | 137) say "$name: ENDED after $limit s, its time" ;;
    *) say "$name: FAILED with exit code $code after $((SECONDS - started)) s" ;;
  esac
  [ "$code" -eq 0 ] || failed=1
}

# Tests are given no configuration: ours names warnings of packages that are not needed here.
tests() { python3 -m pytest -c /dev/null --rootdir=. --noconftest -p no:cacheprovider -W default -q -rfE "$@"; }
export -f tests

if [ "$device" = cuda ]; then
  say "$(python3 -c 'import torch; print(torch.cuda.get_device_name(), "torch", torch.__version__)')"
  chosen=gpu quick=()
else
  say "no GPU: the script itself is tried on the CPU"
  chosen="not gpu" quick=(--sizes tiny --lengths 32 --precisions fp32 --threads 1 --steps 1)
fi
text=(--drawn --words 1000000)
[ -n "$store" ] && text=(--store "$store")

part "BERT: tests" "${TESTS_SECONDS:-200}" bash -c 'tests -m "$1" tests/bert/test_gpu.py' - "$chosen"
part "BERT: tests of fine-tuning" "$((${TESTS_SECONDS:-200} / 2))" bash -c 'tests -m "$1" tests/tasks/test_gpu.py' - "$chosen"
part "BERT: speed beside transformers" 240 \
  python3 -m bench.bert --quick --accelerator "$device" "${text[@]}" "${quick[@]}" --json "$figures/bert.json"
[ "$device" = cpu ] && quick=(--size tiny --length 32 --threads 1 --steps 1)
part "BERT: packed against padded" 150 \
  python3 -m bench.packing --quick --accelerator "$device" "${text[@]}" "${quick[@]}" --json "$figures/packing.json"
if [ "$device" = cuda ]; then
  part "word2vec: tests" 90 bash -c 'tests tests/word2vec/gpu/triton_cases.py'
  part "word2vec: speed beside the CPU" 120 \
    python3 -m bench.word2vec_gpu --quick --json "$figures/word2vec.json"
fi
say "figures: $(cd "$figures" && echo *)"
exit "$failed"
