#!/bin/sh
# Writes the ACL file that Redis or Valkey takes (--aclfile) to stdout, from users.acl beside this script and the
# passwords in TASKREEL_API_PASSWORD, TASKREEL_WORKER_PASSWORD, TASKREEL_QUEUE_PASSWORD, TASKREEL_OPS_PASSWORD:
#   sh deploy/redis/fill.sh > /etc/valkey/users.acl
# A user without a password is left out. Take long random ones: openssl rand -hex 32
set -eu

digest() {
  printf '%s' "$1" | sha256sum | cut -d ' ' -f 1
}

# One line a user: comments and empty lines go, indented lines join the one before.
one_line_a_user() {
  awk '/^#/ || /^$/ { next } /^ / { sub(/^ +/, " "); printf "%s", $0; next } { if (n++) print ""; printf "%s", $0 } END { print "" }' "$1"
}

fill() { # name, password
  if [ -n "$2" ]; then
    sed "s/#$1_PASSWORD_SHA256/#$(digest "$2")/"
  else
    sed "/#$1_PASSWORD_SHA256/d"
  fi
}

one_line_a_user "$(dirname "$0")/users.acl" |
  fill API "${TASKREEL_API_PASSWORD:-}" |
  fill WORKER "${TASKREEL_WORKER_PASSWORD:-}" |
  fill QUEUE "${TASKREEL_QUEUE_PASSWORD:-}" |
  fill OPS "${TASKREEL_OPS_PASSWORD:-}"
