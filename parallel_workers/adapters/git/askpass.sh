#!/bin/sh
# Run by git as GIT_ASKPASS with its question: "Username for 'https://host': " or "Password for 'https://user@host': ".
# Answers for one server; the password is a line in a pipe that only this git command has.
server=$PARALLEL_WORKERS_ASKPASS_SERVER
case $1 in
"Username for '$server'"* | "Username for '$server/"*)
    printf '%s\n' "$PARALLEL_WORKERS_ASKPASS_USER"
    ;;
"Password for '${server%%://*}://$PARALLEL_WORKERS_ASKPASS_USER@${server#*://}'"* | \
    "Password for '${server%%://*}://$PARALLEL_WORKERS_ASKPASS_USER@${server#*://}/"*)
    IFS= read -r secret <"/dev/fd/$PARALLEL_WORKERS_ASKPASS_FD" && printf '%s\n' "$secret"
    ;;
*)
    exit 1
    ;;
esac
