#!/bin/sh
# Builds, starts and awaits a compose sandbox, and says what the engine holds
# of it then. Every decision is taken from what the engine says; what the
# compose tool says is only ever quoted. Nothing is removed here.
#
# Assembled after bringup's common.sh and a tool's functions. Arguments: the
# check to be run on the host, which may be none.
# shellcheck disable=SC2154,SC2086,SC2034

# fault KIND [SERVICE]: why there is no sandbox, with what was said last.
fault() {
	frame fault "$@"
	printf '%s\n' "$said"
}

# The compose tool reads its own settings from the environment and from .env;
# the sandbox's are fixed. Other variables in .env are the profile's.
prepare() {
	for name in $(env | sed -n 's/^\(COMPOSE_[A-Za-z0-9_]*\)=.*/\1/p'); do
		unset "$name"
	done
	unset DOCKER_DEFAULT_PLATFORM
	env_file=/dev/null
	if [ -f .env ]; then
		env_file=.sandboxer/env
		grep -Ev '^[[:space:]]*(export[[:space:]]+)?(COMPOSE|DOCKER|SANDBOXER)_' .env >$env_file
	fi
	[ -n "$uid" ] || uid=$(id -u) gid=$(id -g)
	SANDBOXER_ID=$id SANDBOXER_NONCE=$nonce SANDBOXER_IMAGE=$image SANDBOXER_UID=$uid SANDBOXER_GID=$gid
	export SANDBOXER_ID SANDBOXER_NONCE SANDBOXER_IMAGE SANDBOXER_UID SANDBOXER_GID
	run eval 'printf "%s\n" "$override" >.sandboxer/override.json'
}

# make_image: from a directory as it is, or by the compose file's builds.
make_image() {
	if [ -n "$rootfs" ]; then
		run eval 'tar -C "$rootfs" -cf - . | import_image'
		case ${said#sha256:} in
		'' | *[!0-9a-f]*) ;; # it did not say just the image's id
		*) return 0 ;;
		esac
		said=$(printf '%s\n' "$said" | grep -Ev '^sha256:|^tar: (Exiting|Error)')
		return 1
	fi
	[ -n "$builds" ] || return 0
	run build_images && return
	engine image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1
}

# The state of every container, each a line of words and then one of JSON.
# shellcheck disable=SC2016
service='{{index $.Config.Labels "com.docker.compose.service"}}'
form="state $service {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.State.StartedAt}} {{.Id}}
{{range \$port, \$at := .NetworkSettings.Ports}}{{range \$at}}port $service {{\$port}} {{.HostPort}} {{.HostIp}}
{{end}}{{end}}json {\"Id\":{{json .Id}},\"Name\":{{json .Name}},\"Created\":{{json .Created}},\"Image\":{{json .Image}},"
form="$form\"ImageName\":{{json .Config.Image}},\"Service\":{{json (index .Config.Labels \"com.docker.compose.service\")}},"
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
		[ "$1" != state ] || judge "$2" "$3" "$4" "$5" "$6" "$7"
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

# judge SERVICE STATUS EXITCODE RESTARTS STARTED ID
judge() {
	now="$nl$1 $2 $5"
	states=$states$now
	case $2 in
	running | paused)
		running=yes
		# Once more at every look is a loop; it may have calmed down.
		case "$before$nl" in *"$now$nl"*) return ;; esac
		[ "$4" -lt 5 ] || blame looping "$1" "$6"
		;;
	exited | dead) [ "$3" = 0 ] || blame exited "$1" "$6" ;;
	created) blame unstarted "$1" "$6" ;;
	*)
		if [ "$4" -ge 5 ]; then
			blame looping "$1" "$6"
		elif [ $verdict = fine ]; then
			verdict=pending
		fi
		;;
	esac
}

# settled: the last look is the last one needed. Without a file to wait for,
# services that run must be the same at two looks.
settled() {
	case $verdict in
	fine) ;;
	pending) return 1 ;;
	*) return 0 ;;
	esac
	if [ -z "$ready_file" ]; then
		[ "$states" = "$before" ]
		return
	fi
	is_ready && return
	[ -z "$running" ] && verdict=ended
}

# await looks when the file appears, when a start has gone wrong, and now and
# then in between: a look costs more than a tick.
await() {
	start_waiting
	before='' seen_ready='' next=10
	if [ -z "$ready_file" ] || [ "$started" != 0 ]; then next=0; fi
	while :; do
		if [ -z "$seen_ready" ] && is_ready; then
			seen_ready=yes next=0
		fi
		if [ $ticks -ge $next ]; then
			next=$((ticks + 20))
			look
			settled && return
			before=$states
			if overdue; then
				verdict=timeout
				return
			fi
		fi
		tick
	done
}

# tell_parts: what else the engine holds, by label.
tell_parts() {
	set -- --filter "label=sandboxer.id=$id" --filter "label=sandboxer.nonce=$nonce"
	frame networks
	engine network ls --no-trunc "$@" --format '{{.ID}} {{.Name}}'
	frame volumes
	engine volume ls "$@" --format '{{.Name}}'
}

tell_log() {
	[ -n "$culprit" ] || [ $verdict = timeout ] || [ $verdict = ended ] || return 0
	frame log
	for name in ${culprit:-$ids}; do
		engine logs --tail 20 "$name" 2>&1 | tail -c 16384
	done
}

# first_port: the address of the first published port, in the order of the
# services.
first_port() {
	address=
	set -f
	IFS=$nl
	for name in $services; do
		for line in $seen; do
			case $line in "port $name "*) ;; *) continue ;; esac
			IFS=' '
			set -- $line
			IFS=$nl
			case ${5-} in
			'' | 0.0.0.0) address=127.0.0.1:$4 ;;
			::) address="[::1]:$4" ;;
			*:*) address="[$5]:$4" ;;
			*) address=$5:$4 ;;
			esac
			break 2
		done
	done
	unset IFS
	set +f
}

bring_up() {
	if ! prepare; then
		fault unwritable
		return
	fi
	frame phase build
	if ! make_image; then
		fault build
		return
	fi
	frame phase start
	limit=${bound:+"$bound $wait"}
	run start_services
	started=$?
	output=$said limit=${bound:+"$bound 30"}
	set -- --filter "label=sandboxer.id=$id" --filter "label=sandboxer.nonce=$nonce"
	if ! run engine ps -aq --no-trunc "$@"; then
		fault engine
		return
	fi
	ids=$said said=$output
	if [ -z "$ids" ]; then
		fault missing "${services%% *}"
		return
	fi
	frame phase wait
	tell_parts &
	await
	wait
	if [ $verdict != fine ]; then
		fault $verdict $blamed
		tell_log
	fi
	frame containers
	printf '%s\n' "$seen"
}

cd -- "$dir" || exit 1
find_timeout
verdict='' limit='' # builds take as long as they do
bring_up
if [ "$verdict" = fine ]; then
	tell_result
	first_port
	if [ $# -gt 0 ] && [ -n "$address" ]; then check_from_host "$address" "$@"; fi
fi
frame end
