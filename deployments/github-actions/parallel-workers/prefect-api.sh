# Calls of a Prefect server's REST API from POSIX sh with curl and jq. Sourced by the scripts beside it.
#
# Environment: PREFECT_API_URL and, where the server asks for one, PREFECT_API_AUTH_STRING or PREFECT_API_KEY:
# Prefect's own names. No credential is ever part of a command line, where other processes could read it.
# shellcheck shell=sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
    printf '%s\n' "$1" >&2
}

# fail MESSAGE [EXIT CODE]: to standard error, also the command that makes a CI runner show it at the run's top.
fail() {
    message=$(printf '%s' "$1" | tr '\n\r' '  ')
    if [ -n "${GITHUB_ACTIONS:-}" ]; then
        message="::error title=parallel-workers::$(printf '%s' "$message" | sed 's/%/%25/g')"
    fi
    say "$message"
    exit "${2:-1}"
}

# Text from elsewhere, from standard input, for people: no terminal escapes, and nothing a CI runner takes as a command.
quote() {
    tr -d '\000-\010\013-\037\177' | sed -e 's/##\[/## [/g' -e 's/^/| /'
}

need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "$program is needed on the runner and was not found" 2
    done
}

check_address() {
    need curl jq base64
    [ -n "${PREFECT_API_URL:-}" ] || fail "PREFECT_API_URL is empty: it is the server's address, ending in /api" 2
    PREFECT_API_URL=${PREFECT_API_URL%/}
    case $PREFECT_API_URL in
        http://* | https://*) ;;
        *) fail "PREFECT_API_URL is no http or https address: $PREFECT_API_URL" 2 ;;
    esac
}

# The credential as a line of curl's configuration.
credential() {
    if [ -n "${PREFECT_API_AUTH_STRING:-}" ]; then
        printf 'header = "Authorization: Basic %s"\n' "$(printf '%s' "$PREFECT_API_AUTH_STRING" | base64 | tr -d '\n')"
    elif [ -n "${PREFECT_API_KEY:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$(printf '%s' "$PREFECT_API_KEY" | tr -d '"\\\n\r')"
    fi
}

# call METHOD PATH [BODY FILE]: the answer in $work/answer, its status in $status ("000": there was none; why is in $why).
call() {
    set -- "$1" "$2" "${3:-}"
    : >"$work/answer"
    credential >"$work/credential"
    status=$(curl --silent --show-error --config "$work/credential" --request "$1" \
        --proto '=http,https' --connect-timeout 10 --max-time 60 --retry 3 --retry-delay 1 \
        --header 'Accept: application/json' --header 'Content-Type: application/json' \
        ${3:+--data-binary "@$3"} --output "$work/answer" --write-out '%{http_code}' \
        "$PREFECT_API_URL$2" 2>"$work/curl") || status=000
    why=$(head -n 1 "$work/curl")
}

# What every call may meet, said in one line; returns when the answer is for the caller to read.
check_answer() {
    case $status in
        000) fail "the Prefect server at $PREFECT_API_URL cannot be reached: $why" ;;
        401) fail "the Prefect server at $PREFECT_API_URL refuses the credential (or asks for one): HTTP 401" ;;
        403) fail "the Prefect server at $PREFECT_API_URL does not allow it: HTTP 403 $(detail)" ;;
    esac
}

unexpected() {
    fail "the Prefect server at $PREFECT_API_URL answered HTTP $status to $1; does its address end in /api? $(detail)"
}

# What the server says is wrong, on one line.
detail() {
    jq -r '.detail // .exception_detail // .exception_message // empty | if type == "string" then . else tojson end' \
        "$work/answer" 2>/dev/null | tr '\n' ' ' | quote | sed 's/^| //' | cut -c 1-500
}
