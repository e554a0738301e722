#!/bin/sh
# Installs nginx, which some tests put in front of the server, where it is missing.
set -eu
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null && exit 0

root=
if [ "$(id -u)" != 0 ]; then
    root="sudo -n"
fi
if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
    echo "filetracker: missing here; install it with: sudo apt-get install nginx-light" >&2
    exit 1
fi
echo "Installing with apt-get: nginx-light"
$root apt-get update -qq
# Offline, systemd does not start it as a service.
$root env SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends nginx-light </dev/null
