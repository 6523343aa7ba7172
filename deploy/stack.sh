#!/usr/bin/env bash
# Production shape as processes of this machine, to try it without containers: PostgreSQL, an S3 server (moto, by pip), two
# gateways and two coordinators, on loopback. `up` starts, `status` looks, `down` stops all and deletes what they wrote: the S3
# server keeps objects in its memory, so that nothing of a stack outlives it.
#
# STACK_DIR      where state is                        [/tmp/duckmesh-stack]
# STACK_PORT     gateways have this and the next port  [5433]
#                HTTP has +10 to +13, PostgreSQL +20, the S3 server +21
# STACK_STORAGE  s3 or file                            [s3]
# DUCKMESH_BIN   the server                            [target/debug/duckmesh]
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${STACK_DIR:-${TMPDIR:-/tmp}/duckmesh-stack}
base=${STACK_PORT:-5433}
storage=${STACK_STORAGE:-s3}
bin=${DUCKMESH_BIN:-${CARGO_TARGET_DIR:-target}/debug/duckmesh}
venv=${STACK_VENV:-.venv-stack}
postgres_port=$((base + 20)) s3_port=$((base + 21))
members=(gateway-1 gateway-2 coordinator-1 coordinator-2)

fail() { echo "stack: $*" >&2; exit 1; }
knows() { "$bin" serve --help | grep -qE -- "^ +(-[a-z], )?$1( |$)"; }
pg_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1; }
# PostgreSQL refuses root.
as_postgres() { if [ "$(id -u)" -eq 0 ]; then (cd / && exec setpriv --reuid postgres --regid postgres --clear-groups "$@"); else "$@"; fi; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
get() { # get PORT PATH: the status of an HTTP answer
    local line
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
    read -r _ line _ <&3 || true
    exec 3<&- 3>&-
    echo "${line:-}"
}
# The process of a pid file, if it is still the one that was started: a number may be another's by now.
pid_of() {
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
    { tr '\0' ' ' < "/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$2" && echo "$pid"
}
wait_for() { # wait_for WHAT PID COMMAND...
    local what=$1 pid=$2 end=$((SECONDS + 60))
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || fail "$what ended; see $dir"
        [ "$SECONDS" -lt "$end" ] || fail "$what does not answer; see $dir"
        sleep 0.1
    done
}

start_postgres() {
    local bin_dir
    bin_dir=$(pg_bin)
    [ -n "$bin_dir" ] || fail "PostgreSQL is missing: make setup"
    mkdir -p "$dir/postgres"
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$dir/postgres"; fi
    as_postgres "$bin_dir/initdb" -D "$dir/postgres/data" -U duckmesh -A trust -E UTF8 --no-sync >/dev/null
    as_postgres "$bin_dir/pg_ctl" -D "$dir/postgres/data" -l "$dir/postgres/log" -w -s \
        -o "-p $postgres_port -k $dir/postgres -c listen_addresses=127.0.0.1" start
    "$bin_dir/createdb" -h 127.0.0.1 -p "$postgres_port" -U duckmesh duckmesh
}

start_s3() {
    if [ ! -x "$venv/bin/moto_server" ]; then
        echo "stack: $venv with the S3 server moto"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server,s3]==5.2.5'
    fi
    "$venv/bin/python" "$venv/bin/moto_server" -H 127.0.0.1 -p "$s3_port" > "$dir/s3.log" 2>&1 < /dev/null &
    echo $! > "$dir/s3.pid"
    wait_for "the S3 server" $! answers "$s3_port"
    "$venv/bin/python" - "$s3_port" <<'PY'
import sys, boto3
from botocore.exceptions import ClientError
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}", region_name="us-east-1",
                  aws_access_key_id="stack", aws_secret_access_key="stack")
s3.create_bucket(Bucket="lakes")
# What the promises stand on: a file that is there is not written again.
s3.put_object(Bucket="lakes", Key="probe", Body=b"1", IfNoneMatch="*")
try:
    s3.put_object(Bucket="lakes", Key="probe", Body=b"2", IfNoneMatch="*")
    sys.exit("stack: the S3 server ignores If-None-Match")
except ClientError as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 412, error
s3.delete_object(Bucket="lakes", Key="probe")
PY
}

start_members() {
    local n=0 name role args
    for name in "${members[@]}"; do
        args=(serve --data "$dir/$name" --http "127.0.0.1:$((base + 10 + n))"
            --catalog "postgres://duckmesh@127.0.0.1:$postgres_port/duckmesh?sslmode=disable")
        # Without roles every server does everything, and the last two are gateways that nobody uses.
        case $name in
        gateway-*) role=gateway args+=(--listen "127.0.0.1:$((base + n))") ;;
        *) role=coordinator,maintenance args+=(--listen "127.0.0.1:$((base + n))") ;;
        esac
        if knows --role; then args+=(--role "$role"); fi
        if [ "$storage" = s3 ]; then args+=(--storage s3://lakes/duckmesh); fi
        AWS_ENDPOINT_URL="http://127.0.0.1:$s3_port" AWS_ALLOW_HTTP=true AWS_REGION=us-east-1 \
            AWS_ACCESS_KEY_ID=stack AWS_SECRET_ACCESS_KEY=stack \
            "$bin" "${args[@]}" > "$dir/$name.log" 2>&1 < /dev/null &
        echo $! > "$dir/$name.pid"
        # One after the other: the first one makes the tables.
        wait_for "$name" $! ready $((base + 10 + n))
        n=$((n + 1))
    done
}
ready() { [ "$(get "$1" /ready)" = 200 ]; }

up() {
    [ -x "$bin" ] || fail "$bin is missing: make build"
    [ ! -e "$dir" ] || fail "$dir is there: make stack-down first"
    for port in $base $((base + 1)) $((base + 2)) $((base + 3)) $((base + 10)) $((base + 11)) $((base + 12)) $((base + 13)) $postgres_port $s3_port; do
        if answers "$port"; then fail "port $port is taken: STACK_PORT=n chooses others"; fi
    done
    if [ "$storage" = s3 ] && ! knows --storage; then
        echo "stack: this server has no --storage; files are in a folder"
        storage=file
    fi
    mkdir -p "$dir"
    chmod 755 "$dir"
    touch "$dir/is-a-duckmesh-stack"
    # What did not come up is taken down again.
    trap 'code=$?; [ $code -eq 0 ] || { tail -n 5 "$dir"/*.log >&2 || true; down; }; exit $code' EXIT
    start_postgres
    if [ "$storage" = s3 ]; then start_s3; fi
    start_members
    trap - EXIT
    status
    echo
    echo "psql \"host=127.0.0.1 port=$base dbname=duckmesh\"       (the other gateway: port=$((base + 1)))"
}

status() {
    local n=0 name pid state
    if pid=$(pid_of s3 moto_server); then echo "s3            pid $pid  http://127.0.0.1:$s3_port (in memory)"; fi
    if pid=$(head -1 "$dir/postgres/data/postmaster.pid" 2>/dev/null); then echo "postgres      pid $pid  127.0.0.1:$postgres_port"; fi
    for name in "${members[@]}"; do
        if pid=$(pid_of "$name" "$dir/$name"); then
            state=$(get $((base + 10 + n)) /ready 2>/dev/null || true)
            [ "$state" = 200 ] && state=ready || state="not ready ($state)"
            printf '%-13s pid %s  %s, http://127.0.0.1:%s/metrics\n' "$name" "$pid" "$state" $((base + 10 + n))
        else
            printf '%-13s not running\n' "$name"
        fi
        n=$((n + 1))
    done
}

down() {
    local name pid
    [ -e "$dir/is-a-duckmesh-stack" ] || fail "nothing of a stack is in $dir"
    for name in "${members[@]}"; do
        if pid=$(pid_of "$name" "$dir/$name"); then kill -TERM "$pid"; fi
    done
    for name in "${members[@]}"; do
        for _ in $(seq 450); do
            pid=$(pid_of "$name" "$dir/$name") || break
            sleep 0.1
        done
        if pid=$(pid_of "$name" "$dir/$name"); then kill -KILL "$pid"; fi
    done
    if pid=$(pid_of s3 moto_server); then kill -TERM "$pid"; fi
    if [ -e "$dir/postgres/data/postmaster.pid" ]; then as_postgres "$(pg_bin)/pg_ctl" -D "$dir/postgres/data" -m fast -w -s stop; fi
    rm -rf "$dir"
}

case ${1:-} in
up) up ;;
status)
    [ -e "$dir" ] || fail "nothing runs in $dir"
    status
    ;;
down) down ;;
*) fail "up, status or down?" ;;
esac
