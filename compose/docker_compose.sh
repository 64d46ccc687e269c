#!/bin/sh
# How the program "docker-compose" is driven: Debian's, which is version 1, or
# one of version 2. What it is shows in what it says of itself.
# shellcheck disable=SC2154,SC2086

compose() {
	$sudo $limit "$program" -p "$id" --project-directory "$dir" \
		--env-file "$env_file" -f "$file" -f .sandboxer/override.json "$@"
}

tool_version() { $sudo $limit "$program" version --short; }

set_env() { :; } # it takes env_file

# Version 1 builds by the classic builder, version 2 by BuildKit.
build_images() { reasons compose build --force-rm $builds; }

# Version 1 has no word against pulling: images are looked for before.
start_services() {
	case $version in
	1.*) reasons compose up -d --no-build ;;
	*) compose up -d --no-build --pull never ;;
	esac
}

# reasons COMMAND...: the last that version 1 says of what failed is none.
reasons() {
	"$@" 2>&1 | sed -e '/ failed to build : Build failed$/d' -e '/Encountered errors while bringing up the project/d'
}
