#!/bin/sh
# The process that a sandbox hangs on, in a session of its own: notes which one
# it is, runs the program and notes how that ended. Arguments: flags of
# unshare, which may be none, then the program.
# shellcheck disable=SC2086
set -u

# note FILE WORDS: all of it or nothing.
note() { printf '%s\n' "$2" >".sandboxer/$1.new" && mv -f ".sandboxer/$1.new" ".sandboxer/$1"; }

# start_time FIELD...: of /proc/PID/stat, from the third.
start_time() {
	shift 19
	echo "$1"
}

stat=$(cat "/proc/$$/stat")
note process "$$ $(start_time ${stat##*) })" || exit 1

flags=$1
shift
# The last thing before the program is a note of the time.
# shellcheck disable=SC2016
begin='cat /proc/uptime >.sandboxer/started; exec "$@"'
${flags:+unshare $flags --} sh -c "$begin" sh "$@"
note exit "$?"
