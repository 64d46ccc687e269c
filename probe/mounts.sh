#!/bin/sh
# mounts: what is mounted below the root, and how not to touch it.
# A part of the probe: see begin.sh, where the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

held=
deep=
lf='
'

# mounts asks the kernel, which never blocks, what is mounted below the root:
# a file system that hangs takes with it who looks at it. What is mounted at a
# name, or where its metadata would be, is "held", and nobody touches it; what
# is mounted deeper in it is "deep", and nobody walks there.
mounts() {
	escape "$PWD"
	at=$text
	found=$(grep -sF " $at/" /proc/self/mountinfo) || return 0
	begin mounts
	ifs=$IFS
	IFS=$lf
	set -f
	for line in $found; do
		line=${line#* * * * }
		line=${line%% *}
		case $line in "$at"/*) below "${line#"$at"/}" ;; esac
	done
	set +f
	IFS=$ifs
	end mounts 0
}

# below PATH: something is mounted there, below the root. As some shells' echo
# reads backslashes, there are two slashes for each.
below() {
	swap "$1" \\ //
	first=${1%%/*}
	rest=${1#"$first"/}
	case $1 in
	.trash*/*) first=$first/${rest%%/*} ;;
	"$first" | "$first"/.sandboxer | "$first"/.sandboxer/*) ;;
	*)
		deep="$deep$lf./$first$lf"
		return
		;;
	esac
	held="$held$lf./$first$lf"
	echo "./$text"
}

# escape a path as the kernel's table does.
escape() {
	swap "$1" \\ '\134'
	swap "$text" ' ' '\040'
	swap "$text" '	' '\011'
	swap "$text" "$lf" '\012'
}

# swap TEXT OLD NEW: "text" is TEXT with NEW in each place of OLD.
swap() {
	text=
	rest=$1
	while :; do
		case $rest in *"$2"*) ;; *) break ;; esac
		text=$text${rest%%"$2"*}$3
		rest=${rest#*"$2"}
	done
	text=$text$rest
}

# among DIRECTORY FILE: "list" is a pattern for what has that path in each of
# the directory's entries or, where some are held, the words that it stands for
# without those. It grows by pieces, so as not to be copied for each of them.
among() {
	list="$1/*$2"
	[ "$held" ] || return 0
	list=
	piece=
	for entry in "$1"/*; do
		case ${entry#"$1/"} in *[!a-z0-9.-]*) continue ;; esac
		case $held in *"$lf$entry$lf"*) continue ;; esac
		if [ -e "$entry$2" ] || [ -L "$entry$2" ]; then piece="$piece $entry$2"; fi
		if [ ${#piece} -gt 4000 ]; then
			list=$list$piece
			piece=
		fi
	done
	list=$list$piece
}
