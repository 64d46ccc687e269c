#!/bin/sh
# How podman is asked. Its client takes docker's words and often gives other
# answers: what its lists show of a state is for people, and the labels in them
# are a map; an id of an image has no "sha256:". It complains on standard error
# of what is no failure.
# shellcheck disable=SC2154,SC2086,SC2034,SC2016

engine() { $sudo $limit "$client" "$@"; }

container_state='{{.ListContainer.State}}'
container_nonce='{{index .Labels "sandboxer.nonce"}}'
network_nonce='{{index .Network.Labels "sandboxer.nonce"}}'
volume_nonce=$container_nonce
host_ip=.HostIP

# Where it keeps what runs, for a user; a login over ssh need not say.
if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -z "$sudo" ] && [ "$(id -u)" != 0 ] && [ -d "/run/user/$(id -u)" ]; then
	XDG_RUNTIME_DIR=/run/user/$(id -u)
	export XDG_RUNTIME_DIR
fi

import_image() {
	if imported=$(engine import -q - "$image" 2>.sandboxer/said); then
		echo "$imported"
	else
		cat .sandboxer/said
		return 1
	fi
}

# Pods carry no labels. The one of this name is the sandbox's own if all that
# is in it is, less the container that holds it together.
survey_pods() {
	pods=''
	ask pod ls --no-trunc --filter "name=^pod_$id\$" --format '{{.Id}} {{.Name}}'
	each sort_pod
}

sort_pod() {
	[ "$2" = "pod_$id" ] || return 0
	members=$(engine pod inspect --format '{{.InfraContainerID}}{{range .Containers}} {{.ID}}{{end}}' "$1") || exit 2
	infra=${members%% *}
	for member in $members; do
		[ "$member" = "$infra" ] || has "$containers" "$member" || {
			strangers="$strangers${nl}pod $1"
			return 0
		}
	done
	pods="$pods $1"
}

remove_pods() {
	[ -n "$pods" ] || return 0
	engine pod stop -t 1 $pods >/dev/null 2>&1
	engine pod rm $pods >/dev/null 2>&1
}

# mend_start: a podman that is killed while it makes the network name space
# that all of a user's containers are behind leaves the name of one that is not
# whole. Podman takes it for whole from then on and starts nothing. The name
# goes if podman itself finds it so, it is the only one, and no container runs;
# what podman makes next is whole. Of several that see this, one mends it: the
# lock ends with them, and no process of podman's may get it.
mend_start() {
	case $said in
	*'failed to mount runtime directory for rootless netns'*) ;;
	*) return 1 ;;
	esac
	names=${XDG_RUNTIME_DIR-}/netns
	made=${XDG_RUNTIME_DIR-}/libpod/tmp/rootless-netns
	(
		flock -w 60 9 || exit
		engine unshare --rootless-netns true 9<&- && exit
		[ -d "$made" ] && [ ! -e "$made$XDG_RUNTIME_DIR" ] || exit
		set -- "$names"/rootless-netns-*
		up=$(engine ps -q 9<&-) && [ $# = 1 ] && [ -f "$1" ] && [ -z "$up" ] || exit
		rm -f -- "$1" && engine unshare --rootless-netns true 9<&-
	) 9<"$names" >/dev/null 2>&1
}
