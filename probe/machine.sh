#!/bin/sh
# machine: what the kernel and small files say.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# All there is in small files, and of the large ones not what nobody asks for:
# interrupts, most of vmstat, and connections, which are sockets in a state
# other than 0A, listening. What is dropped has a form of its own.
machine() {
	begin proc
	# shellcheck disable=SC2086 # pids are words
	grep -Hsv -e '^intr [0-9]' -e '^softirq [0-9]' -e '^nr_[^ ]* [0-9]*$' -e '^numa_[^ ]* [0-9]*$' -e '^thp_[^ ]* [0-9]*$' \
		-e '^pg[a-ln-z][^ ]* [0-9]*$' -e '^workingset_[^ ]* [0-9]*$' -e '^compact_[^ ]* [0-9]*$' \
		-e '^Vm[A-Z][A-Za-z]*:' -e '^Sig[A-Za-z]*:' -e '^Cap[A-Za-z]*:' -e ' 0[1-9B-F] [0-9A-F]*:[0-9A-F]* ' -e '^[ 	]*#' \
		/proc/stat /proc/vmstat /proc/loadavg /proc/uptime /proc/meminfo /proc/self/status \
		/proc/pressure/cpu /proc/pressure/memory /proc/pressure/io \
		/proc/sys/fs/file-nr /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max \
		/proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max \
		/proc/sys/kernel/osrelease /proc/sys/kernel/hostname /proc/sys/kernel/arch \
		/proc/sys/kernel/random/boot_id /etc/machine-id /var/lib/dbus/machine-id \
		/etc/os-release /usr/lib/os-release /proc/net/sockstat /proc/net/tcp /proc/net/tcp6 /proc/locks \
		/proc/self/mountinfo /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /run/systemd/container \
		/proc/self/limits /etc/subuid /etc/subgid /proc/sys/user/max_user_namespaces \
		/proc/sys/kernel/unprivileged_userns_clone /proc/sys/kernel/apparmor_restrict_unprivileged_userns /sys/fs/selinux/enforce \
		"/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers" \
		/etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config \
		/etc/tmpfiles.d/*.conf /run/tmpfiles.d/*.conf /usr/lib/tmpfiles.d/tmp.conf $pids
	end proc 0
	if [ ! -e /proc/sys/kernel/arch ]; then
		begin arch
		uname -m
		end arch $?
	fi
	begin fs
	bounded stat -f -c '%t %s %S %b %f %a %c %d %n' "$@"
	end fs $?
}

# beside does the jobs beside each other and beside all else, and puts their
# answers one after the other.
beside() {
	if [ -z "$jobs" ]; then
		here "$@"
		return
	fi
	job=${jobs%% *}
	jobs=${jobs#"$job"}
	jobs=${jobs# }
	if [ "$sudo" ] && [ "$job" != around ]; then
		{ answer "$@" & } | {
			(beside "$@") </dev/null
			follow
		}
	else
		answer "$@" | hold | {
			beside "$@" </dev/null
			cat
		}
	fi
}

answer() {
	"$job" "$@"
	echo "$nonce done"
	echo
}

# hold takes an answer in, so that nobody has to wait with it until it is its
# turn. What a client leaves behind when it is stopped can keep its output open;
# sed does not wait for more than the answer. (Busybox sed is always one line
# ahead, so there is one more; and it is slow with many.)
hold() {
	if [ "$job" = around ] && have dd; then
		dd ibs=64k obs=16M
	else
		sed -n "H;/^$nonce done/bd
\$bd
d
:d
x;p;q"
	fi
}

# follow reads what nobody here can stop, for as long as it may take.
follow() {
	timeout "$limit" sed "/^$nonce done/q" && return
	begin "stopped_$job"
	end "stopped_$job" 124
}
