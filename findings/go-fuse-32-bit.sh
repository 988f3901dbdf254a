#!/usr/bin/env bash
# go-fuse v2.12.1 builds for 64-bit Linux alone. Its package splice keeps what
# syscall.Splice returns in an int64, and that call returns int64 on amd64 and arm64
# and int on 386 and arm. One would expect a file system library that names no
# architecture in its documentation to build on every Linux that Go knows, and a test
# suite that uses it to be checked on all of them.
#
# Seen with go1.26 and github.com/hanwen/go-fuse/v2 v2.12.1:
#   amd64: builds    arm64: builds    386: does not build    arm: does not build
#   splice/pair_linux.go: cannot use syscall.Splice(...) (value of type int) as int64 value in assignment
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0 GOOS=linux
go mod init example.test/fuse 2>/dev/null
go get github.com/hanwen/go-fuse/v2@v2.12.1 2>/dev/null
printf 'package main\n\nimport _ "github.com/hanwen/go-fuse/v2/splice"\n\nfunc main() {}\n' >main.go
for want in amd64:builds arm64:builds 386:fails arm:fails; do
  arch=${want%:*}
  if GOARCH=$arch go build -o /dev/null . 2>"$dir/err"; then got=builds; else got=fails; fi
  echo "$arch: $got"
  [ "$got" = "${want#*:}" ] || { cat "$dir/err"; echo "expected: $want"; exit 1; }
  [ "$got" = builds ] || grep -m1 'value of type int) as int64 value' "$dir/err"
done
