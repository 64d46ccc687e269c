#!/bin/sh
# Functions with which a provisioner's script starts a sandbox, waits for it
# and says what came of it. "token" and the variables of Settings come from
# whoever assembles the script.
# shellcheck disable=SC2154,SC2034
set -u
LC_ALL=C
export LC_ALL
unset CDPATH
nl='
'
ticks=0
deadline=

have() { command -v "$1" >/dev/null 2>&1; }

# frame NAME WORD...: what is printed from here on is of NAME.
frame() { printf '\n%s %s\n' "$token" "$*"; }

# run COMMAND...: its status, with the last lines of its output in "said".
run() {
	said=$(
		{
			"$@" 2>&1
			printf '\n%s' "$?"
		} | tail -n 41
	)
	run_status=${said##*"$nl"}
	said=${said%"$nl"*}
	said=${said%"$nl"}
	return "$run_status"
}

# find_timeout puts into "bound" the command that bounds another one, if there
# is any, and does not take it out of the process group that a cancel kills.
find_timeout() {
	bound=
	for bound in 'timeout --foreground' timeout; do
		$bound 5 true 2>/dev/null && return
	done
	bound=
}

# start_waiting: the time allowed runs from here.
start_waiting() { deadline=$(($(date +%s) + wait)); }

overdue() { [ "$(date +%s)" -ge "$deadline" ]; }

# tick waits for a twentieth of a second, or where sleep knows none, for a
# second; "ticks" counts twentieths.
tick() {
	if sleep 0.05 2>/dev/null; then
		ticks=$((ticks + 1))
	else
		sleep 1
		ticks=$((ticks + 20))
	fi
}

# is_ready: the file that says so is there.
is_ready() { [ -n "$ready_file" ] && [ -f "$ready_file" ]; }

# tell_result prints the file that was waited for.
tell_result() {
	[ -n "$ready_file" ] || return 0
	frame result
	head -c "$result_limit" <"$ready_file"
}

# check_from_host ADDRESS COMMAND...: runs a program of the upload here, for
# it to try ADDRESS. Its status is said even where it could not be run.
check_from_host() {
	SANDBOXER_PORT=$1 SANDBOXER_ID=$id SANDBOXER_NONCE=$nonce
	export SANDBOXER_PORT SANDBOXER_ID SANDBOXER_NONCE
	shift
	frame check
	${bound:+$bound 30} "$@" </dev/null 2>/dev/null
	frame checked $?
}
