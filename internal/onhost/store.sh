#!/bin/sh
# store: renews a sandbox's records, or puts its report beside them. Arguments:
# id, metadata as it was, registry record as it was (each empty: there is none),
# record as it is to be (empty: leave), report (any: it is on standard input),
# audit line without its end, result for that (empty: no line).
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
id=$1 meta=$2 registry=$3 record=$4 report=$5 audit_head=$6 result=$7

changed() {
	forget
	say "changed $1"
	exit 1
}

enter_home
check_root || [ -z "$meta" ] || changed "$root is gone"
dir=$root/$id
exec 9>>"$state/locks/$id" || exit 1
lock || {
	say "locked $id"
	exit 7
}
for path in "$dir" "$dir/.sandboxer"; do
	if [ -e "$path" ] || [ -L "$path" ]; then own_dir "$path" || changed "$path is not the sandbox's"; fi
done
holds "$state/registry/$id.json" "$registry" || changed "$id"
holds "$dir/.sandboxer/meta.json" "$meta" || changed "$id"
if [ -n "$record" ]; then
	put "$state/registry/$id.json" "$record" || exit 1
	if [ -d "$dir" ]; then
		[ -d "$dir/.sandboxer" ] || mkdir -m 700 -- "$dir/.sandboxer" || exit 1
		put "$dir/.sandboxer/meta.json" "$record" || exit 1
	fi
fi
if [ -n "$report" ]; then
	tmp=$dir/.sandboxer/report.json.$op.tmp
	if ! dd of="$tmp" conv=fsync 2>/dev/null || ! mv -f -- "$tmp" "$dir/.sandboxer/report.json"; then
		rm -f -- "$tmp"
		say "error write $dir/.sandboxer/report.json"
		exit 1
	fi
fi
[ -z "$result" ] || audit "$result"
say stored
