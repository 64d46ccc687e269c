#!/bin/sh
# store: renews a sandbox's records, or puts its report beside them. Arguments:
# id, record as it was, record as it is to be (empty: leave), report (any: it
# is on standard input).
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
id=$1 was=$2 record=$3 report=$4

enter_home
check_root || {
	say "changed $root is gone"
	exit 1
}
dir=$root/$id
exec 9>>"$state/locks/$id" || exit 1
lock || {
	say "locked $id"
	exit 7
}
if ! holds "$state/registry/$id.json" "$was" || ! holds "$dir/.sandboxer/meta.json" "$was"; then
	forget
	say "changed $id"
	exit 1
fi
if [ -n "$record" ]; then
	put "$state/registry/$id.json" "$record" || exit 1
	put "$dir/.sandboxer/meta.json" "$record" || exit 1
fi
if [ -n "$report" ]; then
	tmp=$dir/.sandboxer/report.json.$op.tmp
	if ! dd of="$tmp" conv=fsync 2>/dev/null || ! mv -f -- "$tmp" "$dir/.sandboxer/report.json"; then
		rm -f -- "$tmp"
		say "error write $dir/.sandboxer/report.json"
		exit 1
	fi
fi
say stored
