#!/bin/sh
# tree: a directory with all that is in it, or nothing. Argument: its path.
# Standard input: the line for hello, and a gzipped tar. Beside the files it
# has, in a directory named by the nonce, what proves them: lists of names that
# end in NUL, "./" before each, of files (f…), of directories (d…), and of all
# that get one mode (mMODE-…); and last of all the proof that is to come out.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
dir=$1

taken() {
	[ -e "$dir" ] || [ -L "$dir" ]
}

# Modes are set here: some tars leave out what the umask forbids.
set_modes() {
	for list in "$tmp/$nonce"/m*; do
		[ -e "$list" ] || continue # there is none
		bits=${list##*/m}
		(cd "$tmp" && xargs -0 -r chmod "${bits%-*}" <"$list") || return
	done
}

# prove prints what the tree is: digests of the names, of the modes and sizes,
# of the contents, and how many there are. A directory may get the set-group-id
# bit from the one it is in.
prove() (
	cd "$tmp" || exit
	cat "$nonce"/f* | digest
	cat "$nonce"/d* | digest
	cat "$nonce"/f* | xargs -0 -r stat -c '%A %s' | digest
	cat "$nonce"/d* | xargs -0 -r stat -c %A | tr sS x- | digest
	cat "$nonce"/f* | xargs -0 -r cat | digest
	count=$(find . -print0 | tr -cd '\000' | wc -c)
	echo $((count))
)

sync_all() (
	cd "$tmp" && cat "$nonce"/f* "$nonce"/d* | xargs -0 -r sync
)

# move renames it, if nothing has taken the place. Where mv knows no -T, it may
# have put it into a directory that was made this moment.
move() {
	mv -nT "$tmp" "$dir" 2>/dev/null
	[ -d "$tmp" ] || return 0
	taken && fail exists "$dir exists"
	words=$(mv "$tmp" "$dir" 2>&1) || fail write "$words"
	[ -d "$dir/$name" ] || return 0
	tmp=$dir/$name
	fail exists "$dir exists"
}

enter_parent "$dir"
taken && fail exists "$dir exists"
need tar gzip stat find xargs
need_digest
hello
tmp=$parent$name
words=$(mkdir "$tmp" 2>&1) || fail write "$words"
# A tar that could not do all of it, for whatever reason, left something else
# than was sent.
words=$(tar -xzmof - -C "$tmp" 2>&1) || fail altered "$words"
words=$(set_modes 2>&1) || fail altered "$words"
[ -f "$tmp/$nonce/proof" ] || fail altered 'not all of it arrived'
got=$(prove 2>&1)
[ "$got" = "$(cat "$tmp/$nonce/proof")" ] || fail altered "it is not what was sent: $got"
synced sync_all || fail write "$words"
words=$(rm -rf "${tmp:?}/$nonce" && chmod "$mode" "$tmp" 2>&1) || fail write "$words"

trap '' HUP INT TERM # from here on it goes to its end
move
tmp=
synced sync "$parent"
printf 'done\n'
