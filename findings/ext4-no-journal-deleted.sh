#!/usr/bin/env bash
# On an ext4 without a journal, a file is made twenty to thirty times as slowly for a minute
# or more after many files were deleted, however much room there is. The kernel does not use
# an inode again that was deleted lately, since its deletion may not be on the disk yet, and
# looks at each of them again for every new file. One would expect the lack of a journal to
# save work only, and that nothing is left of a deletion once it has returned. It does not
# begin at once, but a second or two after the deletions.
#
# Machines whose root is not to be kept have such a file system: virtual machines made for
# one job, build workers, boxes in a data centre that replicates. A supervisor that is
# started again, with a log for each of a thousand programs, takes a second longer there.
#
# Seen with Linux 6.18.44 and e2fsprogs 1.47.0-2+b2, 500 files each time, microseconds a file,
# before and 0, 2 and 6 seconds after 4,000 others were deleted:
#   without a journal 19 13 394 416, with one 21 21 15 18
# Needs root, for the mounts, and loop devices.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -q "$dir/mount" || true; rm -rf "$dir"' EXIT
chmod 755 "$dir" # apt downloads as a user of its own
cd "$dir"
mkdir -m 777 packages
mkdir mount
figures=()
(cd packages && apt-get download -q=2 e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libss2=1.47.0-2+b2)
for deb in packages/*.deb; do dpkg -x "$deb" tools; done
libraries=$(dirname "$(find "$dir/tools" -name 'libext2fs.so.2')")
cat >files.py <<'EOF'
import os, sys, time

def make(name, count):
    begun = time.perf_counter()
    for i in range(count):
        os.close(os.open(f"mount/{name}-{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return (time.perf_counter() - begun) / count * 1e6

before = make("first", 500)
make("gone", 4000)
for i in range(4000):
    os.unlink(f"mount/gone-{i}")
after = []
for pause in 0, 2, 4:
    time.sleep(pause)
    after.append(make(f"after-{pause}", 500))
print(*(round(t) for t in [before, *after]))
EOF
for journal in ^has_journal has_journal; do
  rm -f image
  truncate -s 512M image
  LD_LIBRARY_PATH=$libraries tools/sbin/mkfs.ext4 -q -O "$journal" -N 60000 image
  mount -o loop image mount
  figures+=("$(python3 files.py)")
  umount mount
done
echo "Linux $(uname -r): without a journal ${figures[0]}, with one ${figures[1]}"
read -r _ _ without _ <<<"${figures[0]}"
read -r _ _ with _ <<<"${figures[1]}"
if [ "$without" -lt $((5 * with)) ]; then
  echo "this has changed: two seconds after the deletions a file takes $without microseconds, with a journal $with" >&2
  exit 1
fi
