#!/bin/sh
# Functions of up.sh: the checks that a profile has for its services. A check
# is a line "SERVICE PORT PATH"; without PATH something has to listen on PORT,
# with it a GET of it has to succeed. "checks" are those that have not held.
# shellcheck disable=SC2154,SC2086,SC2034

# try_checks: all of them hold, as far as the last look at the containers lets
# tell. "unmet" is the first that does not, and "last" what was seen of it.
try_checks() {
	left='' unmet='' last=''
	set -f
	IFS=$nl
	for check in $checks; do
		IFS=' '
		set -- $check
		IFS=$nl
		why=''
		if [ -n "${3-}" ]; then answers "$@"; else listens "$@"; fi && continue
		left="$left$nl$check"
		[ -n "$unmet" ] || unmet=$check last=$why
	done
	unset IFS
	set +f
	checks=$left
	[ -z "$checks" ]
}

# of_service KIND SERVICE: its lines of the last look, which begin so.
of_service() { printf '%s\n' "$seen" | grep -F -e "$1 $2 "; }

# listens SERVICE PORT: in the network that the service's process has. A
# connection would prove less: what publishes a port accepts any.
listens() {
	listener=":$(printf %04X "$2") 00*:0000 0A"
	found=''
	IFS=' '
	for word in $(of_service state "$1" | cut -d ' ' -f 2,3,8 | tr ' \n' ': '); do
		pid=${word##*:}
		case $word in
		"$1:running:"*) ;;
		*)
			why="it is $(printf '%s' "$word" | cut -d : -f 2)"
			return 1
			;;
		esac
		if ! [ -r "/proc/$pid/net/tcp" ]; then
			why="nobody can tell: /proc/$pid/net/tcp cannot be read"
			return 1
		fi
		grep -qs "$listener" "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" || {
			why='nothing listens there'
			return 1
		}
		found=yes
	done
	[ -n "$found" ]
}

# answers SERVICE PORT PATH: wherever the port is published.
answers() {
	found=''
	for line in $(of_service port "$1" | grep -F " $2/tcp "); do
		IFS=' '
		set -- "$1" "$2" "$3" $line
		IFS=$nl
		url=http://$(address_of "$7" "${8-}")$3
		get "$url"
		case $why in
		[23][0-9][0-9]) ;;
		*)
			case $why in [0-9][0-9][0-9]) why="status $why" ;; esac
			why="$url: $why"
			return 1
			;;
		esac
		found=yes
	done
	[ -n "$found" ] || why="port $2 is not published"
	[ -n "$found" ]
}

# address_of PORT IP: where the host itself reaches what is published there.
address_of() {
	case $2 in
	'' | 0.0.0.0) echo "127.0.0.1:$1" ;;
	::) echo "[::1]:$1" ;;
	*:*) echo "[$2]:$1" ;;
	*) echo "$2:$1" ;;
	esac
}

# get URL: the status of the answer, in "why", or what was said instead.
get() {
	if have curl; then
		# Its own config file and the user's proxies are for other things.
		why=$(curl -q -sS -o /dev/null -m 5 --noproxy '*' -w '%{http_code}' "$1" 2>&1)
		case $why in *[!0-9]*) why=${why#000} why=${why%000} ;; esac
	elif have wget; then
		why=$(
			unset IFS http_proxy HTTP_PROXY all_proxy ALL_PROXY # "bound" is words
			# -T only where nothing else ends it: Debian's busybox dies of it.
			if [ "$bound" ]; then set -- $bound 5 wget "$1"; else set -- wget -T 5 "$1"; fi
			"$@" -S -O /dev/null 2>&1
		)
		code=$(printf '%s\n' "$why" | sed -n 's/^ *HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' | head -n 1)
		why=${code:-$(printf '%s\n' "$why" | tail -n 1)}
	else
		why='the host has neither curl nor wget'
	fi
}
