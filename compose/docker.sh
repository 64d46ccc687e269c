#!/bin/sh
# How docker's own client is asked. Another engine is another file like this
# one; podman.sh says what differs.
# shellcheck disable=SC2154,SC2086,SC2034,SC2016

# limit is a command that bounds another one, or empty; sudo is too. A user
# cannot stop what runs as root: sudo comes first.
engine() { $sudo $limit "$client" "$@"; }

# What goes into the forms of ps, network ls and volume ls.
container_state='{{.State}}'
container_nonce='{{.Label "sandboxer.nonce"}}'
network_nonce=$container_nonce
volume_nonce=$container_nonce
host_ip=.HostIp # of an inspection

import_image() { engine import - "$image"; }

# docker has no pods.
survey_pods() { pods=''; }
remove_pods() { :; }

# What keeps a start from working is nothing that can be mended here.
mend_start() { return 1; }
