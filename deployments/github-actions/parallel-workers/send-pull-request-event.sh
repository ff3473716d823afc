#!/bin/sh
# Tells a Prefect server that pull requests of a repository have moved, so that nobody waits for the next look.
# Needs curl and jq, no Python.
#
# On GitHub Actions everything is read from $GITHUB_EVENT_NAME and the file $GITHUB_EVENT_PATH. Elsewhere give, beside what
# prefect-api.sh takes:
#   PULL_REQUEST_EVENT     closed, review or checks
#   REPOSITORY             owner/name
#   PULL_REQUESTS          numbers, with spaces between; may be empty
# Exit: 0 sent; 1 not sent; 2 wrong usage.
set -eu
# shellcheck source=prefect-api.sh
. "$(dirname "$0")/prefect-api.sh"

read_github_event() {
    case ${GITHUB_EVENT_NAME:-} in
        pull_request | pull_request_target) PULL_REQUEST_EVENT=closed ;;
        pull_request_review) PULL_REQUEST_EVENT=review ;;
        check_suite | check_run) PULL_REQUEST_EVENT=checks ;;
        *) fail "the GitHub event ${GITHUB_EVENT_NAME:-(none)} says nothing about a pull request" 2 ;;
    esac
    REPOSITORY=${REPOSITORY:-$GITHUB_REPOSITORY}
    PULL_REQUESTS=$(jq -r '
        [.pull_request.number, (.check_suite // .check_run // {} | .pull_requests // [] | .[].number)]
        | map(select(type == "number")) | map(tostring) | join(" ")' "$GITHUB_EVENT_PATH")
}

# A random UUID (version 4) for the event.
new_id() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n' |
        sed 's/\(........\)\(....\).\(...\).\(...\)\(............\)/\1-\2-4\3-a\4-\5/'
}

check_address
need od
if [ -z "${PULL_REQUEST_EVENT:-}" ]; then
    read_github_event
fi
case $PULL_REQUEST_EVENT in
    closed | review | checks) ;;
    *) fail "PULL_REQUEST_EVENT is closed, review or checks, not: $PULL_REQUEST_EVENT" 2 ;;
esac
[ -n "${REPOSITORY:-}" ] || fail "REPOSITORY is empty: it is owner/name" 2
case ${PULL_REQUESTS:-} in
    *[!0-9\ ]*) fail "PULL_REQUESTS are numbers with spaces between, not: $PULL_REQUESTS" 2 ;;
esac

export PULL_REQUEST_EVENT REPOSITORY PULL_REQUESTS
jq --null-input --arg id "$(new_id)" --arg occurred "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
    [{
        id: $id,
        occurred: $occurred,
        event: "parallel-workers.pull-request.\(env.PULL_REQUEST_EVENT)",
        resource: {
            "prefect.resource.id": "parallel-workers.repository.\(env.REPOSITORY)",
            "prefect.resource.name": env.REPOSITORY
        },
        related: ((env.PULL_REQUESTS // "") | split(" ") | map(select(. != "")) | .[:50] | map({
            "prefect.resource.id": "parallel-workers.pull-request.\(env.REPOSITORY)/\(.)",
            "prefect.resource.role": "pull-request",
            "parallel-workers.number": .
        }))
    }]' >"$work/body"
call POST /events "$work/body"
check_answer
[ "$status" = 204 ] || unexpected "the event"
say "sent: parallel-workers.pull-request.$PULL_REQUEST_EVENT of $REPOSITORY ${PULL_REQUESTS:-}"
