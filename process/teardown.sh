#!/bin/sh
# Ends the processes of one sandbox and looks again. Prints "removed process
# PID:START" and "remains process PID:START REASON"; exits with 0 if none
# remains, 1 if one does, 2 if /proc cannot be read.
#
# The proof is the nonce in a process's environment. A number proves nothing:
# it may be another process's by now.
#
# "nonce", and "known" as a record lists them, come from teardown.go.
# shellcheck disable=SC2154,SC2086,SC2013
set -u
LC_ALL=C
export LC_ALL

# carriers FILE...: puts into "pids" who carries the nonce.
carriers() {
	pids=''
	for file in $(grep -lszxF "SANDBOXER_NONCE=$nonce" "$@"); do
		pid=${file#/proc/}
		pid=${pid%/environ}
		[ "$pid" = $$ ] || pids="$pids $pid"
	done
}

# start_time FIELD...: of /proc/PID/stat, from the third.
start_time() {
	shift 19
	echo "$1"
}

# identify PID: puts into "identity" what no other process ever has.
identify() {
	identity=''
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return
	stat=${stat##*) }
	case $stat in Z* | X*) return 1 ;; esac
	identity=$1:$(start_time $stat)
}

note_all() {
	for pid in $pids; do
		identify "$pid" || continue
		case " $noted " in
		*" $identity "*) ;;
		*) noted="$noted $identity" ;;
		esac
	done
}

tick() { sleep 0.05 2>/dev/null || sleep 1; }

# still narrows "pids" down to those that live.
still() {
	files=''
	for pid in $pids; do files="$files /proc/$pid/environ"; done
	carriers $files
	[ -n "$pids" ]
}

[ -r /proc/self/environ ] && [ -r /proc/self/stat ] || exit 2
noted=''
carriers /proc/[0-9]*/environ
note_all
if [ -n "$pids" ]; then
	kill -TERM $pids 2>/dev/null
	turns=0
	while [ $turns -lt 60 ] && still; do
		tick
		turns=$((turns + 1))
	done
fi
# What was started meanwhile has the environment of what started it.
turns=0
while [ $turns -lt 40 ]; do
	carriers /proc/[0-9]*/environ
	[ -n "$pids" ] || break
	note_all
	kill -KILL $pids 2>/dev/null
	tick
	turns=$((turns + 1))
done

status=0
for identity in $noted; do
	case " $pids " in
	*" ${identity%:*} "*)
		echo "remains process $identity not_ended it was sent SIGKILL"
		status=1
		;;
	*) echo "removed process $identity" ;;
	esac
done
for ref in $known; do
	identify "${ref%:*}" || continue
	case " $noted " in *" $ref "*) continue ;; esac
	[ "$identity" = "$ref" ] || continue
	echo "remains process $ref unproven it is the one recorded and does not carry the nonce"
	status=1
done
exit $status
