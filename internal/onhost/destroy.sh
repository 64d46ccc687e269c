#!/bin/sh
# destroy: functions that remove one sandbox after another, each under its
# lock from the proof to the audit line. Every step is safe to repeat: what a
# crash leaves is finished by the next run.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034

# prove_dir: the directory is what it was seen to be: a real one, the
# caller's, the same inode.
prove_dir() {
	if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then
		[ -z "$inode" ] || say "note its directory is gone"
		return 0
	fi
	if [ -L "$dir" ] || [ ! -d "$dir" ]; then
		end refused not_dir "$dir is not a directory"
	fi
	own_dir "$dir" && same "$dir" "$device" "$inode" "$birth" && return
	end changed dir_changed "$dir is not the directory that was seen"
}

# prove_no_mount: nothing is mounted at or below the directory. Removing
# through a mount would remove what is not ours; and one that hangs holds up
# whoever touches it, so that this comes before all else.
prove_no_mount() {
	unmounted "$1" && return
	[ ! -r /proc/self/mountinfo ] || end refused mount_present "something is mounted in $1"
	[ ! -e "$1" ] || end refused mounts_unreadable "/proc/self/mountinfo cannot be read"
}

# prove_unused: no process that can be looked at has the directory mounted, as
# containers have it that somebody started by hand. There its path stands from
# the top of its own file system.
prove_unused() {
	top=$(stat -c %m -- "$dir" 2>/dev/null) || top=/
	seen=${dir#"${top%/}"}
	if grep -qsF -e " $seen " -e " $seen/" /proc/[0-9]*/mountinfo; then
		end refused in_use "a process has something of $dir mounted"
	fi
}

# lockable: a shell ends where it cannot open what it is told to.
lockable() {
	(: >>"$state/locks/$id") 2>/dev/null || end failed lock "$state/locks/$id cannot be opened"
}

# end RESULT CODE MESSAGE...: the last word on one sandbox.
end() {
	case $1 in
	destroyed | gone | locked | changed) ;;
	*) audit "$2" ;;
	esac
	[ -z "$pledged" ] || release
	printf 'end %s %s\n' "${ref:-$id}" "$*"
	exit 0
}

# trash takes the directory out of the way in one atomic step, to where it
# stays until the time in its name. In a root that several users share, the
# first one's .trash is closed to the others, and the second name may be taken
# by who means no good; nobody guesses the third. Another destroy may take the
# trash away, once it is empty, at any time. A directory that is closed to
# writing cannot be moved; it is opened for that long.
trash() {
	mode=''
	[ -w "$dir" ] || { mode=$(stat -c %a -- "$dir") && chmod u+rwx -- "$dir"; }
	for trash in "$root/.trash" "$root/.trash-$uid" "$root/.trash-$uid.$op"; do
		mkdir -m 700 -- "$trash" 2>/dev/null
		own_dir "$trash" || continue
		if trash_err=$(mv -- "$dir" "$trash/$id.$op.$keep" 2>&1); then
			[ -z "$mode" ] || chmod "$mode" -- "$trash/$id.$op.$keep"
			return 0
		fi
	done
	[ -z "$mode" ] || chmod "$mode" -- "$dir"
	return 1
}

# purge_foreign: what containers of a user's podman have made is of users that
# only podman can be.
purge_foreign() {
	case $uid$next in
	0* | *'"compose":"sudo '*) return 1 ;; # then root's podman made them
	*'"engine":"podman"'*) ;;
	*) return 1 ;;
	esac
	if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -d "/run/user/$uid" ]; then
		export XDG_RUNTIME_DIR="/run/user/$uid"
	fi
	purge_err=$(podman unshare rm -rf -- "$purge_dir" 2>&1)
}

# open_up: what the caller's own directories in it were closed to. Files keep
# their modes, as they may have other names elsewhere; a directory has one.
open_up() {
	find "$purge_dir" -xdev -type d -user "$uid" ! -perm -700 -exec chmod u+rwx {} +
}

# delete DIRECTORY of the trash, or say why not in "purge_err". What is deleted
# in part is not to be taken for what was kept: its name is of no time any more.
delete() {
	purge_dir=${1%.*}.0
	prove_no_mount "$1"
	[ "$1" = "$purge_dir" ] || purge_err=$(mv -- "$1" "$purge_dir" 2>&1) || return
	[ -z "$ref" ] || pledge purged "$purge_dir"
	purge_err=$(rm -rf -- "$purge_dir" 2>&1) && return
	open_up 2>/dev/null
	purge_err=$(rm -rf -- "$purge_dir" 2>&1) || purge_foreign && return
	purge_err=$(printf '%s' "$purge_err" | tail -n 1)
	return 1
}

# purge: out of the way, then deleted, with what an earlier run left there. If
# it is to be kept, then so is what earlier runs kept.
purge() {
	if [ -d "$dir" ]; then
		prove_no_mount "$dir"
		trash_err=''
		trash || trash || trash || end failed trash "cannot move $dir to $trash: $trash_err"
	fi
	for trash in "$root/.trash" "$root/.trash-$uid" "$root/.trash-$uid".*; do
		own_dir "$trash" || continue
		for entry in "$trash/$id".*; do
			case ${entry#"$trash/$id."} in # an operation and a time, or somebody's own
			*[!0-9a-f.]* | *.*.* | *.*[!0-9]*) continue ;;
			????????????????.*) ;;
			*) continue ;;
			esac
			# As words: Korn shells count seconds in 32 bits.
			if [ "$keep" != 0 ] && [ "${entry##*.}" != 0 ]; then continue; fi
			prove_no_mount "$entry"
			if [ ! -d "$entry" ] || [ -L "$entry" ]; then continue; fi
			delete "$entry" && continue
			if [ "$unclaimed" ] && [ ! -e "$dir" ]; then
				mv -- "$purge_dir" "$dir" && purge_dir=$dir # where it is seen
				rmdir -- "$trash" 2>/dev/null
			fi
			end failed trash_left "$purge_dir: $purge_err; as root, rm -r removes it"
		done
		rmdir -- "$trash" 2>/dev/null
	done
	return 0
}

# destroy_one ID META REGISTRY NEXT TOMB DEVICE INODE AUDIT TEARDOWN KEEP PRIOR BIRTH.
# META and REGISTRY are the records as they were seen, NEXT says "destroying",
# TOMB "destroyed". PRIOR is the destroy that was cut off, if one was.
destroy_one() (
	id=$1 meta=$2 registry=$3 next=$4 tomb=$5 device=$6 inode=$7 audit_head=$8 teardown=$9
	shift 9
	keep=$1 prior=$2 birth=$3 dir=$root/$id unclaimed=''
	lockable
	exec 9>>"$state/locks/$id"
	lock || end locked locked "another operation holds it"
	prove_no_mount "$dir"
	if [ ! -e "$dir" ] && [ ! -e "$state/registry/$id.json" ] && [ -e "$state/registry/destroyed/$id.json" ]; then
		forget
		end gone gone "already destroyed"
	fi
	prove_dir
	holds "$state/registry/$id.json" "$registry" || end changed record_changed "its registry record has changed"
	if [ -d "$dir" ]; then
		if [ -n "$meta" ]; then
			holds "$dir/.sandboxer/meta.json" "$meta" || end changed record_changed "its metadata has changed"
		fi
	fi
	# A full disk keeps nobody from freeing it: the mark is for readers only.
	put "$state/registry/$id.json" "$next"
	if [ -d "$dir/.sandboxer" ] && [ ! -L "$dir/.sandboxer" ]; then
		put "$dir/.sandboxer/meta.json" "$next"
	fi
	sh -c "$teardown" sandboxer-teardown </dev/null 9>&- 8>&-
	case $? in
	0) ;;
	1) end failed remains "the engine still holds something of it" ;;
	*) end unknown engine_unknown "the engine could not be asked" ;;
	esac
	purge
	put "$state/registry/destroyed/$id.json" "$tomb" || end failed record "cannot write its last record"
	audited removed "$prior" || audit removed
	# With what a writer that was killed has left of them. The record goes last:
	# while it is there a later run comes here again.
	rm -f -- "$state/locks/$id" "$state/registry/destroyed/$id.json".*.tmp \
		"$state/registry/$id.json".*.tmp "$state/registry/$id.json"
	end destroyed ok
)

# tidy, at about every sixteenth time: what is kept for people to look back at
# does not grow for ever. Last records outlive the trash, which is kept for 30
# days at most.
tidy() {
	for old in "$state"/locks/*; do # what was pledged is not left for long
		[ -s "$old" ] || continue
		id=${old##*/}
		(
			exec 9>>"$old" 8>&-
			lock && forget
		)
	done
	case $op in *0) ;; *) return ;; esac
	find "$state/registry/destroyed" -name '*.json' -mtime +31 -exec rm -f -- {} + 2>/dev/null
	# No record tells of what was killed before it wrote one, or at its very end.
	find "$state/registry" -name '*.tmp' -mtime +1 -exec rm -f -- {} + 2>/dev/null
	find "$state/locks" -type f -mtime +1 2>/dev/null | while read -r old; do
		id=${old##*/}
		[ -e "$state/registry/$id.json" ] || [ -e "$root/$id" ] || (
			exec 9>>"$old" 8>&-
			lock && forget
		)
	done
	[ -z "$(find "$state/audit.jsonl" -size +16384k 2>/dev/null)" ] || mv -f -- "$state/audit.jsonl" "$state/audit.jsonl.1"
}

# refuse_one ID AUDIT CODE MESSAGE: the caller has said no.
refuse_one() (
	id=$1 audit_head=$2
	end refused "$3" "$4"
)

# alone: one reap at a time. Its lock is not passed on: a command that hangs
# must not keep all others from reaping.
alone() {
	(: >>"$state/reap.lock") 2>/dev/null || refuse state_unwritable "$state/reap.lock cannot be opened"
	exec 8>>"$state/reap.lock"
	flock -n 8 8>&8 && return
	say locked
	exit 0
}

# remove_unclaimed NAME DEVICE INODE AUDIT KEEP BIRTH: a directory that nobody
# accounts for. Whoever makes a sandbox of that name meanwhile holds its lock.
remove_unclaimed() (
	id=$1 device=$2 inode=$3 audit_head=$4 keep=$5 birth=$6
	dir=$root/$id next='' unclaimed=yes
	lockable
	exec 9>>"$state/locks/$id" 8>&-
	lock || end locked locked "another operation holds it"
	prove_no_mount "$dir"
	if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then
		forget
		end gone gone "it is gone"
	fi
	prove_dir
	for file in "$dir/.sandboxer" "$state/registry/$id.json"; do
		if [ -e "$file" ] || [ -L "$file" ]; then
			end changed claimed "it is a sandbox's: $file"
		fi
	done
	prove_unused
	pledge removed "$dir"
	purge
	audit removed
	forget
	end destroyed ok
)

# purge_trashed ENTRY DEVICE INODE AUDIT BIRTH: what was kept in the trash, by its
# path below the root. Its name begins with that of its lock.
purge_trashed() (
	dir=$root/$1 device=$2 inode=$3 audit_head=$4 birth=$5
	id=${1##*/}
	id=${id%%.*} ref=$1
	lockable
	exec 9>>"$state/locks/$id" 8>&-
	lock || end locked locked "another operation holds it"
	prove_no_mount "$dir"
	# A purge that was cut off has taken the time from its name.
	prove_no_mount "${dir%.*}.0"
	[ -e "$dir" ] || [ ! -d "${dir%.*}.0" ] || dir=${dir%.*}.0
	if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then
		forget
		end gone gone "it is gone"
	fi
	own_dir "${dir%/*}" || end refused trash "${dir%/*} is not the caller's"
	prove_dir
	next=$(dd if="$dir/.sandboxer/meta.json" bs=16384 count=1 2>/dev/null)
	delete "$dir" || end failed trash_left "$purge_dir: $purge_err; as root, rm -r removes it"
	rmdir -- "${dir%/*}" 2>/dev/null
	audit purged
	forget
	end destroyed ok
)

ref='' pledged=''
need flock stat dd grep
enter_home
check_root || say "note $root is gone"
