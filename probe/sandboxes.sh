#!/bin/sh
# sandboxes: directories and records.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# ---- The sandboxes. Names of only a-z, 0-9 and "-" are safe as words and as
# lines; entries with others are told apart, and only ever listed.

names=
count=0
claimed=0
strange=
pids=
notes=0

# survey goes once through the entries of the root, which may be very many. It
# says which have no metadata, and follows the notes of the process engine.
survey() {
	begin unclaimed
	for dir in ./*; do
		case $dir in ./*[!a-z0-9-]*) strange=yes && continue ;; esac
		count=$((count + 1))
		[ $count -le "$few" ] && names="$names $dir"
		[ -f "$dir/.sandboxer/process" ] && note "$dir/.sandboxer/process"
		if [ -e "$dir/.sandboxer/meta.json" ] || [ -L "$dir/.sandboxer/meta.json" ]; then
			claimed=$((claimed + 1))
		elif [ -d "$dir" ] && [ ! -L "$dir" ]; then
			echo "$dir"
			[ $((count - claimed)) -le "$few" ] && unclaimed="$unclaimed $dir"
		fi
	done
	end unclaimed 0
}

# note follows what the process engine noted of what it started: to where /proc
# has it.
note() {
	[ -L "$1" ] && return
	notes=$((notes + 1))
	[ $notes -le 5000 ] || return
	read -r pid rest <"$1"
	case $pid in '' | *[!0-9]*) return ;; esac
	pids="$pids /proc/$pid/stat"
}

# walk finds the newest change in what has no metadata.
walk() {
	[ "$unclaimed" ] || return
	begin walk
	# shellcheck disable=SC2086 # names are words
	find $unclaimed -xdev -exec stat -c '%Z %f %u %n' {} + | head -c 1000000
	end walk $?
}

odd() {
	for dir in ${strange:+./*[!a-z0-9-]*} ./.[!.]* ./..?*; do
		case $dir in ./.trash | ./.trash-[0-9]*) continue ;; esac
		if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then continue; fi
		begin odd
		find . -mindepth 1 -maxdepth 1 -name '*[!a-z0-9-]*' ! -name .trash ! -name '.trash-[0-9]*' -print0 -exec stat -c "$form" {} +
		end odd $?
		return
	done
}

# What a reap keeps for a while: the entries, and which of them have metadata.
trashed() {
	trashes=
	for dir in ./.trash "./.trash-$uid" "./.trash-$uid".*; do
		if [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; then trashes="$trashes $dir"; fi
	done
	begin trash
	code=0
	if [ "$trashes" ]; then
		# shellcheck disable=SC2086 # paths are words
		find $trashes -mindepth 1 -maxdepth 3 ! -name '*[!a-z0-9.-]*' \( ! -path './.trash*/*/*' -o -path './.trash*/*/.sandboxer*' \
			-o -prune ! -name '*' \) -exec stat -c "$form" {} +
		code=$?
	fi
	end trash $code
}

# How much the directories hold, in KiB. It walks all of them, for half a minute
# at most.
sizes() {
	[ "$measure" ] || return
	begin sizes
	# shellcheck disable=SC2016
	walk='find . -mindepth 1 -maxdepth 1 -type d ! -name "*[!a-z0-9-]*" -exec du -skx {} +
	for dir; do find "$dir" -mindepth 1 -maxdepth 1 -type d ! -name "*[!a-z0-9.-]*" -exec du -skx {} +; done'
	# shellcheck disable=SC2086 # paths are words
	if have timeout; then timeout 30 sh -c "$walk" sh $trashes; else sh -c "$walk" sh $trashes; fi
	end sizes 0
}

# Facts about the paths given, the entries of the root, the locks and the
# registry; of that only what is wrong with it, where they are many. More names
# than a command takes, or odd ones, are for find.
facts() {
	begin facts
	if [ "$there" ]; then set -- "$@" "$root"; fi
	if [ -z "$many" ]; then
		# shellcheck disable=SC2086 # names are words
		stat -c "$form" "$@" $names "$state"/locks/* "$state"/registry/*.json
	else
		stat -c "$form" "$@"
		if [ "$strange" ] || [ $count -gt 20000 ]; then
			find . -mindepth 1 -maxdepth 1 ! -name '*[!a-z0-9-]*' -exec stat -c "$form" {} +
		else
			stat -c "$form" ./*
		fi
		find "$state/locks" "$state/registry" -mindepth 1 -maxdepth 1 ! -name '*[!a-z0-9.-]*' \
			\( ! -path '*/registry/*.json' -o ! -type f -o -links +1 -o -size +16 \) -exec stat -c "$form" {} +
	fi
	end facts $?
}

# What is stored: only regular files, of one name and no great size, are ever
# opened. A tar, or several in a row, carries any content; /dev/null is in it
# as proof that it was made. Too many arguments mean a walk instead. It is worth
# packing where it goes over a network.
records() {
	set --
	[ $claimed -gt 0 ] && set -- ./*/.sandboxer/meta.json
	[ $notes -gt 0 ] && set -- "$@" ./*/.sandboxer/process
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
	elif [ "${SSH_CONNECTION-}" ] && have gzip; then
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
	exec find /dev/null "$@" -maxdepth "$depth" \( -path /dev/null -o -type f -links 1 ! -path './*[!a-z0-9-]*/.sandboxer/*' \( \
		-size -17 \( -path './*/.sandboxer/meta.json' -o -path './*/.sandboxer/process' \
		-o -path '*/registry/*.json' ! -path '*/registry/destroyed/*' \
		-o -path "*/registry/destroyed/$want.json" \) \
		-o -size -8193 -path "./$want/.sandboxer/report.json" \) \) -exec tar -cf - {} +
}
