#!/bin/sh
# restore: brings a directory back out of the trash. Arguments: name, the
# entry's path below the root, its device, inode and birth, the name's registry
# record as seen (empty: there is none), that record while this runs, both records when
# it is done, audit line without its end, the restore that was cut off (empty:
# none was). Of a directory that is no sandbox's the records are empty.
#
# The record comes first and says what is being done; the rename is what does
# it. Whatever is left by a run that was cut off, the same again finishes.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
id=$1 entry=$2 device=$3 inode=$4 birth=$5 registry=$6 next=$7 record=$8 audit_head=$9
shift 9
prior=$1

give_up() {
	forget
	refuse "$@"
}

changed() {
	forget
	say "changed $1"
	exit 1
}

need flock stat dd grep
enter_home
check_root || changed "$root is gone"
dir=$root/$id from=$root/$entry
exec 9>>"$state/locks/$id" || refuse state_unwritable "cannot write below $state"
lock || {
	say "locked $id"
	exit 7
}
holds "$state/registry/$id.json" "$registry" || changed "its record is not what it was"
for path in "$dir" "$from"; do # one that hangs holds up whoever touches it
	unmounted "$path" || give_up mount_present "something is mounted in $path"
done
if [ -e "$dir" ] || [ -L "$dir" ]; then
	# A run that was cut off may have come as far as that.
	if [ -z "$prior" ] || ! holds "$dir/.sandboxer/meta.json" "$record"; then
		give_up there "$dir exists"
	fi
else
	if [ ! -e "$from" ] && [ ! -L "$from" ]; then changed "$from is gone"; fi
	for path in "${from%/*}" "$from"; do
		own_dir "$path" || give_up trash "$path is not the caller's"
	done
	same "$from" "$device" "$inode" "$birth" || changed "$from is not the directory that was seen"
	if [ -n "$record" ]; then
		own_dir "$from/.sandboxer" || give_up trash "$from/.sandboxer is not the sandbox's"
		put "$state/registry/$id.json" "$next" || exit 1
		put "$from/.sandboxer/meta.json" "$record" || exit 1
		rm -f -- "$state/registry/destroyed/$id.json"
	else
		pledge restored "$from"
	fi
	mv -- "$from" "$dir" || {
		say "error $from cannot be moved to $dir"
		exit 1
	}
	rmdir -- "${from%/*}" 2>/dev/null
fi
if [ -n "$record" ]; then
	audited restored "$prior" || audit restored
	put "$state/registry/$id.json" "$record" || exit 1
else
	audit restored
	rm -f -- "$state/locks/$id"
fi
say stored
