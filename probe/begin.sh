#!/bin/sh
# Reads a host, for package probe, which sends this and parses what it prints.
# It writes nothing on the host.
#
#   sh -c "$SCRIPT" sandboxer-probe NONCE ROOT SECONDS SANDBOX SUDO MEASURE
#
# It runs in dash, bash, busybox ash and mksh. What the kernel says passes
# through grep and stat untouched: most shells read /proc byte by byte, which
# gives wrong values. The shell itself looks only at what it needs to go on.
#
# Every section is framed by the nonce; one without an end was cut off. Lines
# that begin with "#" are not sent. The other parts are usage.sh, docker.sh,
# podman.sh, machine.sh, mounts.sh, sandboxes.sh and all.sh, in this order.
# shellcheck disable=SC2034

LC_ALL=C TZ=UTC0
export LC_ALL TZ
unset CDPATH
exec 2>/dev/null </dev/null

nonce=$1 root=$2 limit=$3 want=$4 sudo=$5 measure=$6
home=${HOME-}
state=$home/.local/state/sandboxer
few=500
form='%f %u %g %Z %d %i %h %s %.9W %n'

begin() { echo; echo "$nonce begin $1"; }
end() { echo; echo "$nonce end $1 $2"; }
have() { command -v "$1" >/dev/null; }

begin clock
date -u +%s.%N
end clock $?

begin user
who=$(id)
code=$?
echo "$who"
end user $code
uid=${who#uid=}
uid=${uid%%[!0-9]*}
user=${who#*"("}
user=${user%%")"*}

# ---- What the engines are, and how to ask them.

# Only root's PATH is sure to hold the sbin directories, where Debian keeps
# dockerd.
in_sbin() {
	have "$1" && return
	ifs=$IFS
	IFS=:
	for dir in $PATH; do
		case $dir in
		*/bin) [ -x "${dir%bin}sbin/$1" ] && IFS=$ifs && return ;;
		esac
	done
	IFS=$ifs
	return 1
}

bounded() {
	if have timeout; then timeout "$limit" "$@"; else "$@"; fi
}

# client runs an engine's own client. Nobody but root can stop what sudo runs:
# beside stops waiting for that.
client() {
	if [ "$sudo" ]; then sudo -n "$@"; else timeout "$limit" "$@"; fi
}
