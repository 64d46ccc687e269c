#!/bin/sh
# all: what is done, in order.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

find_docker
find_podman

case $root in
[~]/*)
	if cd -P -- "$home"; then root=${PWD%/}/${root#?/}; else root=/nonexistent/${root#?/}; fi
	;;
esac
there=
[ -L "$root" ] && there=dangling
[ -e "$root" ] && there=yes
near=$root
while [ ! -d "$near" ]; do
	near=${near%/*}
	[ "$near" ] || near=/
done
link=
path=
rest=${root#/}/
while [ "$rest" ]; do
	path=$path/${rest%%/*}
	rest=${rest#*/}
	[ -L "$path" ] && link=$path
done

entered=
unclaimed=
cd /
if [ "$there" ] && cd -P -- "$root"; then
	entered=yes
	mounts
	survey
fi

matches() { if [ -e "$1" ] || [ -L "$1" ]; then matched=$#; else matched=0; fi; }
matches "$state"/locks/*
locks=$matched
matches "$state"/registry/*.json
registered=$matched
boxes=$((registered + claimed + ${#held}))

begin self
echo "home $home"
echo "root $root"
echo "there $there"
echo "link $link"
if [ -r "$root" ] && [ -x "$root" ]; then echo 'readable yes'; fi
echo "docker $docker"
echo "podman $podman"
echo "storage $storage"
[ "$sudo" ] || echo "led ${CONTAINER_HOST-}${CONTAINER_CONNECTION-}"
echo "runtime ${XDG_RUNTIME_DIR-}"
echo "docker_host $docker_host"
compose_plugin && echo 'compose docker compose'
for tool in flock tar gzip base64 timeout curl setsid unshare nohup nice find stat sudo systemctl loginctl newuidmap newgidmap \
	docker dockerd docker-compose podman podman-compose; do
	have "$tool" && echo "tool $tool"
done
for file in /proc/pressure/cpu /proc/pressure/memory /proc/pressure/io /proc/locks /proc/net/tcp /proc/net/tcp6 \
	/run/reboot-required /.dockerenv /run/.containerenv /run/systemd/system /run/systemd/timesync /run/systemd/timesync/synchronized \
	/var/lib/systemd/linger "/var/lib/systemd/linger/$user" /etc/ssh/sshd_config; do
	[ -e "$file" ] && echo "exists $file"
	[ -r "$file" ] && echo "opens $file"
done
set -- /proc/[0-9]*
echo "processes $#"
echo "notes $notes"
echo "boxes $boxes"
echo 'role root /'
echo "role sandbox_root ${near%/}/"
echo 'role tmp /tmp/'
set -- / "${near%/}/" /tmp/
[ -d /var/lib/docker ] && set -- "$@" /var/lib/docker/ && echo 'role docker_root /var/lib/docker/'
[ -d /var/lib/containerd ] && set -- "$@" /var/lib/containerd/ && echo 'role containerd_root /var/lib/containerd/'
[ "$podman" = cli ] && set -- "$@" "$storage/" && echo "role podman_root $storage/"
end self 0

jobs=
case $docker in api | cli) jobs=docker_$docker ;; esac
if [ "$jobs" ] && [ $boxes -gt 0 ]; then jobs="$jobs ${jobs}_times"; fi
[ "$podman" = cli ] && jobs="$jobs${jobs:+ }podman_cli"
around() {
	machine "$@"
	if [ "$entered" ]; then
		walk
		odd
		trashed
		sizes
	fi
	facts "$@"
}

# The records of many are most of it, and worth a process more.
many=
if [ "$count" -gt "$few" ] || [ "$registered" -gt "$few" ] || [ "$locks" -gt "$few" ]; then
	many=yes
	jobs="$jobs${jobs:+ }around"
fi
here() {
	[ "$many" ] || around "$@"
	records
}

beside "$@"
begin all
end all 0
