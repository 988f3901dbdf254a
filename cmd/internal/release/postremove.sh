#!/bin/sh
# After the files have gone.
set -e

[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
[ "$1" = purge ] || exit 0
conf=/etc/supervisor/supervisord.conf
made=/etc/supervisor/.supervisord.conf.as-shipped
# Where another supervisord is installed by now, such as Debian's, all else is its own.
if [ ! -e /usr/bin/supervisord ]; then
	# A file that somebody has edited since, or that another package has written, stays.
	[ ! -e "$made" ] || [ "$(cksum 2>/dev/null <"$conf")" != "$(cat "$made")" ] || rm -f "$conf"
	rm -rf /var/lib/supervisord /var/log/supervisor/supervisord.log* /var/log/supervisor/*-std???---*
	if command -v deb-systemd-helper >/dev/null; then
		deb-systemd-helper purge supervisor.service >/dev/null || true
		deb-systemd-helper unmask supervisor.service >/dev/null || true
	fi
fi
rm -f "$made"
rmdir /etc/supervisor/conf.d /etc/supervisor/config.d /etc/supervisor /var/log/supervisor 2>/dev/null || true
