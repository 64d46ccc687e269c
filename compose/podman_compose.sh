#!/bin/sh
# How podman-compose is driven, from 1.0.3 on. Its status and its standard
# output mean nothing; what podman says of a failure is on standard error. It
# knows no other project directory than that of the first file, and reads the
# .env there.
# shellcheck disable=SC2154,SC2086

compose() {
	$sudo $limit "$program" -p "$id" -f .sandboxer.compose.yaml -f .sandboxer/override.json "$@"
}

tool_version() { $sudo $limit "$program" version; }

# set_env puts the settings where the tool looks for them, and makes the file
# that it gets. 1.0.3 does not merge what is null with what is not, and
# "data:" without more is how most files declare a volume.
set_env() {
	if [ -f .env ] || [ -s "$env_file" ]; then cat "$env_file" >.env || return; fi
	awk '
		function flush(deeper) {
			if (held == "") return
			print held (deeper ? "" : " {}") tail
			held = ""
		}
		{ sub(/\r$/, "") }
		/^[ \t]*(#.*)?$/ { if (held == "") print; else tail = tail "\n" $0; next }
		{
			indent = match($0, /[^ ]/) - 1
			flush(indent > depth)
			tail = ""
			if (indent == 0) inside = /^(volumes|networks)[ ]*:/
			if (inside && indent > 0 && /^ +[A-Za-z0-9_.-]+:[ ]*(null|~)?[ ]*(#.*)?$/) {
				held = $0
				sub(/:[ ]*(null|~)?[ ]*(#.*)?$/, ":", held)
				depth = indent
				next
			}
			print
		}
		END { flush(0) }
	' "$file" >.sandboxer.compose.yaml
}

# said_of COMMAND...: only what failed: not the second try of a service that
# could not be made in the first, nor where in the tool that is, if podman has
# said why.
said_of() {
	"$@" 2>&1 >/dev/null | awk '
		/no container with name or ID/ { next }
		/^exit code: [0-9]*$/ || /^podman [a-z]/ || /^\[.podman., / || /^failed to connect to syslog/ { next }
		/^Error: / { why = 1 }
		{ line[++n] = $0; trace[n] = /^(Traceback|During handling|subprocess\.CalledProcessError)/ || /^  / || !NF }
		END { for (i = 1; i <= n; i++) if (!why || !trace[i]) print line[i] }
	'
}

# Layers that are kept would outlive a build that fails. What the tool says of
# itself comes on the standard output of podman too.
build_images() {
	compose '--podman-build-args=--pull=never --layers=false --force-rm' build $builds 2>&1 |
		sed -e '/^ \*\* merged:$/,/^}$/d' -e '/^exit code: [0-9]*$/d' -e "/^\['podman'/d" \
			-e '/^podman build /d' -e '/^using podman version: /d'
}

start_services() { said_of compose up -d --no-build; }
