#!/bin/sh
# After the files have gone.
set -e

[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
[ "$1" = purge ] || exit 0
conf=/etc/supervisor/supervisord.conf
made=/etc/supervisor/.supervisord.conf.as-shipped
if [ -e "$made" ] && [ "$(cksum <"$conf" 2>/dev/null)" = "$(cat "$made")" ] && [ ! -e /usr/bin/supervisord ]; then
	rm -f "$conf" # as it was shipped: nobody's work
fi
rm -f "$made"
[ -e /usr/bin/supervisord ] || rm -rf /var/lib/supervisord /var/log/supervisor/supervisord.log* /var/log/supervisor/*-std???---*
rmdir /etc/supervisor/conf.d /etc/supervisor/config.d /etc/supervisor /var/log/supervisor 2>/dev/null || true
