#!/bin/sh
# sandboxes: directories and records.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# ---- The sandboxes. Names of only a-z, 0-9 and "-" are safe as words and as
# lines; entries with others are told apart, and only ever listed.

names=
count=0
claimed=0
metas=
strange=
pids=
notes=0

# survey looks at what the entries of the root are, which may be very many. It
# says which have no metadata, and follows the notes of the process engine. Where
# each of them has metadata, there is no need to look at one after the other.
survey() {
	begin unclaimed
	set -- ./*
	for dir; do
		case $dir in ./*[!a-z0-9-]*) strange=yes && break ;; esac
	done
	if [ -z "$strange$held" ]; then
		count=$#
		[ $count -gt "$few" ] || names=$*
		set -- ./*/.sandboxer/meta.json
		if [ -e "$1" ] || [ -L "$1" ]; then metas=$* claimed=$#; fi
	fi
	if [ $claimed -gt 0 ] && [ $claimed = $count ]; then
		for file in ./*/.sandboxer/process; do
			[ -f "$file" ] && note "$file"
		done
	else
		each
	fi
	end unclaimed 0
}

# each looks at the entries one by one.
each() {
	names=
	count=0
	claimed=0
	for dir in ./*; do
		case $dir in ./*[!a-z0-9-]*) strange=yes && continue ;; esac
		case $held in *"$lf$dir$lf"*) continue ;; esac
		count=$((count + 1))
		[ $count -le "$few" ] && names="$names $dir"
		[ -f "$dir/.sandboxer/process" ] && note "$dir/.sandboxer/process"
		if [ -e "$dir/.sandboxer/meta.json" ] || [ -L "$dir/.sandboxer/meta.json" ]; then
			claimed=$((claimed + 1))
		elif [ -d "$dir" ] && [ ! -L "$dir" ]; then
			echo "$dir"
			case $deep in *"$lf$dir$lf"*) continue ;; esac
			[ $((count - claimed)) -le "$few" ] && unclaimed="$unclaimed $dir"
		fi
	done
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
	set --
	for dir in ${strange:+./*[!a-z0-9-]*} ./.[!.]* ./..?*; do
		case $dir in ./.trash | ./.trash-[0-9]*) continue ;; esac
		if [ "$held" ]; then
			escape "$dir"
			case $held in *"$lf$text$lf"*) continue ;; esac
		fi
		if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then continue; fi
		set -- "$@" "$dir"
		[ "$held" ] || break
	done
	[ $# -gt 0 ] || return 0
	if [ "$held" ]; then set -- "$@" -maxdepth 0; else set -- . -mindepth 1 -maxdepth 1; fi
	begin odd
	find "$@" -name '*[!a-z0-9-]*' ! -name .trash ! -name '.trash-[0-9]*' -print0 -exec stat -c "$form" {} +
	end odd $?
}

# What a reap keeps for a while: the entries, and which of them have metadata.
trashed() {
	set --
	for dir in ./.trash "./.trash-$uid" "./.trash-$uid".*; do
		case $held in *"$lf$dir$lf"*) continue ;; esac
		if [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; then set -- "$@" "$dir"; fi
	done
	trashes=$*
	limits='-mindepth 1 -maxdepth 3'
	if [ "$held" ]; then
		limits='-maxdepth 2'
		entries
		# shellcheck disable=SC2086 # paths are words
		set -- $kept
	fi
	begin trash
	code=0
	if [ $# -gt 0 ]; then
		# shellcheck disable=SC2086 # options are words
		find "$@" $limits ! -name '*[!a-z0-9.-]*' \( ! -path './.trash*/*/*' -o -path './.trash*/*/.sandboxer*' \
			-o -prune ! -name '*' \) -exec stat -c "$form" {} +
		code=$?
	fi
	end trash $code
}

# entries of the trash, where some are held.
entries() {
	kept=
	for dir in $trashes; do
		among "$dir" ''
		kept="$kept $list"
	done
}

# How much the directories hold, in KiB. It walks all of them, for half a minute
# at most.
sizes() {
	[ "$measure" ] || return
	begin sizes
	untouched=$held
	held=$held$deep
	if [ "$held" ]; then
		entries
		among . ''
		# shellcheck disable=SC2086 # paths are words
		set -- $list $kept
		[ $# = 0 ] || set -- "$@" -maxdepth 0
	else
		# shellcheck disable=SC2086 # paths are words
		set -- . $trashes -mindepth 1 -maxdepth 1
	fi
	held=$untouched
	[ $# = 0 ] || set -- find "$@" -type d \( ! -path './*[!a-z0-9-]*' -o -path './.trash*/*' ! -name '*[!a-z0-9.-]*' \) -exec du -skx {} +
	if have timeout; then set -- timeout 30 "$@"; fi
	[ $# -lt 3 ] || "$@"
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
		if [ "$held" ]; then
			among . ''
			# shellcheck disable=SC2086 # paths are words
			stat -c "$form" $list
		elif [ "$strange" ] || [ $count -gt 20000 ]; then
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
	# shellcheck disable=SC2086 # patterns, or words
	if [ "$metas" ]; then
		set -- $metas
	elif [ $claimed -gt 0 ]; then
		among . /.sandboxer/meta.json
		set -- $list
	fi
	# shellcheck disable=SC2086
	if [ $notes -gt 0 ]; then
		among . /.sandboxer/process
		set -- "$@" $list
	fi
	depth=1
	if [ $# -gt 20000 ] && [ -z "$held" ]; then
		depth=3
		set -- .
	fi
	if [ "$registered" -gt 0 ]; then set -- "$@" "$state/registry"; fi
	if [ "$want" ]; then
		set -- "$@" "$state/registry/destroyed/$want.json"
		case $held in *"$lf./$want$lf"*) ;; *) set -- "$@" "./$want/.sandboxer/report.json" ;; esac
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
