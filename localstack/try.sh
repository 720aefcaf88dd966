#!/usr/bin/env bash
# Ships a sample log into a real LocalStack with Pinnace, half of it written before the start and
# half while it runs, reads it back with the AWS API and compares. Exit code 0: equal and in order.
#
# LOCALSTACK_URL  use this LocalStack instead of starting one on a free port
# PINNACE_BIN     use this binary instead of building one
# LINES_EACH      lines in each half (500)
# TRY_TIMEOUT     seconds until all must have arrived (60)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
each=${LINES_EACH:-500}

python=$("$here/install")
binary=${PINNACE_BIN:-}
if [ -z "$binary" ]; then
    (cd "$root" && cargo build --release --locked)
    binary=${CARGO_TARGET_DIR:-$root/target}/release/pinnace
fi

mkdir -p "$root/target"
folder=$(mktemp -d "$root/target/localstack-try.XXXXXX")
started=()
finish() {
    code=$?
    for process in "${started[@]}"; do
        kill -TERM "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    if [ "$code" -eq 0 ]; then
        rm -rf "$folder"
    else
        echo "try: failed; the files are in $folder" >&2
    fi
}
trap finish EXIT

if [ -z "${LOCALSTACK_URL:-}" ]; then
    "$here/start" --port 0 --ready-file "$folder/url" &
    localstack=$!
    started+=("$localstack")
    until [ -s "$folder/url" ]; do
        if ! kill -0 "$localstack" 2>/dev/null; then
            echo "try: LocalStack did not start" >&2
            exit 1
        fi
        sleep 0.2
    done
    LOCALSTACK_URL=$(cat "$folder/url")
fi
export LOCALSTACK_URL
export TRY_FOLDER=$folder
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

mkdir "$folder/logs" "$folder/state"
log=$folder/logs/sample.log
write_lines() {
    for ((i = $1; i < $1 + each; i++)); do
        printf '%(%F %T)T,%03d - rapport - INFO - étape %d terminée\n' -1 $((i % 1000)) "$i"
    done >>"$log"
}

write_lines 1
"$binary" run --on-error=exit --config "$here/pinnace.yaml" &
pinnace=$!
started+=("$pinnace")
write_lines $((each + 1))

"$python" "$here/readback.py" --url "$LOCALSTACK_URL" --group /pinnace/try --stream sample --timeout "${TRY_TIMEOUT:-60}" "$log"

kill -TERM "$pinnace"
if ! wait "$pinnace"; then
    echo "try: Pinnace ended with an error" >&2
    exit 1
fi
started=("${localstack:-}")
[ -n "${localstack:-}" ] || started=()
# Once more: the stop must have added nothing.
"$python" "$here/readback.py" --url "$LOCALSTACK_URL" --group /pinnace/try --stream sample --timeout "${TRY_TIMEOUT:-60}" "$log"
