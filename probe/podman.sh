#!/bin/sh
# podman: where it keeps things, whether it may be asked, and what it says.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# find_storage finds the directory in which podman keeps everything, where it
# looks itself: containers-storage.conf(5). No other file of it is looked at.
find_storage() {
	storage=/var/lib/containers/storage
	key=graphroot
	conf=/etc/containers/storage.conf
	[ -e "$conf" ] || conf=/usr/share/containers/storage.conf
	if [ "$rootless" ]; then
		storage=${XDG_DATA_HOME:-$home/.local/share}/containers/storage
		if [ -e "${XDG_CONFIG_HOME:-$home/.config}/containers/storage.conf" ]; then
			conf=${XDG_CONFIG_HOME:-$home/.config}/containers/storage.conf
		else
			key=rootless_storage_path
		fi
	fi
	if [ -z "$sudo" ] && [ "${CONTAINERS_STORAGE_CONF-}" ]; then
		key=graphroot
		conf=$CONTAINERS_STORAGE_CONF
	fi
	[ -r "$conf" ] || return
	set_to=$(grep -e "^[ 	]*${key}[ 	]*=[ 	]*[\"']" "$conf")
	set_to=${set_to#*[\"\']}
	set_to=${set_to%%[\"\']*}
	# shellcheck disable=SC2016 # as they are written there
	while :; do
		case $set_to in
		*'$HOME'*) set_to=${set_to%%'$HOME'*}$home${set_to#*'$HOME'} ;;
		*'$UID'*) set_to=${set_to%%'$UID'*}$uid${set_to#*'$UID'} ;;
		*) break ;;
		esac
	done
	storage=${set_to:-$storage}
}

# Without the directory for what runs, podman would make another one, in
# which nothing runs.
find_runtime() {
	[ "$rootless" ] || return 0
	[ -d "${XDG_RUNTIME_DIR:-/nonexistent}" ] && return
	if [ -d "/run/user/$uid" ]; then
		export XDG_RUNTIME_DIR="/run/user/$uid"
		return
	fi
	[ -z "${XDG_RUNTIME_DIR-}" ] && [ -d "/tmp/podman-run-$uid" ]
}

find_podman() {
	rootless=
	storage=
	if [ -z "$sudo" ] && [ "$uid" != 0 ]; then rootless=yes; fi
	if ! have podman; then
		podman=absent
		return
	fi
	find_storage
	near=${storage%/*}
	if [ "$sudo" ] && ! have sudo; then
		podman=no_sudo
	elif [ ! -d "$storage" ] && { [ -z "$sudo" ] || [ ! -d "$near" ] || [ -x "$near" ]; }; then
		podman=unused
	elif ! have timeout; then
		podman=no_timeout
	elif ! find_runtime; then
		podman=no_runtime
	else
		podman=cli
	fi
}

# What podman is asked, beside each other: most of what one of them takes is
# its own beginning. A user's podman makes its name spaces for all of them at
# once. It leaves a process behind that holds those, as any podman command
# does, unless there is one. Pods with nothing in them are nobody's, unless
# there are sandboxes.
# shellcheck disable=SC2016 # it is a script
lists='
nonce=$1 run=$2 want=$4
ask() {
	name=$1
	shift
	echo
	echo "$nonce begin podman_$name"
	# Podman fails where something goes while it lists: reading again is safe.
	for try in 1 2 3 4 5; do
		said=$($run podman "$@" 2>&1 </dev/null)
		code=$?
		[ $code != 0 ] || break
		case $said in *"not known"* | *"no such"* | *"not exist"*) ;; *) break ;; esac
	done
	printf "%s\n" "$said"
	echo
	echo "$nonce end podman_$name $code"
	return $code
}
over() { echo "$nonce over"; echo; }
rest() { sed "/^$nonce over/q"; }
echo
echo "$nonce end podman_said 0"
if [ "$run" ]; then ask version --version || exit; fi
{ ask containers ps -a --pod --no-trunc --format json; [ -z "$want" ] || usage podman; over; } | {
	{ ask images images --no-trunc --format json; over; } | {
		{ ask volumes volume ls --format json; over; } | {
			{ ask networks network ls --format json; over; } | {
				{ [ "$3" = 0 ] || ask pods pod ps --no-trunc --format json; over; } | {
					[ "$run" ] || ask version --version
					rest
				}
				rest
			}
			rest
		}
		rest
	}
	rest
}'

podman_cli() {
	begin podman_said
	if [ "$sudo" ]; then
		sh -c "$usage$lists" sh "$nonce" 'sudo -n' "$boxes" "$want" 2>&1
	elif [ "$rootless" ]; then
		timeout "$limit" podman unshare sh -c "$usage$lists" sh "$nonce" '' "$boxes" "$want" 2>&1
	else
		timeout "$limit" sh -c "$usage$lists" sh "$nonce" '' "$boxes" "$want" 2>&1
	fi
	code=$?
	end podman_said $code
	case $code in 124 | 137 | 143)
		begin stopped_podman_cli
		end stopped_podman_cli 124
		;;
	esac
}
