#!/bin/sh
# Functions of up.sh: what the engine says of the sandbox's containers, and how
# long it is looked at.
# shellcheck disable=SC2154,SC2086,SC2034

# The state of every container, each a line of words and then one of JSON.
# shellcheck disable=SC2016
service='{{$service}}'
form="{{\$service := index .Config.Labels \"com.docker.compose.service\"}}state $service {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} no{{.HostConfig.RestartPolicy.Name}}"
form="$form {{json .State.StartedAt}} {{.State.Pid}} {{.Id}}
{{range \$port, \$at := .NetworkSettings.Ports}}{{range \$at}}port $service {{\$port}} {{.HostPort}} {{$host_ip}}
{{end}}{{end}}json {\"Id\":\"{{.Id}}\",\"Name\":{{json .Name}},\"Created\":{{json .Created}},\"Image\":{{json .Image}},"
form="$form\"ImageName\":{{json .Config.Image}},\"Service\":{{json \$service}},"
form="$form\"State\":{{json .State}},\"Restarts\":{{.RestartCount}},\"Ports\":{{json .NetworkSettings.Ports}}}"

# look asks the engine once and sorts the answer: "verdict" is fine, pending,
# or the worst that is wrong, with the service it is wrong with as "blamed".
look() {
	blamed='' culprit=''
	if ! seen=$(engine inspect --type container --format "$form" $ids 2>&1); then
		said=$seen seen='' verdict=engine
		return
	fi
	verdict=fine states='' running=''
	set -f
	IFS=$nl
	for line in $seen; do
		IFS=' '
		set -- $line
		[ "$1" != state ] || judge "$2" "$3" "$4" "$5" "$6" "$7" "$9"
	done
	unset IFS
	set +f
	for name in $services; do
		case "$states$nl" in
		*"$nl$name "*) ;;
		*) blame missing "$name" '' ;;
		esac
	done
}

# blame VERDICT SERVICE ID: what was never started is at fault only if nothing
# else is; the first service is blamed.
blame() {
	case $verdict in
	fine | pending) ;;
	missing | unstarted) case $1 in missing | unstarted) return ;; esac ;;
	*) return ;;
	esac
	verdict=$1 blamed=$2 culprit=$3
}

# judge SERVICE STATUS EXITCODE RESTARTS POLICY STARTED ID
judge() {
	now="$nl$1 $2 $6"
	states=$states$now
	case $2 in
	running | paused)
		running=yes
		# Once more at every look is a loop; it may have calmed down.
		case "$before$nl" in *"$now$nl"*) return ;; esac
		[ "$4" -lt 5 ] || blame looping "$1" "$7"
		;;
	exited | dead)
		[ "$3" != 0 ] || return
		case "$5 $before$nl" in
		no\ * | nono\ * | *"$now$nl"*) blame exited "$1" "$7" ;;
		*) unsteady "$@" ;; # podman says so between two starts
		esac
		;;
	created | configured) blame unstarted "$1" "$7" ;;
	*) unsteady "$@" ;;
	esac
}

unsteady() {
	if [ "$4" -ge 5 ]; then
		blame looping "$1" "$7"
	elif [ $verdict = fine ]; then
		verdict=pending
	fi
}

# settled: the last look is the last one needed. Without a file to wait for,
# services that run must be the same at two looks.
settled() {
	case $verdict in
	fine) ;;
	pending) return 1 ;;
	*) return 0 ;;
	esac
	if [ -n "$ready_file" ]; then
		if ! is_ready; then
			[ -z "$running" ] && verdict=ended
			return
		fi
	elif [ "$states" != "$before" ]; then
		return 1
	fi
	[ -z "$checks" ] && return
	[ -z "$running" ] && verdict=unready
}

# await looks when the file appears, when the checks hold, when a start has
# gone wrong, and now and then in between: a look costs more than a tick.
await() {
	start_waiting
	before='' seen='' seen_ready='' next=10 next_try=0
	if [ -z "$ready_file" ] || [ -n "$checks" ] || [ "$started" != 0 ]; then next=0; fi
	while :; do
		if [ -z "$seen_ready" ] && is_ready; then
			seen_ready=yes next=0
		fi
		if [ -n "$checks" ] && [ -n "$seen" ] && [ $ticks -ge $next_try ]; then
			next_try=$((ticks + 4))
			try_checks && next=0
		fi
		if [ $ticks -ge $next ]; then
			next=$((ticks + 20))
			look
			settled && return
			before=$states
			if overdue; then
				verdict=timeout
				[ -z "$checks" ] || verdict=unready
				return
			fi
		fi
		tick
	done
}
