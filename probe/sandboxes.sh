#!/bin/sh
# sandboxes: directories and records.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

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
		[ $count -le "$few" ] && names="$names $dir"
		[ -e "$dir/.sandboxer/meta.json" ] && continue
		if [ -L "$dir/.sandboxer/meta.json" ] || [ -L "$dir" ] || [ ! -d "$dir" ]; then continue; fi
		echo "$dir"
		[ $# -lt "$few" ] && set -- "$@" "$dir"
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
		find $trashes -mindepth 1 -maxdepth 3 ! -name '*[!a-z0-9.-]*' \( -path './.trash*/*/*' ! -path './.trash*/*/.sandboxer*' -prune \
			-o -exec stat -c "$form" {} + \)
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
# registry; of that only what is wrong with it, where they are many.
facts() {
	begin facts
	if [ "$there" ]; then set -- "$@" "$root"; fi
	if [ $count -le "$few" ] && [ "$registered" -le "$few" ] && [ "$locks" -le "$few" ]; then
		# shellcheck disable=SC2086 # names are words
		stat -c "$form" "$@" $names "$state"/locks/* "$state"/registry/*.json
	else
		stat -c "$form" "$@"
		find . "$state/locks" "$state/registry" -mindepth 1 -maxdepth 1 ! -name '*[!a-z0-9.-]*' ! -path './*.*' \
			\( ! -path '*/registry/*.json' -o ! -type f -o -links +1 -o -size +16 \) -exec stat -c "$form" {} +
	fi
	end facts $?
}

# What is stored: only regular files, of one name and no great size, are ever
# opened. A tar, or several in a row, carries any content; /dev/null is in it
# as proof that it was made. Too many arguments mean a walk instead.
records() {
	set --
	if [ "$entered" ]; then
		set -- ./*/.sandboxer/meta.json
		[ -e "$1" ] || [ -L "$1" ] || set --
		if [ "$notes" -gt 0 ]; then set -- "$@" ./*/.sandboxer/process; fi
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
	exec find /dev/null "$@" -maxdepth "$depth" \( -path /dev/null -o -type f -links 1 ! -path './*[!a-z0-9-]*/.sandboxer/*' \( \
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
