#!/bin/sh
# Empties the directory that is its argument of what its user may not remove, by
# a program that the engine runs as root. Standard input is a gzipped tar of the
# image with it. The last line printed says what went wrong; exits with 0 if
# nothing did.
#
# The container reaches that directory and nothing else. It carries the
# sandbox's labels and the image its name: teardown.sh finds what is left of
# them.
#
# Assembled after an engine's functions. "id", "nonce", "image", the settings of
# purge.go, and helper, which calls contain, come from there.
# shellcheck disable=SC2154,SC2086,SC2034,SC2317
set -u
LC_ALL=C
export LC_ALL
limit='' # it takes as long as there is to remove

# contain COMMAND...: runs it, with what tells that the directory is the one that
# it was. A label for SELinux would be put on every file, on those with other
# names elsewhere too.
contain() {
	# Quoted, as the engines read it as a line of CSV.
	engine run --rm --label "sandboxer.id=$id" --label "sandboxer.nonce=$nonce" --label sandboxer.schema=1 \
		--network none --userns host --user 0:0 --read-only --cap-drop ALL --cap-add DAC_OVERRIDE --cap-add FOWNER \
		--security-opt no-new-privileges --security-opt label=disable \
		--mount "type=bind,\"source=$dir\",target=/trash" "$made" "$@" $facts </dev/null 2>&1
}

dir=$1
facts=$(stat -c '%d %i' -- "$dir") && made=$(engine import - "$image") || exit 1 # who has said why
said=$(helper) && exit
# Docker's last words are about its help.
printf '%s\n' "$said" | grep -v -e '^$' -e "^See '.*--help'" -e "^Run '.*--help'" | tail -n 1
exit 1
