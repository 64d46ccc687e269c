#!/bin/sh
# Reads a host, for package probe, which sends this and parses what it prints.
# It writes nothing on the host.
#
#   sh -c "$SCRIPT" sandboxer-probe NONCE ROOT SECONDS SANDBOX
#
# It runs in dash, bash, busybox ash and mksh. What the kernel says passes
# through grep and stat untouched: most shells read /proc byte by byte, which
# gives wrong values. The shell itself looks only at what it needs to go on.
#
# Every section is framed by the nonce; one without an end was cut off. Lines
# that begin with "#" are not sent.

LC_ALL=C TZ=UTC0
export LC_ALL TZ
unset CDPATH
exec 2>/dev/null </dev/null

nonce=$1 root=$2 limit=$3 want=$4
home=${HOME-}
state=$home/.local/state/sandboxer
few=500
form='%f %u %g %Z %d %i %h %s %n'

begin() { echo; echo "$nonce begin $1"; }
end() { echo; echo "$nonce end $1 $2"; }
have() { command -v "$1" >/dev/null; }

begin clock
date -u +%s.%N
end clock $?

begin user
id -un
end user $?

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
	case ${DOCKER_HOST-} in
	'')
		if [ -n "${DOCKER_CONTEXT-}" ] ||
			{ [ -f "$config/config.json" ] && grep -q '"currentContext"' "$config/config.json"; }; then
			docker_cli_or absent
			return
		fi
		;;
	unix://*) socket=${DOCKER_HOST#unix://} ;;
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

find_podman() {
	storage=${XDG_DATA_HOME:-$home/.local/share}/containers/storage
	[ -w /var/lib/containers/storage ] && storage=/var/lib/containers/storage
	if ! have podman; then
		podman=absent
	elif [ ! -d "$storage" ]; then
		podman=unused
	elif ! have timeout; then
		podman=no_timeout
	else
		podman=cli
	fi
}

# ---- docker by its socket: one process asks for everything.

docker_get() {
	bounded curl -sS --fail-early --unix-socket "$socket" -m "$limit" \
		-w "\\n$nonce http %{http_code} %{time_total} %{url_effective}\\n" "$@" 2>&1
}

docker_api() {
	begin docker_api
	docker_get http://d/version http://d/info 'http://d/containers/json?all=1' \
		http://d/networks http://d/volumes http://d/images/json
	end docker_api $?
}

# Only an inspection tells when a container started and ended. It is asked for
# where there are sandboxes. The filter is label=sandboxer.id and any status but
# created.
docker_api_times() {
	begin docker_api_times
	filter='%7B%22label%22%3A%5B%22sandboxer.id%22%5D%2C%22status%22%3A%5B'
	filter=$filter'%22running%22%2C%22paused%22%2C%22restarting%22%2C%22removing%22%2C%22exited%22%2C%22dead%22%5D%7D'
	ids=$(docker_get "http://d/containers/json?all=1&filters=$filter" | grep -o -e '"Id":"[0-9a-f]*"' -e "^$nonce http 200")
	set --
	listed=
	for id in $ids; do
		case $id in
		'"Id":'*)
			id=${id#'"Id":"'}
			set -- "$@" "http://d/containers/${id%'"'}/json"
			;;
		200) listed=yes ;;
		esac
	done
	code=1
	if [ -n "$listed" ]; then
		code=0
		if [ $# -gt 0 ]; then docker_get "$@"; code=$?; fi
	fi
	end docker_api_times $code
}

# ---- docker by its own client.

docker_ask() {
	section=docker_cli_$1
	shift
	begin "$section"
	bounded docker "$@" 2>&1
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

docker_cli_times() {
	begin docker_cli_times
	ids=$(
		{
			bounded docker ps -aq --no-trunc --filter label=sandboxer.id
			echo "$nonce done $?"
			echo
		} | sed "/^$nonce done/q"
	)
	code=${ids##*"$nonce done "}
	ids=${ids%"$nonce done "*}
	if [ "$code" = 0 ] && [ "$ids" ]; then
		# shellcheck disable=SC2086 # ids are words
		bounded docker inspect --type container --format \
			'{"Id":{{json .Id}},"State":{{json .State}},"NetworkSettings":{"Ports":{{json .NetworkSettings.Ports}}}}' $ids
		code=$?
	fi
	end docker_cli_times "$code"
}

# ---- podman.

podman_ask() {
	section=podman_$1
	shift
	begin "$section"
	bounded podman "$@" 2>&3
	code=$?
	end "$section" $code
	return $code
}

podman_cli() {
	if [ -z "${XDG_RUNTIME_DIR-}" ] && [ "$storage" != /var/lib/containers/storage ]; then
		XDG_RUNTIME_DIR=/run/user/$(id -u)
		[ -d "$XDG_RUNTIME_DIR" ] && export XDG_RUNTIME_DIR
	fi
	exec 3>/dev/null
	podman_ask version version --format json &&
		podman_ask containers ps -a --no-trunc --format json &&
		podman_ask networks network ls --format json &&
		podman_ask volumes volume ls --format json &&
		podman_ask images images --no-trunc --format json
}

# ---- The machine.

# All there is in small files, and of the large ones not what nobody asks for:
# interrupts, most of vmstat, and connections, which are sockets in a state
# other than 0A, listening. What is dropped has a form of its own.
machine() {
	begin proc
	# shellcheck disable=SC2086 # pids are words
	grep -Hsv -e '^intr [0-9]' -e '^softirq [0-9]' -e '^nr_[^ ]* [0-9]*$' -e '^numa_[^ ]* [0-9]*$' -e '^thp_[^ ]* [0-9]*$' \
		-e '^pg[a-ln-z][^ ]* [0-9]*$' -e '^workingset_[^ ]* [0-9]*$' -e '^compact_[^ ]* [0-9]*$' \
		-e '^Vm[A-Z][A-Za-z]*:' -e '^Sig[A-Za-z]*:' -e '^Cap[A-Za-z]*:' -e ' 0[1-9B-F] [0-9A-F]*:[0-9A-F]* ' \
		/proc/stat /proc/vmstat /proc/loadavg /proc/uptime /proc/meminfo /proc/self/status \
		/proc/pressure/cpu /proc/pressure/memory /proc/pressure/io \
		/proc/sys/fs/file-nr /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max \
		/proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max \
		/proc/sys/kernel/osrelease /proc/sys/kernel/hostname /proc/sys/kernel/arch \
		/proc/sys/kernel/random/boot_id /etc/machine-id /var/lib/dbus/machine-id \
		/etc/os-release /usr/lib/os-release /proc/net/sockstat /proc/net/tcp /proc/net/tcp6 /proc/locks \
		/proc/self/mountinfo /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /run/systemd/container $pids
	end proc 0
	if [ ! -e /proc/sys/kernel/arch ]; then
		begin arch
		uname -m
		end arch $?
	fi
	begin fs
	stat -f -c '%t %s %S %b %f %a %c %d %n' "$@"
	end fs $?
}

# beside asks the engines, beside each other and beside the machine, and puts
# the answers one after the other. What a client leaves behind when it is
# stopped can hold its output open; sed does not wait for that. (Busybox sed
# is always one line ahead, so there is one more.)
beside() {
	if [ -z "$jobs" ]; then
		machine "$@"
		return
	fi
	job=${jobs%% *}
	jobs=${jobs#"$job"}
	jobs=${jobs# }
	{
		"$job"
		echo "$nonce done"
		echo
	} | {
		beside "$@" </dev/null
		sed "/^$nonce done/q"
	}
}

# ---- The sandboxes. Names of only a-z, 0-9 and "-" are safe as words and as
# lines; entries with others are told apart, and only ever listed.

names=
count=0

unclaimed() {
	begin unclaimed
	set --
	for dir in ./*; do
		case $dir in ./*[!a-z0-9-]*) continue ;; esac
		count=$((count + 1))
		[ $count -le $few ] && names="$names $dir"
		[ -e "$dir/.sandboxer/meta.json" ] && continue
		if [ -L "$dir/.sandboxer/meta.json" ] || [ -L "$dir" ] || [ ! -d "$dir" ]; then continue; fi
		echo "$dir"
		[ $# -lt $few ] && set -- "$@" "$dir"
	done
	end unclaimed 0
	if [ $# -gt 0 ]; then
		begin walk
		find "$@" -xdev -exec stat -c '%Z %f %u %n' {} + | head -c 1000000
		end walk $?
	fi
}

odd() {
	for dir in ./*[!a-z0-9-]* ./.[!.]* ./..?*; do
		[ "$dir" != ./.trash ] || continue
		if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then continue; fi
		begin odd
		find . -mindepth 1 -maxdepth 1 -name '*[!a-z0-9-]*' ! -name .trash -print0 -exec stat -c "$form" {} +
		end odd $?
		return
	done
}

# Facts about the paths given, the entries of the root, the locks and the
# registry. Where they are many, find says them itself if it can, and of the
# registry only what is wrong with it.
facts() {
	begin facts
	if [ "$there" ]; then set -- "$@" "$root"; fi
	if [ $count -le $few ] && [ "$registered" -le $few ] && [ "$locks" -le $few ]; then
		# shellcheck disable=SC2086 # names are words
		stat -c "$form" "$@" $names "$state"/locks/* "$state"/registry/*.json
	else
		stat -c "$form" "$@"
		if find / -maxdepth 0 -printf ''; then
			many -printf '=%y %m %U %G %C@ %D %i %n %s %p\n'
		else
			many -exec stat -c "$form" {} +
		fi
	fi
	end facts $?
}

many() {
	find . "$state/locks" "$state/registry" -mindepth 1 -maxdepth 1 ! -name '*[!a-z0-9.-]*' ! -path './*.*' \
		\( ! -path '*/registry/*.json' -o ! -type f -o -links +1 -o -size +16 \) "$@"
}

# What is stored: only regular files, of one name and no great size, are ever
# opened. A tar, or several in a row, carries any content; /dev/null is in it
# as proof that it was made. Too many arguments mean a walk instead.
records() {
	set --
	if [ "$entered" ]; then
		set -- ./*/.sandboxer/meta.json
		[ -e "$1" ] || [ -L "$1" ] || set --
		if [ $notes -gt 0 ]; then set -- "$@" ./*/.sandboxer/process; fi
	fi
	depth=1
	if [ $# -gt 20000 ]; then
		depth=3
		set -- .
	fi
	if [ "$registered" -gt 0 ]; then set -- "$@" "$state/registry"; fi
	if [ "$want" ]; then
		set -- "$@" "./$want/.sandboxer/report.json" "$state/registry/destroyed/$want.json"
	fi
	if [ $# = 0 ]; then
		begin records_none
		end records_none 0
	elif have gzip; then
		begin records_gzip
		stored "$@" | gzip -1
		end records_gzip $?
	else
		begin records
		(stored "$@")
		end records $?
	fi
}

stored() {
	exec find /dev/null "$@" -maxdepth $depth \( -path /dev/null -o -type f -links 1 ! -path './*[!a-z0-9-]*/.sandboxer/*' \( \
		-size -17 \( -path './*/.sandboxer/meta.json' -o -path './*/.sandboxer/process' \
		-o -path '*/registry/*.json' ! -path '*/registry/destroyed/*' \
		-o -path "*/registry/destroyed/$want.json" \) \
		-o -size -8193 -path "./$want/.sandboxer/report.json" \) \) -exec tar -cf - {} +
}

# The process engine's notes of what it started: where /proc has each.
processes() {
	for file in ./*/.sandboxer/process; do
		case $file in ./*[!a-z0-9-]*/.sandboxer/process) continue ;; esac
		if [ -L "$file" ] || [ ! -f "$file" ]; then continue; fi
		notes=$((notes + 1))
		[ $notes -le 5000 ] || return
		read -r pid rest <"$file"
		case $pid in '' | *[!0-9]*) continue ;; esac
		pids="$pids /proc/$pid/stat"
	done
}

# ---- All of it.

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

pids=
notes=0
entered=
cd /
if [ "$there" ] && cd "$root"; then
	entered=yes
	processes
fi

matches() { if [ -e "$1" ] || [ -L "$1" ]; then matched=$#; else matched=0; fi; }
matches "$state"/locks/*
locks=$matched
matches "$state"/registry/*.json
registered=$matched
matches ./*/.sandboxer
[ "$entered" ] || matched=0
boxes=$((registered + matched))

begin self
echo "home $home"
echo "root $root"
echo "there $there"
echo "link $link"
if [ -r "$root" ] && [ -x "$root" ]; then echo 'readable yes'; fi
echo "docker $docker"
echo "podman $podman"
compose_plugin && echo 'compose docker compose'
for tool in flock tar gzip base64 timeout curl setsid unshare nohup nice find stat sudo systemctl loginctl \
	docker dockerd docker-compose podman podman-compose; do
	have "$tool" && echo "tool $tool"
done
for file in /proc/pressure/cpu /proc/pressure/memory /proc/pressure/io /proc/locks /proc/net/tcp /proc/net/tcp6 \
	/run/reboot-required /.dockerenv /run/.containerenv; do
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
beside "$@"

if [ "$entered" ]; then
	unclaimed
	odd
fi
facts "$@"
records
begin all
end all 0
