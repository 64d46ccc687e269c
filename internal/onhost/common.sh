#!/bin/sh
# Functions shared by the scripts that change something on a host. The caller
# runs it inside a larger script; nothing here trusts a path that came
# from a file. "root", "op" and "audit_head" come from whoever runs it.
# shellcheck disable=SC2154,SC2034
set -u
umask 077
LC_ALL=C
export LC_ALL

# refuse CODE MESSAGE...: a guard stopped the whole script before any change.
refuse() {
	printf 'refused %s\n' "$*"
	exit 4
}

# One word about one step, for the parser.
say() {
	printf '%s\n' "$*"
}

# put FILE CONTENT: all of it or nothing, and on disk before it counts.
put() {
	put_tmp=$1.$op.tmp
	if put_err=$(printf '%s' "$2" | dd of="$put_tmp" conv=fsync 2>&1) &&
		put_err=$(mv -f -- "$put_tmp" "$1" 2>&1); then
		return 0
	fi
	rm -f -- "$put_tmp"
	printf 'error write %s: %s\n' "$1" "$(printf '%s' "$put_err" | tr '\n' ' ')"
	return 1
}

# holds FILE CONTENT: FILE is a regular file with just that content; with an
# empty CONTENT, there is no FILE. Never follows a link, never blocks.
holds() {
	if [ -z "$2" ]; then
		[ ! -e "$1" ] && [ ! -L "$1" ]
		return
	fi
	[ -f "$1" ] && [ ! -L "$1" ] || return 1
	# The last letter keeps line ends at the end of the file.
	[ "$(
		dd if="$1" bs=16384 count=1 2>/dev/null
		echo .
	)" = "$2." ]
}

# own_dir PATH: a real directory of the caller's.
own_dir() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }

# same PATH DEVICE INODE BIRTH: it is the directory that was seen. Numbers of
# inodes are given out again, but not at the same time; BIRTH is empty where
# that is not known, and not every stat can tell.
same() {
	[ "$(stat -c '%d %i' -- "$1")" = "$2 $3" ] || return
	[ "$4" ] || return 0
	same_birth=$(stat -c %.9W -- "$1")
	case $same_birth in
	"$4" | 0.* | *[!0-9.]* | '') ;;
	*) return 1 ;;
	esac
}

# unmounted PATH: nothing is mounted at or below it, and that can be told.
unmounted() {
	[ -r /proc/self/mountinfo ] && ! grep -qF -e " $1 " -e " $1/" /proc/self/mountinfo
}

# audited RESULT PRIOR: if an operation was cut off before, the log has its line.
# That it is not of PRIOR itself says only that more than one was: what counts
# is the last line on where the sandbox is.
audited() {
	[ "$2" ] && grep -hF "\"sandbox_id\":\"$id\"" "$state/audit.jsonl.1" "$state/audit.jsonl" 2>/dev/null |
		grep -E '"result":"(removed|restored)"}$' | tail -n 1 | grep -q "\"result\":\"$1\"}\$"
}

# lock takes the sandbox's lock, open as 9, or fails at once. Korn shells keep
# such a descriptor from their commands unless it is named again.
lock() {
	flock -n 9 9>&9 && settle
}

# pledge RESULT PATH: of what has no record, the lock says what the log is to
# say once the directory, which "device" and "inode" tell, is not at PATH any
# more. It comes before the step that does it; audit and release after that.
pledge() {
	pledged=yes
	printf '%s %s %s %s %s\n' "$1" "$2" "$device" "$inode" "$audit_head" >"$state/locks/$id"
}

# release: what was pledged has been said, or is not going to be done.
release() {
	[ ! -s "$state/locks/$id" ] || : >"$state/locks/$id"
}

# settle what was pledged by a run that was cut off: if it was done, and has no
# line, it gets one.
settle() {
	[ -s "$state/locks/$id" ] || return 0
	if read -r due_result due_path due_device due_inode due_head <"$state/locks/$id"; then
		unmounted "$due_path" || return 0
		if ! same "$due_path" "$due_device" "$due_inode" '' 2>/dev/null &&
			! grep -qsF -e "$due_head," "$state/audit.jsonl.1" "$state/audit.jsonl"; then
			due_mine=${audit_head-} audit_head=$due_head
			audit "$due_result"
			audit_head=$due_mine
		fi
	fi
	release
}

# forget removes the lock of a sandbox that is no more; ids are never used
# again, so that whoever waits for it finds nothing to do.
forget() {
	if [ ! -e "$state/registry/$id.json" ] && [ ! -e "$root/$id" ]; then
		rm -f -- "$state/locks/$id"
	fi
}

# need TOOL...: what cannot be done without.
need() {
	for need_tool in "$@"; do
		command -v "$need_tool" >/dev/null 2>&1 ||
			refuse "no_$need_tool" "the host has no $need_tool in PATH"
	done
}

# enter_home finds the caller's records and turns "~/" of root into a path.
enter_home() {
	case ${HOME-} in
	/*) ;;
	*) refuse no_home "HOME is not set on the host" ;;
	esac
	state=$HOME/.local/state/sandboxer
	uid=$(id -u)
	# The tilde is the caller's word for its own home and is kept literal.
	# shellcheck disable=SC2088
	case $root in
	'~/'*) root=$(cd -P -- "$HOME" && pwd -P)/${root#'~/'} ;;
	esac
	mkdir -p -- "$state/registry/destroyed" "$state/locks" ||
		refuse state_unwritable "cannot write below $state"
	# What was done is to be noted; a full disk is no reason not to make room.
	if [ -e "$state/audit.jsonl" ]; then
		(: >>"$state/audit.jsonl") 2>/dev/null || refuse state_unwritable "cannot write $state/audit.jsonl"
	fi
	# Else all that is in a home would be nobody's.
	case $state/ in
	"$root"/*) refuse root_home "$root holds the home of the user: want a directory of its own" ;;
	esac
}

# check_root refuses a root that somebody else can redirect. The caller's own
# that others may write to is mended, and said.
check_root() {
	[ -L "$root" ] && refuse root_symlink "$root is a symbolic link"
	[ -e "$root" ] || return 1
	[ -d "$root" ] || refuse root_not_a_directory "$root is not a directory"
	[ "$(cd -P -- "$root" 2>/dev/null && pwd -P)" = "$root" ] ||
		refuse root_symlink "a part of the path $root is a symbolic link, or it cannot be entered"
	check_facts=$(stat -c '%u %a' -- "$root") || refuse root_unreadable "cannot stat $root"
	case $check_facts in
	'0 1777') ;; # shared by several users, of whom root may be one
	"$uid "*[2367]? | "$uid "*[2367])
		chmod go-w -- "$root" || refuse root_writable "$root can be written by others"
		say "mended $root was writable by others: chmod go-w"
		;;
	"$uid "*) ;;
	*) refuse root_foreign "$root belongs to uid ${check_facts%% *}" ;;
	esac
	return 0
}

# audit RESULT: one line for each thing removed or refused. "audit_head" is
# JSON made by the caller up to its last value; RESULT is one word of ours.
audit() {
	# A line that a full disk cut short takes the next one with it, unless it
	# is ended.
	[ -z "$(tail -c 1 -- "$state/audit.jsonl" 2>/dev/null)" ] || echo >>"$state/audit.jsonl"
	printf '%s,"at":"%s","result":"%s"}\n' "$audit_head" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" \
		>>"$state/audit.jsonl" || say "error write $state/audit.jsonl"
	sync -- "$state/audit.jsonl" 2>/dev/null || sync
}
