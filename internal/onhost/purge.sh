#!/bin/sh
# purge: a removal that comes to files in the trash which their user may not
# remove. "purger" is a provisioner's script that empties the directory that is
# its argument; it reads standard input, which nothing else here does. "teardown"
# is that of the sandbox.
# Assembled after destroy.sh, which the variables below come from or go to, and
# whose purge_foreign this one takes the place of.
# shellcheck disable=SC2154,SC2034

# clear_engine: it holds nothing of the sandbox, nor of what emptied its trash.
clear_engine() {
	sh -c "$teardown" sandboxer-teardown </dev/null 9>&- 8>&-
	case $? in
	0) ;;
	1) end failed remains "the engine still holds something of it" ;;
	*) end unknown engine_unknown "the engine could not be asked" ;;
	esac
}

# purge_foreign: what a helper has left in the engine goes before the sandbox's
# last trace does.
purge_foreign() {
	own_dir "${purge_dir%/*}" && own_dir "$purge_dir" || return
	[ -z "$ref" ] || clear_engine # as destroy_one has just done
	purge_err=$(sh -c "$purger" sandboxer-purge "$purge_dir" 2>&1 9>&- 8>&-)
	purged=$?
	[ -n "$purge_err" ] || purge_err="what was to empty it ended with status $purged"
	clear_engine
	rm_err=$(rm -rf -- "$purge_dir" 2>&1) && return
	[ $purged != 0 ] || purge_err=$rm_err
	return 1
}
