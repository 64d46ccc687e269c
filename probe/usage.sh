#!/bin/sh
# usage: what the containers of the sandbox that is wanted have used.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# It is a text, as podman's own script has it run, too. An engine has said what
# containers there are: of each its id, the process it began with, and what its
# label names. No value can look like these: a string holds no bare quotes.
# That process is in the container's control group, or in one below; where
# groups are, mountinfo tells. One that has no id in its path is not the
# container's alone.
# shellcheck disable=SC2016 # it is a script
usage='
nl="
"
containers() {
	last= id= pid= mine=
	IFS=" ,{}$nl"
	for word in $said; do
		case $last in "\"Id\":" | "\"sandboxer.id\":" | "\"Pid\":") word=$last$word ;; esac
		last=$word
		case $word in
		"\"Id\":\""*) id=${word#*:\"} id=${id%\"} pid= mine= ;;
		"\"sandboxer.id\":\"$want\"") mine=yes ;;
		"\"Pid\":"[1-9]*) pid=${word#*:} ;;
		esac
		case $mine$pid in yes[1-9]*)
			ids=$ids$nl$id files=$files$nl/proc/$pid/cgroup mine= pid=
			;;
		esac
	done
}

add() {
	for file; do files=$files$nl$dir/$file; done
}

group() {
	for mount in $mounts; do
		dir=${mount#* * * } of=${mount##* }
		top=${dir%% *} top=${top%/} dir=${dir#* }
		dir=${dir%% *}
		case $group in "$top"/*) dir=${dir%/}${group#"$top"} ;; *) continue ;; esac
		case $mount in *" - cgroup2 "*)
			[ "$in" ] || add cgroup.controllers cpu.stat memory.current memory.peak memory.stat memory.events pids.current pids.peak io.stat
			continue
			;;
		esac
		for name in cpu cpuacct memory pids blkio; do
			case $in, in *,$name,*) case ,$of, in *,$name,*) add_$name ;; esac ;; esac
		done
	done
}
add_cpu() { add cpu.stat; }
add_cpuacct() { add cpuacct.usage cpuacct.stat; }
add_memory() { add memory.usage_in_bytes memory.max_usage_in_bytes memory.stat memory.oom_control; }
add_pids() { add pids.current pids.peak; }
add_blkio() { add blkio.throttle.io_service_bytes_recursive blkio.throttle.io_serviced_recursive; }

groups() {
	files= mounts=
	for line in $said; do
		case $line in
		/proc/self/mountinfo:*" - cgroup"*) mounts=$mounts$nl$line ;;
		/proc/[0-9]*:*/../*) ;;
		/proc/[0-9]*) for id in $ids; do
			case $line in *:*/*"$id"*)
				group=${line#*:*:*:} in=${line#*:*:}
				in=${in%%:*} in=${in:+,$in} below=${group#*"$id"}
				group=${group%%"$id"*}$id${below%%/*}
				group
				;;
			esac
		done ;;
		esac
	done
}

usage() {
	echo
	echo "$nonce begin $1_usage"
	ids= files=
	set -f
	containers
	if [ "$ids" ]; then
		IFS=$nl
		said=$(grep -Hs -e " - cgroup" -e ":/" /proc/self/mountinfo $files)
		printf "%s\n" "$said"
		groups
		grep -Hs -e "^[0-9]" -e "^Total " -e "^[a-z_ ]*\$" -e "^usage_usec " -e "^user" -e "^system" \
			-e "^nr_[pt]" -e "^throttled_" -e "^anon " -e "^rss " -e "^total_rss " -e "^oom_kill " $files
	fi
	unset IFS
	set +f
	echo
	echo "$nonce end $1_usage 0"
}
'
eval "$usage"
