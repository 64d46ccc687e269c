#!/bin/sh
# locked: runs one command of a create under the sandbox's lock, after having
# renewed its records. Arguments: id, record as it was, record as it is to be,
# command... Standard streams belong to the command; what goes wrong here is
# one line on standard error that ends in the operation's id.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
id=$1 was=$2 record=$3
shift 3

fail() {
	printf 'sandboxer: %s: %s\n' "$1" "$op" >&2
	exit 75
}

enter_home >&2
check_root >&2 || fail changed
dir=$root/$id
(
	lock || fail locked
	if ! holds "$state/registry/$id.json" "$was" || ! holds "$dir/.sandboxer/meta.json" "$was"; then
		forget
		fail changed
	fi
	put "$state/registry/$id.json" "$record" >&2 || fail unwritten
	put "$dir/.sandboxer/meta.json" "$record" >&2 || fail unwritten
	# Not the last command: a shell would become it, and the lock would be gone.
	"$@" 9>&-
	exit $?
) 9>>"$state/locks/$id"
