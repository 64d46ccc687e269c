#!/bin/sh
# audit: one line about what was refused before anything was begun. Arguments:
# the line without its end, the reason in one word.
# Assembled after common.sh, which the variables below come from or go to.
# shellcheck disable=SC2154,SC2034
audit_head=$1

enter_home
audit "$2"
say stored
