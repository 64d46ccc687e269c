#!/bin/sh
# How docker and its plugin "docker compose" are driven. Another pair of engine
# and compose tool is another file like this one, and an entry in tool.go.
# shellcheck disable=SC2154,SC2086

# limit is a command that bounds another one, or empty.
engine() { $limit docker "$@"; }

compose() {
	$limit docker compose --ansi never --progress plain -p "$id" --project-directory "$dir" \
		--env-file "$env_file" -f "$file" -f .sandboxer/override.json "$@"
}

# The classic builder, unless the user's own environment asks for the other:
# with the image go all of its layers, whereas BuildKit keeps them as cache
# that nothing ties to a sandbox.
build_images() {
	DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0}
	export DOCKER_BUILDKIT
	compose build $builds
}

import_image() { engine import - "$image"; }

start_services() { compose up -d --no-build --pull never; }
