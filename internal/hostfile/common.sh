#!/bin/sh
# Functions shared by the scripts that put files on a host. They run under any
# POSIX shell; what is to be put comes on standard input, behind one line
# that says what it must be. Every path is absolute, so that none can be an
# option.
# shellcheck disable=SC2034
set -u
umask 077
LC_ALL=C
export LC_ALL
unset TAR_OPTIONS
tmp='' # what was made and is not in its place yet

clean() {
	[ -n "$tmp" ] || return 0
	rm -rf "$tmp" 2>/dev/null && return 0
	chmod -R u+rwx "$tmp" 2>/dev/null
	rm -rf "$tmp" 2>/dev/null
}

# fail CODE WORDS: it takes away what it made before it says so, for a client
# that is gone ends this script with its first word.
fail() {
	trap '' HUP INT TERM
	clean || printf 'left\n'
	printf 'failed %s\n%s\n' "$1" "$2"
	exit 1
}

# enter_parent TARGET sets parent to the directory it is in, with a slash.
enter_parent() {
	parent=${1%/*}/
	[ -d "$parent" ] || fail parent "$(ls -d "$parent." 2>&1)"
}

# hello reads the line ahead of the data. A shell's read takes no byte beyond
# it from a pipe. What is missing of it, or is not as it should be, was lost on
# the way. The name of what is made first is in it, and so not in ps.
hello() {
	IFS=' ' read -r word nonce mode size sum ||
		fail altered 'the input ended before it began'
	case "$nonce$mode$size$sum" in
	*[!A-Za-z0-9]*) word= ;;
	esac
	[ "$word ${#nonce}" = 'sandboxer 26' ] || fail altered 'the input does not begin with its first line'
	name=.sandboxer-$nonce
}

# need TOOL...: what cannot be done without.
need() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null 2>&1 || fail "no_$tool" "the host has no $tool in PATH"
	done
}

need_digest() {
	for digester in sha256sum openssl shasum; do
		command -v "$digester" >/dev/null 2>&1 && return 0
	done
	fail no_sha256sum 'the host has none of sha256sum, openssl and shasum in PATH'
}

# digest prints the SHA-256 of its input in hexadecimal:
#
#	9f86d0…0a08  -
#	SHA2-256(stdin)= 9f86d0…0a08
digest() {
	case $digester in
	sha256sum) hex=$(sha256sum) && printf '%s\n' "${hex%% *}" ;;
	openssl) hex=$(openssl dgst -sha256) && printf '%s\n' "${hex##* }" ;;
	shasum) hex=$(shasum -a 256) && printf '%s\n' "${hex%% *}" ;;
	esac
}

# synced COMMAND...: the command makes something durable, if the host can do
# that. One that cannot is no error; a disk that refuses is.
synced() {
	words=$("$@" 2>&1) && return 0
	case $words in
	*'No space left on device'* | *[Qq]'uota exceeded'* | *'Input/output error'*) return 1 ;;
	esac
}

trap 'fail ended "a signal ended it"' HUP INT TERM
