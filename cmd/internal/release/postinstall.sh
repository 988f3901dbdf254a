#!/bin/sh
# After the files are there, of a new package or of another version of it.
set -e

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers /usr/lib/sysusers.d/supervisor.conf || true
elif ! getent passwd supervisor >/dev/null; then
	if command -v useradd >/dev/null; then
		useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin supervisor
	else
		adduser -S -D -H -h / -s /sbin/nologin supervisor
	fi
fi
mkdir -p /var/log/supervisor /etc/supervisor/conf.d /etc/supervisor/config.d

# An existing machine goes on with its own file, which may still belong to Debian's package.
if [ ! -e /etc/supervisor/supervisord.conf ]; then
	cp /usr/share/supervisord/supervisord.conf /etc/supervisor/supervisord.conf
	cksum </etc/supervisor/supervisord.conf >/etc/supervisor/.supervisord.conf.as-shipped
fi

# A .deb does not hold the unit in its place: Debian's package has one of that name in
# /lib or /usr/lib, which are one directory. dpkg knows them as two, and whichever package
# goes would take the other's file along.
if [ -e /usr/share/supervisord/supervisor.service ]; then
	mkdir -p /usr/lib/systemd/system
	cp /usr/share/supervisord/supervisor.service /usr/lib/systemd/system/supervisor.service
fi

# Whoever has disabled the unit, of Debian's package too, finds it so.
if command -v deb-systemd-helper >/dev/null; then
	deb-systemd-helper unmask supervisor.service >/dev/null || true # Debian's package masked it when it went, before Debian 12
	if deb-systemd-helper --quiet was-enabled supervisor.service; then
		deb-systemd-helper enable supervisor.service >/dev/null || true
	else
		deb-systemd-helper update-state supervisor.service >/dev/null || true
	fi
elif [ "$1-$2" = 1- ] && command -v systemctl >/dev/null; then
	systemctl enable supervisor.service || true
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true

# start starts the unit where that is wanted.
start() {
	if command -v deb-systemd-invoke >/dev/null; then
		deb-systemd-invoke start supervisor.service # not if it is disabled, or policy-rc.d forbids it
	elif [ "$1" = 1 ]; then
		systemctl start supervisor.service
	fi
}

# A daemon that runs from the old file goes on in the new one, and no program stops.
pid=$(supervisorctl -c /etc/supervisor/supervisord.conf pid 2>/dev/null) || pid=
case "$(readlink "/proc/$pid/exe" 2>/dev/null)" in
/usr/bin/supervisord*)
	supervisorctl -c /etc/supervisor/supervisord.conf upgrade ||
		echo "supervisord goes on as it was: its programs run; restart it when it suits you" >&2
	;;
*)
	if [ -d /run/systemd/system ]; then
		start "$1" || echo "supervisord did not start: see systemctl status supervisor" >&2
	fi
	;;
esac
