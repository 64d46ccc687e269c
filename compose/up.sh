#!/bin/sh
# Builds, starts and awaits a compose sandbox, and says what the engine holds
# of it then. Every decision is taken from what the engine says; what the
# compose tool says is only ever quoted. Nothing is removed here.
#
# Assembled after bringup's common.sh, the functions of an engine and of a
# compose tool, await.sh and ready.sh. Arguments: the check to be run on the
# host, which may be none.
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
	env_file=.sandboxer/env
	[ -n "$uid" ] || uid=$(id -u) gid=$(id -g)
	set -- "SANDBOXER_ID=$id" "SANDBOXER_NONCE=$nonce" "SANDBOXER_IMAGE=$image" "SANDBOXER_UID=$uid" "SANDBOXER_GID=$gid"
	for setting in "$@"; do export "${setting?}"; done
	[ -n "$sudo" ] || set -- # sudo drops the environment, and may not be told to keep it
	run write_settings "$@"
}

# write_settings LINE...: the files that a compose tool gets.
write_settings() {
	{
		if [ -f .env ]; then
			grep -Ev '^[[:space:]]*(export[[:space:]]+)?(COMPOSE|DOCKER|PODMAN|SANDBOXER)_' .env
			echo # its last line may not end
		fi
		[ $# = 0 ] || printf '%s\n' "$@"
	} >$env_file &&
		printf '%s\n' "$override" >.sandboxer/override.json &&
		set_env
}

# ask_version asks the tool what it is, beside what costs more. It is known
# once wait_version has been called, which fails if what was started by it
# would be in another engine than is asked: whatever it is called.
ask_version() {
	{
		tool_version 2>&1
		echo "status $?"
	} >.sandboxer/version &
}

wait_version() {
	wait
	version=$(cat .sandboxer/version)
	asked=${version##*"status "}
	version=${version%"status "*}
	said=$version
	frame tool
	printf '%s\n' "$version"
	[ "$asked" = 0 ] || return
	case $version in
	*podman*) drives=podman ;;
	*) drives=docker ;;
	esac
	[ "$drives" = "$engine_name" ] && return
	said="it drives $drives, and says: ${version%%"$nl"*}"
	return 1
}

# find_images: all those that are not the sandbox's own are here; what is not,
# a compose tool would go and get.
find_images() {
	[ -n "$images" ] || return 0
	engine image inspect --format '{{.Id}}' $images >/dev/null 2>&1 && return
	for name in $images; do
		run engine image inspect --format '{{.Id}}' "$name" && continue
		missing=$name
		return 1
	done
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
	run build_images
	set --
	for name in $builds; do set -- "$@" "$image:$name"; done
	engine image inspect --format '{{.Id}}' "$@" >/dev/null 2>&1
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
		engine logs --tail 100 "$name" 2>&1 | tail -c 16384
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
			address=$(address_of "$4" "${5-}")
			break 2
		done
	done
	unset IFS
	set +f
}

# fault_or_tool KIND WORD...: a fault, unless it is that of a tool that cannot
# be used at all.
fault_or_tool() {
	cause=$said
	if wait_version; then
		said=$cause
		fault "$@"
	else
		frame phase start
		fault tool
	fi
}

bring_up() {
	if ! prepare; then
		fault unwritable
		return
	fi
	ask_version
	if ! find_images; then
		fault_or_tool image "$missing"
		return
	fi
	frame phase build
	if ! make_image; then
		fault_or_tool build
		return
	fi
	frame phase start
	if ! wait_version; then
		fault tool
		return
	fi
	limit=${bound:+"$bound $((wait + 60))"} # what it takes to start is not waited for
	run start_services
	started=$?
	if mend_start; then
		run start_services
		started=$?
	fi
	limit=${bound:+"$bound 30"}
	set -- --filter "label=sandboxer.id=$id" --filter "label=sandboxer.nonce=$nonce"
	if ! ids=$(engine ps -aq --no-trunc "$@" 2>.sandboxer/said); then
		said=$(cat .sandboxer/said)
		fault engine
		return
	fi
	if [ -z "$ids" ]; then
		fault missing "${services%% *}"
		return
	fi
	frame phase wait
	tell_parts &
	await
	wait
	case $verdict in
	fine) ;;
	unready)
		set -f
		set -- $unmet
		said=$last culprit=$(of_service state "$1" | cut -d ' ' -f 9)
		fault unready "$@"
		set +f
		tell_log
		;;
	*)
		fault $verdict $blamed
		tell_log
		;;
	esac
	frame containers
	printf '%s\n' "$seen"
}

cd -- "$dir" || exit 1
find_timeout
# Nobody but root can stop what runs as root, and sudo may not be for timeout.
[ -z "$sudo" ] || [ -z "$bound" ] || $sudo $bound 5 true 2>/dev/null || bound=
verdict='' limit='' # builds take as long as they do
bring_up
if [ "$verdict" = fine ]; then
	tell_result
	first_port
	if [ $# -gt 0 ] && [ -n "$address" ]; then check_from_host "$address" "$@"; fi
fi
frame end
