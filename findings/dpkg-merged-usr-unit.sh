#!/usr/bin/env bash
# dpkg on a merged /usr: two packages name one unit file, one of them as /lib/systemd/system,
# the other as /usr/lib/systemd/system. The second Conflicts with, Replaces and Provides the
# first. dpkg takes the two names for two files, so nothing is said to be overwritten: it
# unpacks the second package's file, then removes the first package, and with it the one
# file that both names lead to. The new package is "install ok installed", and its unit is
# gone: at the next boot nothing starts. With the same name in both packages the file stays.
#
# So a package that takes another one's place names the unit as the other does, or puts it
# there in its postinst.
#
# Expected: after the change of packages the unit is missing if the names differ, and there
# if they are the same.
# Output seen, dpkg 1.21.23 of Debian 12:
#   names differ: status "install ok installed", unit missing
#   same name: status "install ok installed", unit there
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download dpkg=1.21.23 >/dev/null 2>&1)
dpkg -x "$work"/dpkg_*.deb "$work/tools"
export PATH=$work/tools/usr/bin:$PATH
dpkg --version | head -n 1

# package NAME UNIT FIELDS... builds one of one file.
package() {
  local name=$1 unit=$2
  shift 2
  mkdir -p "$work/$name/DEBIAN" "$work/$name$(dirname "$unit")"
  echo "# of $name" >"$work/$name$unit"
  printf '%s\n' "Package: $name" "Version: 1" "Architecture: all" "Maintainer: nobody <nobody@example.org>" \
    "Description: one unit" "$@" >"$work/$name/DEBIAN/control"
  dpkg-deb --root-owner-group -b "$work/$name" "$work/$name.deb" >/dev/null
}
package before /lib/systemd/system/trial.service
for name in other same; do
  unit=/lib/systemd/system/trial.service
  [ $name = same ] || unit=/usr$unit
  package $name $unit "Conflicts: before" "Replaces: before" "Provides: before"
done

# trial NAME says what is there after that package has taken the other's place.
trial() {
  local root=$work/root-$1
  mkdir -p "$root/usr/lib" "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
  ln -s usr/lib "$root/lib"
  : >"$root/var/lib/dpkg/status"
  to() { dpkg --root="$root" --force-not-root --force-bad-path --log=/dev/null "$@" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }; }
  to -i "$work/before.deb"
  [ -e "$root/usr/lib/systemd/system/trial.service" ]
  to --auto-deconfigure -B -i "$work/$1.deb"
  unit=missing
  [ ! -e "$root/usr/lib/systemd/system/trial.service" ] || unit=there
  echo "status \"$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Status}' "$1")\", unit $unit"
}
differ=$(trial other) same=$(trial same)
echo "names differ: $differ"
echo "same name: $same"
[ "$differ" = 'status "install ok installed", unit missing' ]
[ "$same" = 'status "install ok installed", unit there' ]
