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

# The builder is the tool's own choice, BuildKit today. Its cache outlives the
# image; but the classic builder, when a build fails or is cut off, leaves
# containers and untagged images, which nothing ties to a sandbox either.
build_images() { compose build $builds; }

import_image() { engine import - "$image"; }

start_services() { compose up -d --no-build --pull never; }
