#!/bin/sh
# auditlog: the audit log's size in bytes, and its end. Argument: how many
# bytes of that at most. It writes nothing.
set -u
LC_ALL=C
export LC_ALL
case ${HOME-} in
/*) ;;
*)
	echo 'HOME is not set on the host' >&2
	exit 1
	;;
esac
limit=$1
set --
for log in "$HOME/.local/state/sandboxer/audit.jsonl.1" "$HOME/.local/state/sandboxer/audit.jsonl"; do
	[ -e "$log" ] && set -- "$@" "$log"
done
if [ $# = 0 ]; then
	echo 0
	exit 0
fi
size=$(cat -- "$@" | wc -c) || exit 1
for log in "$@"; do
	[ -r "$log" ] || {
		echo "cannot read $log" >&2
		exit 1
	}
done
echo $((size))
cat -- "$@" | tail -c "$limit"
