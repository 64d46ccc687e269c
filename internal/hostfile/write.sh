#!/bin/sh
# write: a file, all of it or nothing. Argument: its path. Standard input: the
# line for hello, with the size and the digest, and the content.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
path=$1

enter_parent "$path"
# What mv puts into a directory is not in the place of it; nor of a link to one.
[ -d "$path" ] && fail directory "$path is a directory"
need_digest
hello
tmp=$parent$name
# With set -C the shell creates it, and follows no link.
words=$( (set -C && cat >"$tmp") 2>&1) || fail write "$words"
got=$(digest <"$tmp")
[ "$got" = "$sum" ] || fail altered "$(($(wc -c <"$tmp"))) of $size bytes arrived, with SHA-256 $got"
synced sync "$tmp" || fail write "$words"
words=$(chmod "$mode" "$tmp" 2>&1) || fail write "$words"

trap '' HUP INT TERM # from here on it goes to its end
words=$(mv -f "$tmp" "$path" 2>&1) || fail write "$words"
if [ -e "$path/$name" ]; then # somebody made a directory meanwhile
	tmp=$path/$name
	fail directory "$path is a directory"
fi
tmp=
synced sync "$parent"
printf 'done\n'
