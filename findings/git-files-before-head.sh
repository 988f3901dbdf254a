#!/usr/bin/env bash
# While "git pull" writes new files, HEAD still names the old commit: the reference moves
# last. With a filter that takes its time (Git LFS and git-crypt are such) this lasts for
# seconds, and whoever looks at the checkout then takes new content for that of the old
# commit. A file that is complete and quiet is no sign that its commit is checked out.
# The way out: while .git/index.lock is there, nobody knows which commit the files are.
#
# Seen with Debian's git 1:2.39.5-0+deb12u3, one second into a pull with a filter of two:
#   web.ini is new, HEAD is old, index.lock is there
#   after the pull: web.ini is new, HEAD is new, index.lock is not there
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download git=1:2.39.5-0+deb12u3 >/dev/null 2>&1
dpkg -x git_*.deb root
export PATH=$dir/root/usr/bin:$PATH GIT_EXEC_PATH=$dir/root/usr/lib/git-core HOME=$dir GIT_CONFIG_NOSYSTEM=1
git --version
git config --global init.defaultBranch main
git config --global user.email a@example.org
git config --global user.name a
git config --global filter.slow.smudge 'sleep 2; cat'
git config --global filter.slow.clean cat
git init -q origin
cd origin
mkdir conf data
echo '*.bin filter=slow' >.gitattributes
commit() { echo "$1" >conf/web.ini; echo "$1" >data/large.bin; git add .; git commit -qm "$1"; }
commit old
cd ..
git clone -q origin copy
old=$(git -C copy rev-parse HEAD)
(cd origin && commit new)
look() {
  head=old lock='not there'
  [ "$(git -C copy rev-parse HEAD)" = "$old" ] || head=new
  [ ! -e copy/.git/index.lock ] || lock=there
  echo "web.ini is $(cat copy/conf/web.ini), HEAD is $head, index.lock is $lock"
}
git -C copy pull -q --ff-only &
sleep 1
got=$(look)
echo "$got"
wait
after="after the pull: $(look)"
echo "$after"
[ "$got" = "web.ini is new, HEAD is old, index.lock is there" ] || exit 1
[ "$after" = "after the pull: web.ini is new, HEAD is new, index.lock is not there" ]
