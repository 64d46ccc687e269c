#!/bin/sh
# Removes what the engine holds of one sandbox, by full id, and asks it again.
# Prints "removed KIND REF" and "remains KIND REF REASON"; exits with 0 if
# nothing remains, 1 if something does, 2 if the engine could not be asked.
#
# A label is a claim: anybody can make one, and containers inherit those of
# their image. What is not proven the sandbox's own is not touched, and what an
# outsider uses neither.
#
# Assembled after an engine's functions. "id", "nonce", "image" and the settings
# of teardown.go come from there.
# shellcheck disable=SC2154,SC2086,SC2034
set -u
LC_ALL=C
export LC_ALL
nl='
'

# has LIST WORD: LIST is of words.
has() {
	case " $1 " in *" $2 "*) return 0 ;; esac
	return 1
}

# ask COMMAND...: lines about what carries the id, in "answer".
# Podman fails where something goes while it lists: asking again is safe.
ask() {
	answer=$(engine "$@") || answer=$(engine "$@") || answer=$(engine "$@") || exit 2
}

# survey asks for all there is. "containers", "networks", "volumes" and
# "images" are proven, and "pods" too; "strangers" are lines "KIND REF".
survey() {
	containers='' running='' networks='' volumes='' strangers='' doubtful=''
	claim="label=sandboxer.id=$id"
	ask ps -a --no-trunc --filter "$claim" --format "{{.ID}} $container_state $container_nonce"
	each sort_container
	[ -z "$doubtful" ] || doubt
	survey_pods
	ask network ls --no-trunc --filter "$claim" --format "{{.ID}} - $network_nonce"
	each sort_network
	ask volume ls --filter "$claim" --format "{{.Name}} - $volume_nonce"
	each sort_volume
	ask image ls --format '{{.Repository}}:{{.Tag}}' "$image"
	images=$answer
}

# each FUNCTION: calls it with the words of every line of "answer".
each() {
	set -f
	IFS=$nl
	for line in $answer; do
		unset IFS
		"$1" $line
		IFS=$nl
	done
	unset IFS
	set +f
}

sort_container() {
	if has "$known" "$1"; then
		own_container "$1" "$2"
	elif [ "${3-}" = "$nonce" ]; then
		doubtful="$doubtful $1 $2"
	else
		strangers="$strangers${nl}container $1"
	fi
}

own_container() {
	containers="$containers $1"
	case $2 in
	running | restarting | paused | stopping) running="$running $1" ;;
	esac
}

sort_network() {
	if [ "${3-}" = "$nonce" ] || has "$known" "$1"; then
		networks="$networks $1"
	else
		strangers="$strangers${nl}network $1"
	fi
}

sort_volume() {
	if [ "${3-}" = "$nonce" ] || has "$known" "$1"; then
		volumes="$volumes $1"
	else
		strangers="$strangers${nl}volume $1"
	fi
}

# doubt takes containers that carry the nonce and no record lists: they are
# the sandbox's own only if they have not got it from their image, as what is
# started from an image that somebody committed has. An image that cannot be
# read proves nothing.
doubt() {
	set -- $doubtful
	ids=''
	while [ $# -gt 0 ]; do
		ids="$ids $1"
		shift 2
	done
	images_of=$(engine inspect --type container --format '{{.Id}} {{.Image}}' $ids 2>/dev/null)
	of_images=''
	for word in $images_of; do
		has "$ids $of_images" "$word" || of_images="$of_images $word"
	done
	clean=''
	# shellcheck disable=SC2016
	its_nonce='{{with .Config}}{{range $name, $value := .Labels}}{{if eq $name "sandboxer.nonce"}}{{$value}}{{end}}{{end}}{{end}}'
	[ -z "$of_images" ] ||
		clean=$(engine image inspect --format "{{.Id}} $its_nonce." $of_images 2>/dev/null)
	set -- $doubtful
	while [ $# -gt 0 ]; do
		its_image=${images_of#*"$1 "}
		its_image=${its_image%%"$nl"*}
		case "$clean$nl" in
		*"$its_image .$nl"*) own_container "$1" "$2" ;;
		*) strangers="$strangers${nl}container $1" ;;
		esac
		shift 2
	done
}

# users FILTER...: containers, running or not, that use any of them and are
# not the sandbox's own.
users() {
	set -f
	ask ps -aq --no-trunc "$@"
	outsiders=''
	for user in $answer; do
		has "$containers" "$user" || outsiders="$outsiders $user"
	done
	set +f
}

# sort_out keeps in "networks" those that no outsider is attached to: docker
# itself minds only the ones that run.
sort_out() {
	set --
	for ref in $networks; do set -- "$@" --filter "network=$ref"; done
	users "$@"
	[ -n "$outsiders" ] || return 0
	free=''
	for ref in $networks; do
		users --filter "network=$ref"
		[ -n "$outsiders" ] || free="$free $ref"
	done
	networks=$free
}

# remove acts on the last survey. What went wrong shows in the next one.
remove() {
	limit=${bound:+"$bound 120"}
	[ -z "$running" ] || engine stop -t 3 $running >/dev/null 2>&1
	[ -z "$containers" ] || engine rm -f -v $containers >/dev/null 2>&1
	remove_pods
	containers=''
	[ -z "$networks" ] || sort_out
	[ -z "$networks" ] || engine network rm $networks >/dev/null 2>&1 &
	[ -z "$volumes" ] || engine volume rm $volumes >/dev/null 2>&1 &
	[ -z "$keep_images" ] && [ -n "$images" ] && engine image rm $images >/dev/null 2>&1
	wait
	limit=${bound:+"$bound 30"}
}

# note KIND REF...: what is to be removed.
note() {
	kind=$1
	shift
	for ref in "$@"; do
		case "$noted$nl" in
		*"$nl$kind $ref$nl"*) ;;
		*) noted="$noted$nl$kind $ref" ;;
		esac
	done
}

note_all() {
	note container $containers
	note pod $pods
	note network $networks
	note volume $volumes
	note image $images
}

# tell compares what was to be removed with the last survey. What remains is
# tried once more by itself, for the engine to say why.
tell() {
	answer=$noted
	status=0
	each tell_one
	answer=$strangers
	each tell_stranger
	return $status
}

tell_one() {
	case $1 in
	container) left=$containers ;;
	pod) left=$pods ;;
	network) left=$networks ;;
	volume) left=$volumes ;;
	image) left=$images ;;
	esac
	left=$(printf '%s ' $left)
	if ! has "$left" "$2"; then
		echo "removed $1 $2"
		return
	fi
	status=1
	case $1 in
	network | volume)
		users --filter "$1=$2"
		if [ -n "$outsiders" ]; then
			echo "remains $1 $2 outsider used by container$outsiders"
			return
		fi
		;;
	esac
	why=$(engine "$1" rm "$2" 2>&1 | tail -n 1)
	echo "remains $1 $2 not_removed $why"
}

tell_stranger() {
	status=1
	echo "remains $1 $2 unproven it carries the sandbox's label and is not proven to be its own"
}

for bound in 'timeout --foreground' timeout ''; do
	[ -n "$bound" ] || break
	$bound 5 true 2>/dev/null && break
done
# Nobody but root can stop what runs as root, and sudo may not be for timeout.
[ -z "$sudo" ] || [ -z "$bound" ] || $sudo $bound 5 true 2>/dev/null || bound=
limit=${bound:+"$bound 30"}
noted=''
rounds=0
survey
while :; do
	note_all
	# A container that comes late is proven by its image: that goes last.
	keep_images=''
	[ "$unfinished" = no ] || keep_images="$containers$pods$networks$volumes"
	remove
	# What was asked of the engine by an operation that was cut off may still
	# come about.
	[ "$unfinished" = no ] || sleep 1
	survey
	rounds=$((rounds + 1))
	if [ -z "$containers$pods$networks$volumes$images" ] || [ $rounds -ge 4 ]; then break; fi
done
note_all
tell
