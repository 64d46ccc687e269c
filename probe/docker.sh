#!/bin/sh
# docker: where it is, whether it may be asked, and what it says.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# Curl keeps time itself. A client that hangs, and nothing to stop it, would
# cost the whole answer.
docker_cli_or() {
	docker=$1
	have docker || return
	docker=no_timeout
	have timeout && docker=cli
}

find_docker() {
	config=${DOCKER_CONFIG:-$home/.docker}
	socket=/var/run/docker.sock
	base=http://d
	docker_host=
	[ "$sudo" ] || docker_host=${DOCKER_HOST-}
	# Asking there would start a podman, which is asked anyway.
	for other in /run/podman/podman.sock "${XDG_RUNTIME_DIR:-/run/user/$uid}/podman/podman.sock"; do
		# shellcheck disable=SC3013 # all the shells know it; one that does not goes on
		if [ "$socket" -ef "$other" ] || [ "${DOCKER_HOST-}" = "unix://$other" ]; then
			docker=podman
			return
		fi
	done
	if [ "$sudo" ]; then
		docker=absent
		if [ ! -S "$socket" ] && ! in_sbin dockerd; then return; fi
		docker=no_sudo
		have sudo && docker_cli_or unasked
		return
	fi
	case ${DOCKER_HOST-} in
	'')
		docker_host=${DOCKER_CONTEXT:+context:$DOCKER_CONTEXT}
		if [ -z "$docker_host" ] && [ -f "$config/config.json" ]; then
			docker_host=$(grep '"currentContext"' "$config/config.json")
		fi
		if [ -n "$docker_host" ]; then
			docker_cli_or absent
			return
		fi
		;;
	unix://*) socket=${DOCKER_HOST#unix://} ;;
	tcp://*)
		if have curl && [ -z "${DOCKER_TLS_VERIFY-}${DOCKER_TLS-}" ]; then
			base=http://${DOCKER_HOST#tcp://}
			socket=
			docker=api
			return
		fi
		docker_cli_or absent
		return
		;;
	*)
		docker_cli_or absent
		return
		;;
	esac
	if [ ! -S "$socket" ]; then
		if in_sbin dockerd; then docker=down; else docker=absent; fi
	elif [ ! -w "$socket" ]; then
		docker=forbidden
	elif have curl; then
		docker=api
	else
		docker_cli_or unasked
	fi
}

compose_plugin() {
	for dir in "$config" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
		[ -x "$dir/cli-plugins/docker-compose" ] && return
	done
	return 1
}

# ---- docker by its socket: one process asks for everything.

docker_get() {
	bounded curl -sS --fail-early --noproxy '*' ${socket:+--unix-socket "$socket"} -m "$limit" \
		-w "\\n$nonce http %{http_code} %{time_total} %{url_effective}\\n" "$@" 2>&1
}

docker_api() {
	begin docker_api
	docker_get "$base/version" "$base/info" "$base/containers/json?all=1" \
		"$base/networks" "$base/volumes" "$base/images/json"
	end docker_api $?
}

# Only an inspection tells when a container started and ended. It is asked for
# where there are sandboxes. The filter is label=sandboxer.id and any status but
# created. What is said of those of the sandbox wanted is kept, for its usage.
# (Of several patterns that match a line, busybox grep -o shows those of one.)
docker_api_times() {
	begin docker_api_times
	filter='%7B%22label%22%3A%5B%22sandboxer.id%22%5D%2C%22status%22%3A%5B'
	filter=$filter'%22running%22%2C%22paused%22%2C%22restarting%22%2C%22removing%22%2C%22exited%22%2C%22dead%22%5D%7D'
	ids=$(docker_get "$base/containers/json?all=1&filters=$filter" | grep -oE \
		-e "\"Id\":\"[0-9a-f]*\"|\"sandboxer.id\":\"$want\"" -e "^$nonce http 200")
	set --
	listed=
	said=
	mine=
	id=
	for word in $ids; do
		case $word in
		'"Id":'*)
			if [ "$id" ]; then set -- "$@" "$id"; fi
			id=${word#'"Id":"'}
			id=$base/containers/${id%'"'}/json
			;;
		'"sandboxer.id":'*)
			if [ "$want" ] && [ "$id" ]; then mine="$mine $id" id=; fi
			;;
		200) listed=yes ;;
		esac
	done
	if [ "$id" ]; then set -- "$@" "$id"; fi
	code=1
	if [ -n "$listed" ]; then
		code=0
		if [ "$mine" ]; then
			# shellcheck disable=SC2086 # addresses are words
			said=$(docker_get $mine)
			code=$?
			printf '%s\n' "$said"
		fi
		if [ $# -gt 0 ]; then docker_get "$@" || code=$?; fi
	fi
	end docker_api_times $code
	[ "$want" ] && usage docker
}

# ---- docker by its own client.

docker_ask() {
	section=docker_cli_$1
	shift
	begin "$section"
	client docker "$@" 2>&1
	code=$?
	end "$section" $code
	return $code
}

docker_cli() {
	label() { echo "\"$1\":{{json (.Label \"$1\")}}"; }
	labels="\"Labels\":{$(label sandboxer.id),$(label sandboxer.nonce),$(label com.docker.compose.project)"
	labels="$labels,$(label com.docker.compose.service),$(label com.docker.compose.project.working_dir)}"
	docker_ask version version --format '{{json .}}' || return
	docker_ask info info --format '{{json .}}' &&
		docker_ask containers ps -a --no-trunc --format "{\"Id\":{{json .ID}},\"Names\":[{{json .Names}}],\"State\":{{json .State}},$labels}" &&
		docker_ask networks network ls --no-trunc --format "{\"Id\":{{json .ID}},\"Name\":{{json .Name}},$labels}" &&
		docker_ask volumes volume ls --format "{\"Name\":{{json .Name}},$labels}" &&
		docker_ask images images --no-trunc --format '{"Id":{{json .ID}},"RepoTags":["{{.Repository}}:{{.Tag}}"]}'
}

# all_of runs a client and notes how it ended, behind what it said. What it
# leaves behind when it is stopped can hold its output open.
all_of() {
	{
		client "$@"
		echo "$nonce done $?"
		echo
	} | sed "/^$nonce done/q"
}

docker_cli_times() {
	begin docker_cli_times
	ids=$(all_of docker ps -a --no-trunc --filter label=sandboxer.id --format '{{.ID}}={{.Label "sandboxer.id"}}')
	code=${ids##*"$nonce done "}
	ids=${ids%"$nonce done "*}
	set --
	said=
	mine=
	for id in $ids; do
		case $id in
		*="${want:-=}") mine="$mine ${id%%=*}" ;;
		*=*) set -- "$@" "${id%%=*}" ;;
		esac
	done
	form='{"Id":{{json .Id}},"State":{{json .State}},"NetworkSettings":{"Ports":{{json .NetworkSettings.Ports}}},'
	form=$form'"Labels":{"sandboxer.id":{{json (index .Config.Labels "sandboxer.id")}}}}'
	if [ "$code" = 0 ] && [ "$mine" ]; then
		# shellcheck disable=SC2086 # ids are words
		said=$(all_of docker inspect --type container --format "$form" $mine)
		code=${said##*"$nonce done "}
		said=${said%"$nonce done "*}
		printf '%s\n' "$said"
	fi
	if [ "$code" = 0 ] && [ $# -gt 0 ]; then
		client docker inspect --type container --format "$form" "$@"
		code=$?
	fi
	end docker_cli_times "$code"
	[ "$want" ] && usage docker
}
