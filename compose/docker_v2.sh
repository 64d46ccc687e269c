#!/bin/sh
# How "docker compose", the plugin of version 2 and later, is driven. Another
# compose tool is another file like this one, and an entry in tool.go.
# shellcheck disable=SC2154,SC2086

compose() {
	$sudo $limit "$client" compose --ansi never --progress plain -p "$id" --project-directory "$dir" \
		--env-file "$env_file" -f "$file" -f .sandboxer/override.json "$@"
}

tool_version() { $sudo $limit "$client" compose version --short; }

set_env() { :; } # it takes env_file

# The builder is the tool's own choice, BuildKit today. Its cache outlives the
# image; but the classic builder, when a build fails or is cut off, leaves
# containers and untagged images, which nothing ties to a sandbox either.
build_images() { compose build $builds; }

start_services() { compose up -d --no-build --pull never; }
