#!/bin/sh
# reserve: registry record, directory, metadata, files: in that order, under
# the sandbox's lock. Arguments: id, record, marker. Standard input: a
# gzipped tar whose last entry is .sandboxer/uploaded holding the marker. What
# fails takes away what it made.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
id=$1 record=$2 marker=$3

undo() {
	[ -n "$made" ] || return 0
	rm -rf -- "$dir"
	rm -f -- "$state/locks/$id" "$state/registry/$id.json"
	made=
}

reserve() {
	put "$state/registry/$id.json" "$record" || return 1
	mkdir -m 700 -- "$dir" || return 1
	mkdir -m 700 -- "$dir/.sandboxer" || return 1
	put "$dir/.sandboxer/meta.json" "$record" || return 1
	# Busybox's tar heeds the umask, in spite of -p, unless it is root.
	if ! tar_err=$(umask 0 && tar -xzpof - -C "$dir" 2>&1 9>&-); then
		say "error upload: $(printf '%s' "$tar_err" | tail -n 3 | tr '\n' ' ')"
		return 1
	fi
	if ! holds "$dir/.sandboxer/uploaded" "$marker"; then
		say "error upload: the files did not arrive whole"
		return 1
	fi
	rm -f -- "$dir/.sandboxer/uploaded"
	say "dir $(stat -c '%d %i %.9W' -- "$dir") $dir"
}

need flock tar gzip stat dd
made=
enter_home
if ! check_root; then
	case $root in */*/*) mkdir -p -- "${root%/*}" ;; esac
	mkdir -m 700 -- "$root" 2>/dev/null # or another create does
	check_root || refuse root_unwritable "cannot make $root"
fi
[ -w "$root" ] || refuse root_unwritable "$root cannot be written to"
dir=$root/$id
exec 9>>"$state/locks/$id" || refuse state_unwritable "cannot write below $state"
lock || {
	say "locked $id"
	exit 7
}
for taken in "$dir" "$state/registry/$id.json" "$state/registry/destroyed/$id.json"; do
	if [ -e "$taken" ] || [ -L "$taken" ]; then
		forget
		refuse id_taken "$taken exists"
	fi
done
made=1
trap 'undo; exit 143' HUP INT TERM
if reserve; then
	say reserved
	exit 0
fi
undo
exit 1
