#!/bin/sh
# Before the files go, for good or for another version.
set -e

case "$1" in
upgrade | failed-upgrade | deconfigure | 1) exit 0 ;; # the next version goes on with what runs
esac
if [ ! -d /run/systemd/system ]; then
	supervisorctl -c /etc/supervisor/supervisord.conf shutdown >/dev/null 2>&1 || true
elif command -v deb-systemd-invoke >/dev/null; then
	deb-systemd-invoke stop supervisor.service || true
else
	systemctl --no-reload disable --now supervisor.service || true
fi
if cmp -s /usr/share/supervisord/supervisor.service /usr/lib/systemd/system/supervisor.service; then
	rm -f /usr/lib/systemd/system/supervisor.service # see postinstall.sh
fi
