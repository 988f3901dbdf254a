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

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	case "$1-$2" in
	configure- | 1-*) systemctl enable supervisor.service || true ;;
	esac
fi

# A daemon that runs from the old file goes on in the new one, and no program stops.
pid=$(supervisorctl -c /etc/supervisor/supervisord.conf pid 2>/dev/null) || pid=
case "$(readlink "/proc/$pid/exe" 2>/dev/null)" in
/usr/bin/supervisord*)
	supervisorctl -c /etc/supervisor/supervisord.conf upgrade ||
		echo "supervisord goes on as it was: its programs run; restart it when it suits you" >&2
	;;
*)
	if [ -d /run/systemd/system ]; then
		systemctl start supervisor.service ||
			echo "supervisord did not start: see systemctl status supervisor" >&2
	fi
	;;
esac
