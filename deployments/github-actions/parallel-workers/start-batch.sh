#!/bin/sh
# Starts a batch on a Prefect server: one run of the deployment run-batch. Needs curl and jq, no Python.
#
# Environment, beside what prefect-api.sh takes; what is empty is as if it was not there:
#   BATCH_SPEC          what the deployment takes: a batch file's text, its path on the machine of the Prefect worker,
#                       or <repository URL>//<path in it>[?ref=<branch>]; or instead
#   BATCH_SPEC_FILE     a file here, whose text is sent
#   BATCH_REPOSITORY, BATCH_NAME, BATCH_MERGE, BATCH_MAX_WORKERS    the deployment's parameters of these names
#   BATCH_DEPLOYMENT    another deployment than run-batch/run-batch
#   IDEMPOTENCY_KEY     a second call with the same key starts nothing; by default made from the CI run and the parameters
#   WAIT                true: until the batch has ended; exit by its result
#   WAIT_SECONDS        how long at most (default 21000); POLL_SECONDS between two looks (default 10)
# Standard output: the id of the flow run. Also into $GITHUB_OUTPUT: flow-run-id, flow-run-url, state.
# Exit: 0 started, or completed; 1 not so; 2 wrong usage; 3 waited long enough, the batch goes on.
set -eu
# shellcheck source=prefect-api.sh
. "$(dirname "$0")/prefect-api.sh"

output() {
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
        printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr -d '\n\r')" >>"$GITHUB_OUTPUT"
    fi
}

read_parameters() {
    if [ -n "${BATCH_SPEC_FILE:-}" ]; then
        [ -z "${BATCH_SPEC:-}" ] || fail "both a spec and a spec file were given; give one" 2
        [ -r "$BATCH_SPEC_FILE" ] || fail "no such batch file: $BATCH_SPEC_FILE" 2
        cp "$BATCH_SPEC_FILE" "$work/spec"
        name=${BATCH_SPEC_FILE##*/}
        BATCH_NAME=${BATCH_NAME:-${name%.*}}
    else
        [ -n "${BATCH_SPEC:-}" ] || fail "no batch was given: neither a spec nor a spec file" 2
        printf '%s' "$BATCH_SPEC" >"$work/spec"
    fi
    case ${BATCH_MAX_WORKERS:-} in
        *[!0-9]*) fail "max-workers is no whole number: $BATCH_MAX_WORKERS" 2 ;;
    esac
    export BATCH_NAME BATCH_REPOSITORY BATCH_MERGE BATCH_MAX_WORKERS
    jq --null-input --rawfile spec "$work/spec" '
        {
            spec: $spec,
            repository: env.BATCH_REPOSITORY,
            name: env.BATCH_NAME,
            merge: env.BATCH_MERGE,
            max_workers: (env.BATCH_MAX_WORKERS | if . == null or . == "" then null else tonumber end)
        } | with_entries(select(.value != null and .value != ""))' >"$work/parameters"
}

# The same for the same CI run, attempt and parameters: a step that is repeated starts no second batch.
make_key() {
    if [ -n "${IDEMPOTENCY_KEY:-}" ]; then
        printf '%s' "$IDEMPOTENCY_KEY"
    elif [ -n "${GITHUB_RUN_ID:-}" ]; then
        printf 'github/%s/%s/%s/%s/%s' "${GITHUB_REPOSITORY:-}" "$GITHUB_RUN_ID" "${GITHUB_RUN_ATTEMPT:-1}" \
            "${GITHUB_JOB:-}" "$(cksum <"$work/parameters" | tr ' ' -)"
    fi
}

# The id in the answer, on standard output. (jq takes an empty answer for no error.)
read_id() {
    id=$(jq -er .id "$work/answer" 2>/dev/null) || id=''
    [ -n "$id" ] || unexpected "$1"
    printf '%s\n' "$id"
}

find_deployment() {
    call GET "/deployments/name/$deployment"
    check_answer
    [ "$status" != 404 ] || fail "the Prefect server at $PREFECT_API_URL has no deployment $deployment, or its address \
lacks /api; 'parallel-workers up' registers the deployments"
    [ "$status" = 200 ] || unexpected "the question for the deployment $deployment"
    read_id "the question for the deployment $deployment"
}

create_run() {
    make_key >"$work/key"
    jq --null-input --slurpfile parameters "$work/parameters" --rawfile key "$work/key" '
        {parameters: $parameters[0]}
        + if $key == "" then {} else {idempotency_key: $key} end' >"$work/body"
    call POST "/deployments/$1/create_flow_run" "$work/body"
    check_answer
    case $status in
        409 | 422) fail "the deployment $deployment does not take these parameters: $(detail)" ;;
        200 | 201) read_id "the request for a run" ;;
        *) unexpected "the request for a run" ;;
    esac
}

# Follow the run until it has ended. A server that is away for a while is looked for until the time is up.
follow() {
    deadline=$(($(date +%s) + ${WAIT_SECONDS:-21000}))
    seen=''
    while :; do
        call GET "/flow_runs/$1"
        case $status in
            000 | 5??) state='' type='' ;;
            *)
                check_answer
                state=$(jq -r '.state.name // empty' "$work/answer" 2>/dev/null | tr -d '\n' | quote | sed 's/^| //')
                type=$(jq -r '.state.type // empty' "$work/answer" 2>/dev/null)
                [ -n "$type" ] || unexpected "the question for the run $1"
                ;;
        esac
        if [ -n "$state" ] && [ "$state" != "$seen" ]; then
            seen=$state
            say "$(date -u +%H:%M:%S) $state"
        fi
        case $type in
            COMPLETED | FAILED | CRASHED | CANCELLED) break ;;
        esac
        if [ "$(date +%s)" -ge "$deadline" ]; then
            fail "the batch has not ended within ${WAIT_SECONDS:-21000} s (last seen: ${seen:-nothing}); it goes on without us" 3
        fi
        sleep "${POLL_SECONDS:-10}"
    done
    output state "$state"
    jq -r '.state.message // empty' "$work/answer" | quote >&2
    [ "$type" = COMPLETED ] || fail "the batch ended as $state"
}

check_address
deployment=${BATCH_DEPLOYMENT:-run-batch/run-batch}
read_parameters
deployment_id=$(find_deployment)
run_id=$(create_run "$deployment_id")
output flow-run-id "$run_id"
case $PREFECT_API_URL in
    */api)
        url=${PREFECT_API_URL%/api}/runs/flow-run/$run_id
        output flow-run-url "$url"
        say "batch started: $url"
        ;;
    *) say "batch started" ;;
esac
printf '%s\n' "$run_id"
if [ "${WAIT:-}" = true ]; then
    follow "$run_id"
fi
