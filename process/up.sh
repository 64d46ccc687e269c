#!/bin/sh
# Starts a program as a supervised process of the host, away from this script,
# waits until it is ready and says what came of it. Nothing is ended here.
#
# Assembled after bringup's common.sh. "supervisor" is supervise.sh; the
# function check_host is the check to be run on the host, or does nothing.
# Arguments: the program.
# shellcheck disable=SC2154,SC2086

# choose_namespaces tries what the kernel permits this user.
choose_namespaces() {
	flags='' isolation=none
	have unshare || return 0
	own='--mount --pid --ipc --uts --fork --kill-child --mount-proc'
	if [ "$(id -u)" = 0 ]; then
		set -- "$own"
	else
		set -- "--user --map-current-user $own" "--user --map-root-user $own"
	fi
	for try in "$@"; do
		if unshare $try -- true 2>/dev/null; then
			flags=$try isolation=mount,pid,ipc,uts
			case $try in --user*) isolation=user,$isolation ;; esac
			return
		fi
	done
}

# launch replaces the shell it runs in, which is one in the background, by the
# supervisor. Nothing is handed down: no open file, such as the one that holds
# a lock, and no environment but this.
launch() {
	exec </dev/null >>.sandboxer/log 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
	exec env -i PATH="$PATH" HOME="${HOME-/}" LC_ALL=C \
		SANDBOXER_ID="$id" SANDBOXER_NONCE="$nonce" SANDBOXER_ENGINE=process SANDBOXER_DIR="$dir" \
		setsid sh .sandboxer/supervise "$flags" "$@"
}

# lives: the supervisor is there. A zombie has no environment.
lives() {
	read -r pid _ <.sandboxer/process 2>/dev/null &&
		grep -qszxF "SANDBOXER_NONCE=$nonce" "/proc/$pid/environ"
}

# await waits for the file or, where there is none, a second. "verdict" is
# ready or what is wrong.
await() {
	start_waiting
	next=10 code=''
	while :; do
		if [ -f .sandboxer/exit ]; then
			read -r code <.sandboxer/exit
			verdict=ended
			[ "$code" != 0 ] || { [ -n "$ready_file" ] && ! is_ready; } || verdict=ready
			return
		fi
		verdict=ready
		is_ready && return
		[ -z "$ready_file" ] && [ $ticks -ge 20 ] && return
		if [ $ticks -ge $next ]; then
			next=$((ticks + 20))
			verdict=lost
			lives || [ -f .sandboxer/exit ] || return
			verdict=timeout
			overdue && return
		fi
		tick
	done
}

# find_port takes "port" from the result, a JSON object.
find_port() {
	[ -n "$ready_file" ] || return
	port=$(head -c "$result_limit" <"$ready_file")
	case $port in *'"port"'*) ;; *) return 1 ;; esac
	port=${port#*'"port"'}
	port=${port#"${port%%[!: ]*}"}
	port=${port%%[!0-9]*}
	[ -n "$port" ] && frame port "$port"
}

fault() {
	frame fault "$@"
	frame log
	tail -n 20 .sandboxer/log 2>/dev/null | tail -c 16384
}

bring_up() {
	frame phase start
	if ! have setsid; then
		fault no_setsid
		return
	fi
	if ! run eval 'printf %s "$supervisor" >.sandboxer/supervise'; then
		fault unwritable
		printf '%s\n' "$said"
		return
	fi
	choose_namespaces
	frame isolation "$isolation"
	asked=$(cat /proc/uptime)
	launch "$@" &
	frame phase wait
	await
	if [ -f .sandboxer/process ]; then
		frame process
		cat .sandboxer/process
	fi
	if [ $verdict != ready ]; then
		fault $verdict $code
		return
	fi
	frame uptimes
	echo "$asked"
	cat .sandboxer/started
	tell_result
	if find_port; then check_host "127.0.0.1:$port"; fi
}

cd -- "$dir" || exit 1
find_timeout
bring_up "$@"
frame end
