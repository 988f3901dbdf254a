#!/bin/sh
# Before the files go, for good or for another version.
set -e

case "$1" in
upgrade | failed-upgrade | deconfigure | 1) exit 0 ;; # the next version goes on with what runs
esac
if [ -d /run/systemd/system ]; then
	systemctl stop supervisor.service || true
elif supervisorctl -c /etc/supervisor/supervisord.conf shutdown >/dev/null 2>&1; then
	supervisorctl -c /etc/supervisor/supervisord.conf pid >/dev/null 2>&1 || true # answers until it ends
fi
